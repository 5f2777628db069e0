"""`sweep --bounds`: every point bracketed instead of simulated, and the best of them written."""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from dataclasses import asdict

from simulator.cli.format import quantity
from simulator.cli.output import make_folder, writing
from simulator.cli.progress import ProgressLine
from simulator.errors import UserError
from simulator.study.bounded import BoundedDesign, Bounds
from simulator.study.sweep import Sweep

BOUNDS_FILE = "bounds.csv"
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
        raise UserError("--cluster: not with --bounds, which takes one process")
    began_s = time.process_time()
    line = ProgressLine("bounds:")
    try:
        found = BoundedDesign(sweep.context, sweep.design).run(best, line)
    finally:
        line.close()
    cpu_s = time.process_time() - began_s
    make_folder(args.out)
    with writing(args.out / BOUNDS_FILE) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["number", *sweep.design.fields, "lower_ps", "upper_ps"])
        for point in found.best:
            values = point.choices.values()
            writer.writerow([point.number, *values, point.lower_ps, point.upper_ps])
    print(f"wrote {BOUNDS_FILE} to {args.out}", file=sys.stderr)
    if args.json:
        summary = asdict(found) | {"best": len(found.best), "cpu_s": round(cpu_s, 3)}
        print(json.dumps(summary, indent=1))
    else:
        _print_summary(found, cpu_s)


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
