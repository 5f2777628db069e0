"""`validate`: predictions against published measurements, vendors' models and peers."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from functools import partial

from simulator.cli.output import check_folder, folder_path, make_folder, write_text
from simulator.cli.progress import StepLine
from simulator.cli.resolve import resolve_spec
from simulator.cli.services import Services
from simulator.errors import UserError
from simulator.spec import AcceleratorSpec
from simulator.spec_file import Override
from simulator.validate.case import BrokenBandError, Case, Outcome, is_broken, run_case
from simulator.validate.cases import CASES
from simulator.validation import nearest

COLUMNS = ("case", "row", "quantity", "unit", "reference", "predicted", "error_fraction", "band")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--case", action="append", metavar="NAME", help="run this case only; repeatable"
    )
    parser.add_argument("--list", action="store_true", help="name the cases and run none")
    parser.add_argument("--rows", action="store_true", help="print every row of long cases too")
    parser.add_argument(
        "--out",
        type=folder_path,
        metavar="DIR",
        help="write validation.csv and a figure per case here",
    )


def execute(args: argparse.Namespace, services: Services) -> None:
    """Run the cases, print and write them.

    Raises:
        BrokenBandError: a prediction left its band; exit code 1.
    """
    from simulator.cli.validate_table import print_cases, print_outcome, print_summary

    cases = chosen_cases(args.case)
    if args.list:
        print_cases(cases)
        return
    if args.out:
        check_folder(args.out)
    load = partial(_load_spec, services)
    outcomes = []
    with StepLine("validate:", len(cases)) as line:
        for case in cases:
            line.begin(case.name)
            outcomes.append(run_case(case, load))
            line.clear()
            print_outcome(outcomes[-1], args.rows)
            line.advance()
    print_summary(outcomes)
    if args.out:
        make_folder(args.out)
        write_text(args.out / "validation.csv", outcomes_to_csv(outcomes))
        figures = services.reports("figures").write_validation_figures(outcomes, args.out)
        names = ", ".join(["validation.csv", *(path.name for path in figures)])
        print(f"wrote {names} to {args.out}", file=sys.stderr)
    broken = [outcome for outcome in outcomes if outcome.broken()]
    if broken:
        listed = ", ".join(
            f"{outcome.case.name} ({len(outcome.broken())} of {len(outcome.rows)})"
            for outcome in broken
        )
        raise BrokenBandError(f"predictions outside their stated band: {listed}")


def chosen_cases(names: Sequence[str] | None) -> list[Case]:
    """The named cases in their own order, all of them if none is named.

    Raises:
        UserError: no case has that name.
    """
    known = {case.name: case for case in CASES}
    for name in names or ():
        if name not in known:
            raise UserError(
                f"--case {name}: no such case{nearest(name, list(known))}; "
                f"cases: {', '.join(known)}"
            )
    return [case for case in CASES if names is None or case.name in names]


def outcomes_to_csv(outcomes: Sequence[Outcome]) -> str:
    """Every row of every case."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*COLUMNS, "limit_fraction", "within"])
    for outcome in outcomes:
        for row in outcome.rows:
            band = outcome.band_of(row)
            values = (row.reference, row.predicted, row.error_fraction)
            writer.writerow(
                [
                    outcome.case.name,
                    row.name,
                    row.quantity,
                    row.unit,
                    *(f"{value:.12g}" for value in values),
                    band.name,
                    "" if band.limit_fraction is None else band.limit_fraction,
                    "" if band.limit_fraction is None else not is_broken(row, band),
                ]
            )
    return out.getvalue()


def _load_spec(services: Services, name: str, overrides: Sequence[Override]) -> AcceleratorSpec:
    return resolve_spec(str(services.specs_dir / f"{name}.yaml"), overrides, services)[0]
