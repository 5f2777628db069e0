"""`inverse`: the smallest scratchpad, bandwidth or other number that meets a target."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simulator.cli.format import percent, quantity
from simulator.cli.output import check_folder, folder_path, make_folder
from simulator.cli.progress import ProgressLine
from simulator.cli.services import Services
from simulator.cli.study_options import (
    STORE_FILE,
    add_study_options,
    context_for,
    resumable,
    workers_for,
)
from simulator.errors import UserError
from simulator.result import StallKind
from simulator.spec_file import Override
from simulator.study.axis import ALIASES, Choices, GridAxis, parse_axis
from simulator.study.checks import checked_axes
from simulator.study.code_version import CODE_SHA256
from simulator.study.execute import Progress, Runner
from simulator.study.inverse import Answer, Range, find_smallest
from simulator.study.look_ahead import Point
from simulator.study.objective import COSTS, ERROR, Limit, check_area
from simulator.study.outcome import Outcome, Status
from simulator.study.store import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_study_options(parser)
    parser.add_argument(
        "--smallest",
        required=True,
        metavar="FIELD[=LOW:HIGH[:STEP]]",
        help="the number to make small, e.g. scratchpad.capacity_kib=64:16384:16 or dram.bandwidth",
    )
    parser.add_argument(
        "--target",
        action="append",
        required=True,
        metavar="LIMIT",
        help="what must be met, e.g. 'latency < 3ms' or 'energy < 2mJ'; repeatable",
    )
    parser.add_argument("--out", type=folder_path, metavar="DIR", help=f"keep {STORE_FILE} here")


def execute(args: argparse.Namespace, services: Services) -> None:
    """Find the smallest value and say what binds."""
    if args.out:
        check_folder(args.out)
    name, _, text = args.smallest.partition("=")
    values = Range.parse(text, ALIASES.get(name, name))
    if any(Override.parse(text).field == values.field for text in args.overrides):
        raise UserError(f"--set {values.field}: is what --smallest varies; leave --set out")
    fixed = _fixed(args.vary, values.field)
    limits = [Limit.parse(text, "--target") for text in args.target]
    context, origin = context_for(args, services)
    if len(context.workloads) > 1:
        raise UserError(f"--workload {args.workload}: inverse takes one workload")
    if any(limit.cost == ERROR for limit in limits):
        raise UserError("--target error: no number of the spec changes what a network gets wrong")
    check_area([limit.cost for limit in limits], context.spec)
    checked_axes(context, [GridAxis(values.field, (values.low, values.high)), *fixed])
    choices: Choices = {axis.field: axis.values[0] for axis in fixed}
    line = ProgressLine("inverse:")
    with (
        workers_for(args) as workers,
        _folder(args.out) as folder,
        Store(folder / STORE_FILE) as store,
        resumable(line, folder / STORE_FILE),
    ):
        print(f"spec: {origin}", file=sys.stderr)
        study = f"inverse {values.field} {choices} {context.digest} {CODE_SHA256}"
        runner = Runner(store, study, context, workers)

        def simulate(wanted: Sequence[int]) -> list[Outcome]:
            points: list[Point] = [
                (value, {**choices, values.field: value}) for value in sorted(wanted)
            ]
            runner.run(points, Progress(len(points)), line)
            rows = store.rows(runner.study, min(wanted, default=0), max(wanted, default=-1) + 1)
            found = {number: outcome for number, _, outcome in rows}
            return [found[value] for value in wanted]

        answer = find_smallest(values, limits, simulate)
    if args.json:
        print(json.dumps(_as_data(values, answer), indent=1))
    else:
        _print_answer(values, answer)


def _fixed(vary: Sequence[str], smallest: str) -> list[GridAxis]:
    """The choices that --vary makes for every point.

    Raises:
        UserError: more than one value, or of what --smallest varies.
    """
    fixed = []
    for axis in map(parse_axis, vary):
        if not isinstance(axis, GridAxis) or len(axis.values) > 1 or axis.field == smallest:
            raise UserError(
                f"--vary {axis.field}: inverse varies what --smallest names and nothing else; of "
                "another field give the one value that holds at every point"
            )
        fixed.append(axis)
    return fixed


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    """Where the store goes: the folder that was named, or one that does not stay."""
    if out is not None:
        make_folder(out)
        yield out
        return
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def _as_data(values: Range, answer: Answer) -> dict[str, Any]:
    return {
        "field": values.field,
        "smallest": answer.smallest,
        "step": values.step,
        "at": answer.at,
        "costs": _costs(answer.outcome),
        "binding": list(answer.binding),
        "proven": answer.proven,
        "rising": {cost: list(pair) for cost, pair in answer.rising.items()},
        "simulated": len(answer.simulated),
    }


def _costs(outcome: Outcome) -> dict[str, Any]:
    return {name: outcome.metric(metric) for name, metric in COSTS.items()}


def _print_answer(values: Range, answer: Answer) -> None:
    field, outcome = values.field, answer.outcome
    if answer.smallest is None:
        print(f"no value from {values.low} to {values.high} of {field} meets every target")
        if answer.outcome.status is Status.OK:
            print(f"nearest: {field}={answer.at}: {_figures(outcome)}")
    else:
        print(f"smallest {field}: {answer.smallest} (to a step of {values.step})")
        print(f"there: {_figures(outcome)}")
    where = "still fails" if answer.smallest is None else "binding, one step below"
    for reason in answer.binding or ("nothing: the range ends here",):
        print(f"{where}: {reason}")
    if outcome.status is Status.OK:
        print(f"most of its time: {_time_spent(outcome)}")
    count = len(answer.simulated)
    for cost, (low, high) in answer.rising.items():
        print(f"not monotone: {cost} rises from {low} to {high}")
    if answer.proven:
        print(f"verified: what binds never rises along the {count} values simulated")
    else:
        print(f"not proven: another value than the {count} simulated may meet the targets")


def _figures(outcome: Outcome) -> str:
    latency_s = float(outcome.metric("latency_mean_ps") or 0) / 1e12
    energy_j = float(outcome.metric("energy_pj") or 0) / 1e12
    return f"{quantity(latency_s, 's')}, {quantity(energy_j, 'J')}"


def _time_spent(outcome: Outcome) -> str:
    """Compute or the stall that takes most of the latency, with its share."""
    parts = {"compute": float(outcome.metric("compute_ps") or 0)}
    parts |= {
        kind.value.replace("_", " "): float(outcome.metric(f"{kind.value}_ps") or 0)
        for kind in StallKind
    }
    name = max(parts, key=lambda part: parts[part])
    return f"{name}, {percent(parts[name], sum(parts.values()))}"
