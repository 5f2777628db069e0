"""The figure of `study break_even`: what a guess gains, by how often it is right."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from reports import palette
from reports.sheet import HEADER_IN, MARGIN_IN, Sheet
from simulator.study.questions.question import Row, distinct, number, where

PANEL_IN = (2.05, 2.1)
LEFT_IN = 0.6
GAP_IN = 0.32
MEASURES = (
    ("latency_gain_percent", "latency gained (%)"),
    ("energy_gain_percent", "energy gained (%)"),
)
STYLES = ((palette.BLUE, "o"), (palette.VERMILION, "s"), (palette.GREEN, "D"))


def draw_break_even(rows: Sequence[Row]) -> Sheet:
    """Devices side by side, latency above energy, a line per time of the guess."""
    devices, guesses = distinct(rows, "device"), distinct(rows, "guess")
    across_in = len(devices) * PANEL_IN[0] + (len(devices) - 1) * GAP_IN
    sheet = Sheet(
        width_in=2 * MARGIN_IN + LEFT_IN + across_in + 0.1,
        height_in=HEADER_IN + 0.45 + 2 * PANEL_IN[1] + 0.25 + 1.0,
        headline="How often a guess must be right",
        caption="SigmaB ResNet-50, batch 1; one arm guessed per branch, fetched in idle DRAM time "
        "and called off if wrong; gains over fetching on demand\nabove zero it pays; dotted: how "
        "often the likeliest arm by leaf shares is right",
    )
    top_in = HEADER_IN + 0.45
    for line, (column, label) in enumerate(MEASURES):
        values = [number(row, column) for row in rows]
        margin = 0.07 * (max(values) - min(values) or 1)
        limits = min(values) - margin, max(values) + margin
        for at, device in enumerate(devices):
            left_in = MARGIN_IN + LEFT_IN + at * (PANEL_IN[0] + GAP_IN)
            here_in = top_in + line * (PANEL_IN[1] + 0.25)
            axes = sheet.axes(left_in, here_in, *PANEL_IN)
            mine = where(rows, device=device)
            _panel(axes, mine, guesses, column)
            axes.set_ylim(*limits)
            if at == 0:
                axes.set_ylabel(label)
            else:
                axes.tick_params(labelleft=False)
            if line == 0:
                axes.tick_params(labelbottom=False)
                title = f"{device}\n{mine[0]['regime']}"
                sheet.text(left_in, here_in - 0.4, title, size=8.5, weight="bold")
            else:
                axes.set_xlabel("guesses that are right (%)")
    handles = [
        Line2D([], [], color=tint, marker=shape, markersize=4.5, label=f"guessed {guess}")
        for guess, (tint, shape) in zip(guesses, STYLES, strict=False)
    ]
    sheet.legend(handles, MARGIN_IN + LEFT_IN, top_in + 2 * PANEL_IN[1] + 0.85, ncols=3)
    return sheet


def _panel(axes: Axes, rows: Sequence[Row], guesses: Sequence[str], column: str) -> None:
    for guess, (tint, shape) in zip(guesses, STYLES, strict=False):
        mine = where(rows, guess=guess)
        x = [100 * number(row, "accuracy_fraction") for row in mine]
        y = [number(row, column) for row in mine]
        axes.plot(x, y, color=tint, marker=shape, markersize=4, linewidth=1.4)
    axes.axhline(0, color=palette.BLACK, linewidth=0.9)
    prior = 100 * number(rows[0], "prior_accuracy_fraction")
    axes.axvline(prior, color=palette.DARK_GREY, linestyle=":", linewidth=1.2)
    axes.set_xticks([0, 50, 100])
    axes.grid()
