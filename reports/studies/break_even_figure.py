"""The figure of `study break_even`: what a guess gains, by how often it is right."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.lines import Line2D

from reports import palette
from reports.sheet import HEADER_IN, LABEL_PT, MARGIN_IN, Sheet
from simulator.study.questions.question import Row, distinct, number, where

PANEL_IN = (3.5, 3.0)
GAP_IN = 0.75
MEASURES = (
    ("latency_gain_percent", "latency gained over fetching on demand (%)"),
    ("energy_gain_percent", "energy gained over fetching on demand (%)"),
)
_MARKS = ("o", "s", "D", "^", "v", "P", "X")


def draw_break_even(rows: Sequence[Row]) -> Sheet:
    """A line per device; speculation pays above zero; the dotted line is the prior's accuracy."""
    devices = distinct(rows, "device")
    sheet = Sheet(
        width_in=2 * MARGIN_IN + 0.5 + 2 * PANEL_IN[0] + GAP_IN + 2.5,
        height_in=HEADER_IN + 0.1 + PANEL_IN[1] + 0.65,
        headline="How often a guess must be right",
        caption="SigmaB ResNet-50, batch 1; one arm guessed per branch, fetched in idle DRAM time "
        "and called off if wrong\nabove zero it pays; dotted: how often the likeliest arm by leaf "
        "shares is right",
    )
    prior = number(rows[0], "prior_accuracy_fraction")
    for at, (column, label) in enumerate(MEASURES):
        left_in = MARGIN_IN + 0.5 + at * (PANEL_IN[0] + GAP_IN)
        axes = sheet.axes(left_in, HEADER_IN + 0.1, *PANEL_IN)
        for nth, device in enumerate(devices):
            mine = where(rows, device=device)
            x = [100 * number(row, "accuracy_fraction") for row in mine]
            axes.plot(
                x,
                [number(row, column) for row in mine],
                color=palette.SERIES[nth],
                marker=_MARKS[nth],
                markersize=4.5,
                linewidth=1.4,
            )
        axes.axhline(0, color=palette.BLACK, linewidth=0.9)
        axes.axvline(100 * prior, color=palette.DARK_GREY, linestyle=":", linewidth=1.2)
        axes.set_xlabel("guesses that are right (%)")
        axes.set_ylabel(label)
        axes.tick_params(labelsize=LABEL_PT)
        axes.grid()
    handles = [
        Line2D(
            [],
            [],
            color=palette.SERIES[nth],
            marker=_MARKS[nth],
            markersize=4.5,
            label=f"{device}\n{where(rows, device=device)[0]['regime']}",
        )
        for nth, device in enumerate(devices)
    ]
    list_in = MARGIN_IN + 0.5 + 2 * PANEL_IN[0] + GAP_IN + 0.25
    sheet.legend(handles, list_in, HEADER_IN + 0.15, labelspacing=0.9)
    return sheet
