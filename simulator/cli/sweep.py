"""`sweep`: one workload or several over a design space, every finished point kept."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from simulator.cli.format import quantity
from simulator.cli.output import check_folder, folder_path, write_text, writing
from simulator.cli.progress import ProgressLine
from simulator.cli.services import Services
from simulator.cli.study_options import (
    STORE_FILE,
    add_study_options,
    context_for,
    resumable,
    store_in,
    workers_for,
)
from simulator.cli.sweep_bounds import add_bounds_options, write_bounds
from simulator.errors import UserError
from simulator.study.axis import Choices, GridAxis, RandomAxis, parse_axis
from simulator.study.checks import checked_axes
from simulator.study.context import Context
from simulator.study.design import make_design
from simulator.study.execute import Progress, Runner
from simulator.study.outcome import Status
from simulator.study.store import Store
from simulator.study.sweep import Sweep

CSV_FILE, DESCRIPTION_FILE = "sweep.csv", "sweep.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_study_options(parser)
    parser.add_argument(
        "--samples", type=int, metavar="N", help="how many samples of the axes that are drawn"
    )
    parser.add_argument(
        "--out",
        type=folder_path,
        required=True,
        metavar="DIR",
        help=f"{CSV_FILE}, {STORE_FILE}, {DESCRIPTION_FILE} and figures go here; the same "
        "command resumes what was interrupted",
    )
    add_bounds_options(parser)
    parser.add_argument("--no-figures", action="store_true", help="write the data files only")


def execute(args: argparse.Namespace, services: Services) -> None:
    """Finish all points, then write the table and the figures."""
    check_folder(args.out)
    context, origin = context_for(args, services)
    sweep = Sweep(context, make_design(axes_for(args, context), args.samples, args.seed))
    if args.bounds:
        write_bounds(args, sweep)
        return
    if args.best is not None:
        raise UserError("--best: used only with --bounds")
    path = args.out / STORE_FILE
    line = ProgressLine("sweep:")
    with workers_for(args) as workers, store_in(args.out) as store, resumable(line, path):
        print(f"spec: {origin}", file=sys.stderr)
        store.describe(sweep.study, sweep.description())
        runner = Runner(store, sweep.study, context, workers)
        progress = Progress(sweep.design.n_points)
        runner.run(sweep.points(), progress, line)
        with writing(args.out / CSV_FILE) as file:
            sweep.write_csv(store, file)
        summary = _summary(store, sweep, progress.reused)
    write_text(args.out / DESCRIPTION_FILE, json.dumps(sweep.description(), indent=1) + "\n")
    written = [CSV_FILE, DESCRIPTION_FILE, STORE_FILE]
    if not args.no_figures:
        figures = services.reports("sweep").write_sweep_figures(args.out / CSV_FILE, args.out)
        written += [figure.name for figure in figures]
    print(f"wrote {', '.join(written)} to {args.out}", file=sys.stderr)
    if args.json:
        print(json.dumps(summary, indent=1))
    else:
        _print_summary(summary)


def axes_for(args: argparse.Namespace, context: Context) -> list[GridAxis | RandomAxis]:
    """The axes of --vary, behind that of the workloads if there are several.

    Raises:
        UserError: none, or a wrong one.
    """
    axes = [parse_axis(text) for text in args.vary]
    names = tuple(workload.name for workload in context.workloads)
    if len(names) > 1 and not any(axis.field == "workload" for axis in axes):
        axes = [GridAxis("workload", names), *axes]
    if not axes:
        raise UserError("--vary: name at least one axis, e.g. scratchpad.capacity_kib=512,1024")
    return checked_axes(context, axes)


def _summary(store: Store, sweep: Sweep, reused: int) -> dict[str, Any]:
    """What the store holds of the sweep; `reused` was there before."""
    counts = store.counts(sweep.study)
    fastest = store.fastest(sweep.study)
    return {
        "points": sum(counts.values()),
        "reused": reused,
        "infeasible": counts.pop(Status.INFEASIBLE, 0),
        "engines": counts,
        "fastest": fastest
        and {
            "choices": fastest[1],
            "latency_mean_ps": fastest[2].metric("latency_mean_ps"),
            "energy_pj": fastest[2].metric("energy_pj"),
        },
    }


def _print_summary(summary: dict[str, Any]) -> None:
    parts = [f"{summary['points']:,} points"]
    if summary["reused"]:
        parts.append(f"{summary['reused']:,} known before")
    parts += [f"{count:,} by the {name} engine" for name, count in summary["engines"].items()]
    if summary["infeasible"]:
        parts.append(f"{summary['infeasible']:,} infeasible (column reason)")
    print("; ".join(parts))
    fastest = summary["fastest"]
    if fastest:
        latency = quantity(fastest["latency_mean_ps"] / 1e12, "s")
        energy = quantity(fastest["energy_pj"] / 1e12, "J")
        print(f"fastest: {latency}, {energy} at {describe_choices(fastest['choices'])}")


def describe_choices(choices: Choices) -> str:
    """A point's choices on one line."""
    return ", ".join(f"{field}={value}" for field, value in choices.items())
