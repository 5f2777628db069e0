"""`run`: replay a workload on an accelerator and say what it costs and why."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from simulator.cli.options import (
    add_simulation_options,
    parse_overrides,
    policy_choice,
    routes_for,
    with_chosen_bits,
)
from simulator.cli.output import check_folder, folder_path, make_folder, write_text
from simulator.cli.resolve import ROUTES_FILE, build_folder, resolve_spec, resolve_workload
from simulator.cli.services import Services
from simulator.mapping.placement import Placement
from simulator.result_file import layers_to_csv, run_to_json, summarise
from simulator.simulation import RunResult, run_workload


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_simulation_options(parser)
    parser.add_argument(
        "--workload",
        required=True,
        metavar="W",
        help="a shipped workload, a program file, or a folder that build wrote",
    )
    parser.add_argument(
        "--routes", type=Path, metavar="FILE", help="replay the routes of a file, in its order"
    )
    parser.add_argument(
        "--layers", type=int, default=10, metavar="N", help="slowest layers to list (default 10)"
    )
    parser.add_argument(
        "--out",
        type=folder_path,
        metavar="DIR",
        help="write result.json, layers.csv and figures here",
    )
    parser.add_argument(
        "--no-figures", action="store_true", help="with --out: write the data files only"
    )


def execute(args: argparse.Namespace, services: Services) -> None:
    """Simulate, then print a table or JSON, and write what --out asks for."""
    if args.out:
        check_folder(args.out)
    spec, origin = resolve_spec(args.spec, parse_overrides(args), services)
    (workload,) = with_chosen_bits(args, [resolve_workload(args.workload, services)])
    routes_file = args.routes or built_routes(args, services)
    routes, seed = routes_for(args, workload, routes_file)
    run = run_workload(workload, spec, policy_choice(args), routes, seed, Placement(args.placement))
    if routes_file is not None:
        print(f"routes from {routes_file}", file=sys.stderr)
    if args.json:
        print(f"spec: {origin}", file=sys.stderr)
        print(json.dumps(summarise(run), indent=1))
    else:
        from simulator.cli.run_table import print_run

        print_run(run, origin, args.layers)
    if args.out:
        written = _write(run, origin, args, services)
        print(f"wrote {', '.join(written)} to {args.out}", file=sys.stderr)


def built_routes(args: argparse.Namespace, services: Services) -> Path | None:
    """The real routes of a built workload: what its folder holds."""
    folder = build_folder(args.workload, services)
    return folder / ROUTES_FILE if folder is not None else None


def _write(run: RunResult, origin: str, args: argparse.Namespace, services: Services) -> list[str]:
    make_folder(args.out)
    write_text(args.out / "result.json", run_to_json(run, origin))
    write_text(args.out / "layers.csv", layers_to_csv(run))
    written = ["result.json", "layers.csv"]
    if not args.no_figures:
        figures = services.reports("figures").write_run_figures(run, args.out)
        written += [path.name for path in figures]
    return written
