"""The figure of residency-aware routing: accuracy against the weights read, margin by margin."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from reports import palette, wording
from reports.residency_caption import caption_of
from reports.sheet import HEADER_IN, LABEL_PT, MARGIN_IN, Sheet
from simulator.runtime.comparison import StreamComparison
from simulator.runtime.residency import ONLINE, ResidencyPolicy
from simulator.runtime.stream_result import StreamResult

COLOURS = dict(
    zip(ONLINE, (palette.BLUE, palette.GREEN, palette.PURPLE, palette.ORANGE), strict=True)
)
WIDTH_IN, HEIGHT_IN = 6.2, 3.6
LEAST_SHOWN_FRACTION = 0.06
"""Accuracies further than this below the best are cut off: wide margins give the tree up."""

Way = tuple[ResidencyPolicy, bool]


def draw_pareto(comparison: StreamComparison) -> Sheet:
    """One line per way of keeping weights, its margins from right to left; a star is efficient."""
    sheet = Sheet(
        width_in=WIDTH_IN + 3.9,
        height_in=HEADER_IN + HEIGHT_IN + 0.8,
        headline="Taking the resident arm: accuracy against weights read",
        caption=caption_of(comparison),
    )
    axes = sheet.axes(MARGIN_IN + 0.7, HEADER_IN + 0.15, WIDTH_IN, HEIGHT_IN)
    runs: dict[Way, list[StreamResult]] = {}
    for run in comparison.margins:
        runs.setdefault((run.residency.policy, run.residency.standin), []).append(run)
    scale = wording.byte_scale(max(run.mean("weight_read_bytes") for run in comparison.margins))
    for (policy, standin), mine in runs.items():
        axes.plot(
            [scale.of(run.mean("weight_read_bytes")) for run in mine],
            [100 * run.mean("right") for run in mine],
            color=COLOURS[policy],
            linestyle="--" if standin else "-",
            marker="o",
            markersize=3.5,
            linewidth=1.3,
        )
    for run, best in zip(comparison.margins, comparison.efficient_margins, strict=True):
        if best:
            _mark(axes, run, scale)
    accuracies = [100 * run.mean("right") for run in comparison.margins]
    low = max(min(accuracies), max(accuracies) - 100 * LEAST_SHOWN_FRACTION)
    axes.set_ylim(low - 0.4, max(accuracies) + 0.6)
    axes.set_xlim(left=0)
    axes.set_xlabel(f"weights read per inference ({scale.unit})")
    axes.set_ylabel("accuracy (%)")
    axes.grid()
    sheet.legend(_handles(runs), MARGIN_IN + 0.9 + WIDTH_IN, HEADER_IN + 0.2)
    return sheet


def _mark(axes: Axes, run: StreamResult, scale: wording.Scale) -> None:
    x, y = scale.of(run.mean("weight_read_bytes")), 100 * run.mean("right")
    axes.plot(x, y, marker="*", markersize=11, color=palette.BLACK, clip_on=True, zorder=4)
    axes.annotate(
        f"{run.margin:g}",
        (x, y),
        xytext=(0, 8),
        textcoords="offset points",
        ha="center",
        size=LABEL_PT,
        annotation_clip=True,
    )


def _handles(runs: dict[Way, list[StreamResult]]) -> list[Line2D]:
    handles = [
        Line2D(
            [],
            [],
            color=COLOURS[policy],
            linestyle="--" if standin else "-",
            label=policy.replace("_", " ") + (", high bits stand in" if standin else ""),
        )
        for policy, standin in runs
    ]
    star = Line2D([], [], color=palette.BLACK, marker="*", linestyle="", markersize=9)
    star.set_label("none better in both, with its margin")
    return [*handles, star]
