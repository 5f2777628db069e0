"""`sweep --bounds`: every point bracketed instead of simulated, and the best of them written."""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from simulator.cli.format import quantity
from simulator.cli.interrupt import goes_on
from simulator.cli.output import make_folder, writing
from simulator.cli.progress import ProgressLine, StepLine
from simulator.cli.study_options import check_workers
from simulator.errors import UserError
from simulator.study.bounded import BoundedDesign, Bounds
from simulator.study.screen import Screen
from simulator.study.screens import screens_for
from simulator.study.sweep import Sweep

BOUNDS_FILE, TABLES_FOLDER = "bounds.csv", "tables"
USUAL_BEST, MOST_BEST = 1000, 1_000_000


def add_bounds_options(parser: argparse.ArgumentParser) -> None:
    """Declare what turns a sweep into brackets."""
    parser.add_argument(
        "--bounds",
        action="store_true",
        help="bracket the mean latency of every point instead, up to millions of them, and write "
        f"those that may be the fastest to {BOUNDS_FILE}",
    )
    parser.add_argument(
        "--best",
        type=int,
        metavar="N",
        help=f"points that --bounds writes at most (default {USUAL_BEST})",
    )


def write_bounds(args: argparse.Namespace, sweep: Sweep) -> None:
    """Bracket all points, write those that may be the fastest, and sum up.

    Raises:
        UserError: something that has no brackets.
    """
    best = USUAL_BEST if args.best is None else args.best
    if not 1 <= best <= MOST_BEST:
        raise UserError(f"--best {best}: must be from 1 to {MOST_BEST}")
    if args.cluster:
        raise UserError("--cluster: not with --bounds, which takes processes of this machine")
    check_workers(args.workers)
    began_s = _cpu_s()
    design = BoundedDesign(sweep.context, sweep.design)
    folder = args.out / TABLES_FOLDER
    make_folder(folder)
    screens, made = _screens(design, folder, args.workers)
    line = ProgressLine("bounds:")
    with goes_on(lambda: f"all tables are kept in {folder}; the same command goes on from there"):
        try:
            found = design.run(screens, best, line)
        finally:
            line.close()
    cpu_s = _cpu_s() - began_s
    with writing(args.out / BOUNDS_FILE) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["number", *sweep.design.fields, "lower_ps", "upper_ps"])
        for point in found.best:
            values = point.choices.values()
            writer.writerow([point.number, *values, point.lower_ps, point.upper_ps])
    print(f"wrote {BOUNDS_FILE} to {args.out}", file=sys.stderr)
    if args.json:
        summary = asdict(found) | {"best": len(found.best), "cpu_s": round(cpu_s, 3)}
        summary |= {"tables": len(screens), "tables_made": made}
        print(json.dumps(summary, indent=1))
    else:
        known = f", {len(screens) - made:,} known before" if made < len(screens) else ""
        print(f"{len(screens):,} table{'s' * (len(screens) != 1)}{known}")
        _print_summary(found, cpu_s)


def _screens(design: BoundedDesign, folder: Path, workers: int) -> tuple[dict[int, Screen], int]:
    """The screens of a design, and how many of them had to be made."""
    total = len(design.tasks)

    def how() -> str:
        kept = total - (line.total - line.done)
        return (
            f"{kept:,} of {total:,} tables are kept in {folder}; the same command goes on from "
            "there"
        )

    with StepLine("bounds:", total, "tables") as line, goes_on(how):
        made = screens_for(list(design.tasks.values()), folder, workers, line)
        return dict(zip(design.tasks, made, strict=True)), line.total


def _cpu_s() -> float:
    """Of this process and of those that it has ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _print_summary(found: Bounds, cpu_s: float) -> None:
    median, largest = found.median_width_fraction, found.largest_width_fraction
    print(
        f"{found.points:,} points bracketed in {cpu_s:.1f} CPU s, {found.infeasible:,} infeasible; "
        f"width median {100 * median:.2f} %, largest {100 * largest:.2f} %"
    )
    if found.least_upper_ps is not None:
        print(
            f"the fastest takes no more than {quantity(found.least_upper_ps / 1e12, 's')}; "
            f"{found.contenders:,} points may be the fastest, {len(found.best):,} written"
        )
