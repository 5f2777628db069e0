"""`explore`: the points of a design space that are worth choosing."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

from rich.table import Table

from simulator.cli.format import make_console, quantity
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
from simulator.cli.sweep import axes_for
from simulator.errors import UserError
from simulator.mapping.placement import Placement
from simulator.policy import Policy
from simulator.study.accuracy import Accuracies
from simulator.study.axis import RandomAxis
from simulator.study.design import make_design
from simulator.study.execute import Runner
from simulator.study.objective import ERROR, Limit, parse_objectives
from simulator.study.search import Found, Search, check_search, run_search
from simulator.study.sweep import Sweep

POINTS_FILE, FRONT_FILE, DESCRIPTION_FILE = "explore.csv", "front.csv", "explore.json"
MAX_POINTS = 10**7
SHOWN = 20
CAPACITY_AXIS = "scratchpad.capacity_kib=256:16384:x2"
DEFAULT_AXES = (
    "pe_array.rows=16:128:x2",
    "pe_array.cols=16:128:x2",
    "dram.bandwidth=3.2G:25.6G:x2",
    f"policy={','.join(policy for policy in Policy if policy is not Policy.ORACLE)}",
    f"placement={','.join(p for p in Placement if p is not Placement.KEEP_ALL)}",
)
"""The space where no --vary names one; the oracle is left out: it cannot be built."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_study_options(parser)
    parser.add_argument(
        "--objectives",
        default="latency,energy,area",
        metavar="A,B",
        help="what to minimise: latency, p50, p99, max, energy, area, reads, weights, error "
        "(default %(default)s)",
    )
    parser.add_argument(
        "--accuracy",
        type=Path,
        metavar="FILE",
        help="accuracies of the workloads at the bit widths tried, for the cost error",
    )
    parser.add_argument(
        "--constraint",
        action="append",
        default=[],
        metavar="LIMIT",
        help="what a point must respect, e.g. 'p99 < 5ms'; repeatable",
    )
    parser.add_argument(
        "--points",
        type=int,
        default=1000,
        metavar="N",
        help="evaluate at most so many; a space that is no larger is tried whole, another one "
        "searched with NSGA-II (default %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=folder_path,
        required=True,
        metavar="DIR",
        help=f"{POINTS_FILE}, {FRONT_FILE}, {DESCRIPTION_FILE}, {STORE_FILE} and figures go "
        "here; the same command resumes what was interrupted",
    )
    parser.add_argument("--no-figures", action="store_true", help="write the data files only")


def execute(args: argparse.Namespace, services: Services) -> None:
    """Search, then write all points, the front and the figures."""
    check_folder(args.out)
    if not 1 <= args.points <= MAX_POINTS:
        raise UserError(f"--points {args.points}: must be from 1 to {MAX_POINTS}")
    objectives = parse_objectives(args.objectives)
    limits = tuple(Limit.parse(text, "--constraint") for text in args.constraint)
    if not args.vary:
        args.vary = [*([CAPACITY_AXIS] if args.iso_area is None else []), *DEFAULT_AXES]
    context, origin = context_for(args, services)
    axes = axes_for(args, context)
    for axis in axes:
        if isinstance(axis, RandomAxis):
            raise UserError(f"--vary {axis.field}: explore takes lists, steps or factors")
    sweep = Sweep(context, make_design(axes, None, args.seed))
    accuracies = Accuracies.read(args.accuracy) if args.accuracy else None
    search = Search(sweep, objectives, limits, args.points, accuracies)
    check_search(search)
    if accuracies is not None and ERROR not in {*objectives, *(limit.cost for limit in limits)}:
        raise UserError(f"--accuracy {args.accuracy}: used only where --objectives lists {ERROR}")
    path = args.out / STORE_FILE
    line = ProgressLine("explore:")
    with workers_for(args) as workers, store_in(args.out) as store, resumable(line, path):
        print(f"spec: {origin}", file=sys.stderr)
        runner = Runner(store, search.study, context, workers)
        found, _ = run_search(search, runner, line)
        with writing(args.out / POINTS_FILE) as file:
            sweep.write_csv(store, file, search.study)
    _write_front(search, found, args.out)
    data = _as_data(search, found)
    write_text(args.out / DESCRIPTION_FILE, json.dumps(data, indent=1) + "\n")
    written = [POINTS_FILE, FRONT_FILE, DESCRIPTION_FILE, STORE_FILE]
    if not args.no_figures and found.front:
        figures = services.reports("explore").write_explore_figures(
            args.out / POINTS_FILE, data, args.out
        )
        written += [figure.name for figure in figures]
    print(f"wrote {', '.join(written)} to {args.out}", file=sys.stderr)
    if args.json:
        print(json.dumps({"front": data["front"], "points": data["points"]}, indent=1))
    else:
        _print_front(search, found)


def _write_front(search: Search, found: Found, folder: Path) -> None:
    with writing(folder / FRONT_FILE) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(search.sweep.columns())
        for at in found.front:
            writer.writerow(search.sweep.row(at, *found.points[at]))


def _as_data(search: Search, found: Found) -> dict[str, Any]:
    return {
        "schema": "simulator.exploration",
        "schema_version": 1,
        "method": "exhaustive" if search.is_exhaustive else "nsga2",
        "objectives": list(search.objectives),
        "constraints": [limit.text for limit in search.limits],
        "points": len(found.points),
        "distinct_points": len({outcome.key for _, outcome in found.points}),
        "space": search.sweep.design.n_points,
        "front": [
            {
                "choices": found.points[at][0],
                **{name: search.cost(name, *found.points[at]) for name in search.objectives},
            }
            for at in found.front
        ],
        "hypervolume": [list(step) for step in found.history],
        "sweep": search.sweep.description(),
    }


def _print_front(search: Search, found: Found) -> None:
    console = make_console()
    space = search.sweep.design.n_points
    how = "all" if search.is_exhaustive else f"{len(found.points):,} by NSGA-II"
    console.print(f"{how} of {space:,} points; {len(found.front):,} on the front")
    if not found.front:
        console.print("no point meets every constraint")
        return
    table = Table(box=None, pad_edge=False)
    for name in search.objectives:
        table.add_column(f"\n{name}", justify="right", no_wrap=True)
    varied = search.sweep.design.fields
    for field in varied:
        table.add_column(f"\n{field.rpartition('.')[2]}", justify="right")
    first = search.objectives[0]
    ordered = sorted(found.front, key=lambda at: search.cost(first, *found.points[at]))
    for at in ordered[:SHOWN]:
        choices = found.points[at][0]
        costs = [_shown(name, search.cost(name, *found.points[at])) for name in search.objectives]
        table.add_row(*costs, *(str(choices[field]) for field in varied))
    console.print(table)
    if len(found.front) > SHOWN:
        console.print(f"and {len(found.front) - SHOWN:,} more in {FRONT_FILE}")


def _shown(cost: str, value: float) -> str:
    if cost == "area":
        return f"{value:.3f} mm^2"
    if cost == ERROR:
        return f"{100 * value:.2f} %"
    if cost in ("reads", "weights"):
        return quantity(value, "B")
    return quantity(value / 1e12, "J" if cost == "energy" else "s")
