"""Validation cases as text: what is compared, every error, and what the model leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from simulator.cli.format import make_console
from simulator.validate.case import Band, Case, Outcome, Row, is_broken

LONG_CASE_ROWS = 60


def print_cases(cases: Sequence[Case]) -> None:
    """Name and title of every case."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for case in cases:
        table.add_row(case.name, escape(case.title))
    make_console().print(table)


def print_outcome(outcome: Outcome, all_rows: bool) -> None:
    """One case in full; of a long one only the rows with the largest errors, unless asked."""
    console = make_console()
    case = outcome.case
    console.print(f"\n[bold]{case.name}[/]: {escape(case.title)}", soft_wrap=True)
    for label, text in (
        ("device", case.device),
        ("source", case.source),
        ("fitted", case.fitted),
        *(("leaves out", text) for text in case.leaves_out),
    ):
        console.print(f"  {label}: {escape(text)}", soft_wrap=True)
    rows = outcome.rows
    if len(rows) > LONG_CASE_ROWS and not all_rows:
        rows = _worst(outcome, LONG_CASE_ROWS // 2)
        console.print(
            f"  the {len(rows)} rows of {len(outcome.rows)} with the largest errors "
            "(--rows prints all)"
        )
    console.print(_table(outcome, rows))
    for band in case.bands:
        _print_band(console, outcome, band)


def print_summary(outcomes: Sequence[Outcome]) -> None:
    """One line per case."""
    table = Table(box=None, pad_edge=False)
    for column in ("\ncase", "\nrows", "\noutside", "\nmedian |error|", "\nlargest |error|"):
        table.add_column(column, justify="left" if column == "\ncase" else "right")
    for outcome in outcomes:
        gated = [r for r in outcome.rows if outcome.band_of(r).limit_fraction is not None]
        errors = [abs(row.error_fraction) for row in gated]
        table.add_row(
            outcome.case.name,
            str(len(gated)),
            str(len(outcome.broken())),
            f"{100 * median(errors):.2f} %" if errors else "-",
            f"{100 * max(errors):.2f} %" if errors else "-",
        )
    make_console().print(table)


def _worst(outcome: Outcome, count: int) -> tuple[Row, ...]:
    ranked = sorted(outcome.rows, key=lambda row: -abs(row.error_fraction))
    worst = {id(row) for row in ranked[:count]}
    return tuple(row for row in outcome.rows if id(row) in worst)


def _table(outcome: Outcome, rows: Sequence[Row]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    table.add_column("  row")
    table.add_column("quantity")
    for column in ("reference", "predicted", "error", "band"):
        table.add_column(column, justify="right")
    for row in rows:
        band = outcome.band_of(row)
        verdict = "outside" if is_broken(row, band) else ""
        table.add_row(
            f"  {escape(row.name)}",
            f"{row.quantity}{f', {row.unit}' if row.unit else ''}",
            f"{row.reference:,.7g}",
            f"{row.predicted:,.7g}",
            f"{100 * row.error_fraction:+.2f} %",
            f"{_limit(band)} {verdict}".strip(),
        )
    return table


def _limit(band: Band) -> str:
    if band.limit_fraction is None:
        return "shown only"
    return f"±{100 * band.limit_fraction:g} %" if band.limit_fraction else "exact"


def _print_band(console: Console, outcome: Outcome, band: Band) -> None:
    rows = [row for row in outcome.rows if row.band == band.name]
    if not rows:
        return
    outside = sum(is_broken(row, band) for row in rows)
    errors = [abs(row.error_fraction) for row in rows]
    met_text = f"{len(rows) - outside} of {len(rows)} within"
    if band.limit_fraction is None:
        met_text = f"{len(rows)} rows"
    target = ""
    if band.target_fraction is not None:
        met = sum(error <= band.target_fraction for error in errors)
        target = f"; target ±{100 * band.target_fraction:g} %, met by {met}"
    console.print(
        f"  {band.name} ({_limit(band)}): {met_text}, largest "
        f"{100 * max(errors):.2f} %{target}; {escape(band.reason)}",
        soft_wrap=True,
    )
