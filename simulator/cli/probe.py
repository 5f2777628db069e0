"""`probe`: how many blocks before its routers a built tree's decisions can be foreseen."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.table import Table

from simulator.cli.format import make_console
from simulator.cli.output import check_folder, folder_path, make_folder
from simulator.cli.progress import StepLine
from simulator.cli.services import Services
from simulator.errors import UserError
from simulator.probes_file import Probes, probes_to_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--tree", required=True, type=Path, metavar="DIR", help="a folder that `build` wrote"
    )
    parser.add_argument(
        "--out", required=True, type=folder_path, metavar="DIR", help="probes.json goes here"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the probes (default 0)"
    )
    parser.add_argument(
        "--per-input", action="store_true", help="write what every probe says of every test input"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print what probes.json holds")


def execute(args: argparse.Namespace, services: Services) -> None:
    """Train the probes, write them, and print how right and how sure they are."""
    check_folder(args.out)
    if args.seed < 0:
        raise UserError(f"--seed {args.seed}: must be zero or more")
    run = services.workloads("probing.run")
    make_folder(args.out)
    request = run.ProbeRequest(args.tree, args.seed, args.per_input, args.device)
    with StepLine("probe:") as line:
        found: Probes = run.probe_tree(request, args.out, line)
    if args.json:
        print(probes_to_json(found), end="")
    else:
        _print_table(found)
    print(f"wrote {run.PROBES_FILE} to {args.out}", file=sys.stderr)


def _print_table(found: Probes) -> None:
    console = make_console()
    console.print(f"[bold]{found.workload}[/]: probes {found.source}", soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for heading in ("branch", "reads after", "blocks\nearlier", "right", "commonest\narm", "T"):
        left = heading in ("branch", "reads after")
        text = heading if "\n" in heading else f"\n{heading}"
        table.add_column(text, justify="left" if left else "right", no_wrap=True)
    table.add_column("calibration error\nas is, with T", justify="right", no_wrap=True)
    for branch in found.branches:
        for probe in branch.probes:
            table.add_row(
                branch.branch,
                probe.after,
                str(probe.blocks_earlier),
                _percent(probe.accuracy_fraction),
                _percent(branch.commonest_fraction),
                f"{probe.temperature:.2f}",
                f"{_percent(probe.ece_before_fraction)} {_percent(probe.ece_after_fraction)}",
            )
    console.print(table)
    console.print("\nrouters, read as the probability that their arm is the better one:")
    for branch in found.branches:
        router = branch.router
        console.print(
            f"  {branch.branch}: better arm {_percent(router.better_arm_fraction)}, "
            f"T {router.temperature:.2f}, calibration error "
            f"{_percent(router.ece_before_fraction)}, {_percent(router.ece_after_fraction)} with T"
        )


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"
