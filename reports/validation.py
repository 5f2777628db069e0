"""Predicted against published numbers of one validation case, with the band they must stay in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from reports import palette
from reports.files import write_whole
from reports.sheet import HEADER_IN, MARGIN_IN, Sheet, png_bytes
from simulator.validate.case import Outcome, Row, is_broken

PLOT_IN = 3.6
GAP_IN = 1.0
WIDE_RANGE = 100.0
"""From this ratio of the largest to the smallest number on, an axis is labelled by decades."""
HEADLINE_CHARACTERS = 100


def write_validation_figures(outcomes: Sequence[Outcome], folder: Path) -> list[Path]:
    """One figure per case into an existing folder; returns the files written.

    Raises:
        UserError: the folder cannot be written.
    """
    files = {
        folder / f"validate_{outcome.case.name}.png": png_bytes(partial(draw_case, outcome))
        for outcome in outcomes
    }
    for path, data in files.items():
        write_whole(path, data)
    return list(files)


def draw_case(outcome: Outcome) -> Sheet:
    """One panel per quantity: each point a published number, on the diagonal if met exactly."""
    panels: dict[tuple[str, str], list[Row]] = {}
    for row in outcome.rows:
        panels.setdefault((row.quantity, row.unit), []).append(row)
    gated = sum(outcome.band_of(row).limit_fraction is not None for row in outcome.rows)
    sheet = Sheet(
        width_in=max(7.0, MARGIN_IN + GAP_IN + len(panels) * (PLOT_IN + GAP_IN)),
        height_in=HEADER_IN + PLOT_IN + 1.1,
        headline=outcome.case.title[:HEADLINE_CHARACTERS],
        caption=f"{outcome.case.name}: {_verdict(gated, len(outcome.broken()))}",
    )
    for index, ((quantity, unit), rows) in enumerate(panels.items()):
        left_in = MARGIN_IN + 0.75 + index * (PLOT_IN + GAP_IN)
        _draw_panel(sheet, left_in, f"{quantity} ({unit})" if unit else quantity, outcome, rows)
    sheet.legend(_legend(), MARGIN_IN + 0.75, HEADER_IN + PLOT_IN + 0.65, ncols=4)
    return sheet


def _verdict(gated: int, broken: int) -> str:
    if not gated:
        return "shown without a band"
    return f"{gated - broken} of {gated} predictions within their band"


def _draw_panel(
    sheet: Sheet, left_in: float, label: str, outcome: Outcome, rows: Sequence[Row]
) -> None:
    axes = sheet.axes(left_in, HEADER_IN, PLOT_IN, PLOT_IN)
    values = [value for row in rows for value in (row.reference, row.predicted) if value > 0]
    low, high = min(values, default=1.0) / 1.5, max(values, default=1.0) * 1.5
    limits = [outcome.band_of(row).limit_fraction for row in rows]
    widest = max((limit for limit in limits if limit is not None), default=0.0)
    ends = [low, high]
    if widest:
        axes.fill_between(
            ends,
            [end * (1 - widest) for end in ends],
            [end * (1 + widest) for end in ends],
            color=palette.PALE_GREY,
        )
    axes.plot(ends, ends, color=palette.GREY, linewidth=0.8)
    for row in rows:
        colour, marker = _style(outcome, row)
        axes.plot(row.reference, row.predicted, marker, color=colour, markersize=4.5, alpha=0.85)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    subs = (1.0,) if high / low > WIDE_RANGE else (1.0, 2.0, 5.0)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=subs))
        axis.set_major_formatter(FuncFormatter(_tick))
        axis.set_minor_formatter(NullFormatter())
    axes.grid(True)
    axes.set_xlabel(f"published {label}")
    axes.set_ylabel(f"predicted {label}")


def _tick(value: float, _: int | None = None) -> str:
    for scale, letter in ((1e6, "M"), (1e3, "k")):
        if value >= scale:
            return f"{value / scale:g}{letter}"
    return f"{value:g}"


def _style(outcome: Outcome, row: Row) -> tuple[str, str]:
    band = outcome.band_of(row)
    if band.limit_fraction is None:
        return palette.GREY, "^"
    return (palette.VERMILION, "x") if is_broken(row, band) else (palette.BLUE, "o")


def _legend() -> list[Line2D]:
    return [
        Line2D([], [], color=palette.BLUE, marker="o", linestyle="none", label="within its band"),
        Line2D([], [], color=palette.VERMILION, marker="x", linestyle="none", label="outside"),
        Line2D([], [], color=palette.GREY, marker="^", linestyle="none", label="shown only"),
        Line2D([], [], color=palette.GREY, label="equal (grey: the widest band)"),
    ]
