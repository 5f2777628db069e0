"""The figure of `study waterfall`: a chart per device and measure, steps from top to bottom."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from reports import palette
from reports.sheet import CHARACTER_WIDTH_IN, HEADER_IN, LABEL_PT, MARGIN_IN, Sheet
from simulator.study.questions.question import Row, distinct, number, where
from simulator.study.questions.waterfall import ANALYTIC, DELIVERED, ENERGY, LATENCY

ROW_IN = 0.26
PANEL_IN = 2.6
GAP_IN = 0.25
TITLE_IN = 0.35
AXIS_IN = 0.55
LOSS, GAIN, TOTAL = palette.VERMILION, palette.GREEN, palette.BLUE


def draw_waterfall(rows: Sequence[Row]) -> Sheet:
    """Devices side by side, latency above energy; losses and gains between two totals."""
    devices = distinct(rows, "device")
    steps = {
        measure: [s for s in distinct(where(rows, measure=measure), "step") if s != DELIVERED]
        + [DELIVERED]
        for measure in (LATENCY, ENERGY)
    }
    names_in = CHARACTER_WIDTH_IN * max(len(s) for each in steps.values() for s in each) + 0.15
    heights = {measure: ROW_IN * len(each) for measure, each in steps.items()}
    sheet = Sheet(
        width_in=2 * MARGIN_IN + names_in + len(devices) * (PANEL_IN + GAP_IN),
        height_in=HEADER_IN + sum(heights.values()) + 2 * (TITLE_IN + AXIS_IN) + 0.35,
        headline="Where the analytic saving goes",
        caption="SigmaB ResNet-50 against dense ResNet-50 with prefetch; every step takes one more "
        "thing into account\npoints of saving; the steps sum to the delivered saving exactly",
    )
    top_in = HEADER_IN
    for measure, names in steps.items():
        top_in += TITLE_IN
        for at, device in enumerate(devices):
            mine = where(rows, device=device, measure=measure)
            left_in = MARGIN_IN + names_in + at * (PANEL_IN + GAP_IN)
            axes = sheet.axes(left_in, top_in, PANEL_IN, heights[measure])
            _chart(axes, mine, names)
            axes.set_yticks(range(len(names)), names if at == 0 else [])
            axes.set_xlabel(f"{measure} saved (%)")
            title = f"{device}: {mine[0]['regime']}"
            sheet.text(left_in, top_in - 0.22, title, size=9, weight="bold")
        top_in += heights[measure] + AXIS_IN
    handles = [
        Patch(color=TOTAL, label="saving"),
        Patch(color=LOSS, label="lost"),
        Patch(color=GAIN, label="gained"),
    ]
    sheet.legend(handles, MARGIN_IN + names_in, top_in + 0.05, ncols=3)
    return sheet


def _chart(axes: Axes, rows: Sequence[Row], names: Sequence[str]) -> None:
    before = 0.0
    for row in rows:
        y = names.index(str(row["step"]))
        after, change = number(row, "saving_percent"), number(row, "change_points")
        if row["step"] in (ANALYTIC, DELIVERED):
            axes.barh(y, after, 0.7, color=TOTAL)
            text, end = f"{after:.1f}", max(after, 0.0)
        else:
            axes.barh(y, change, 0.7, left=before, color=GAIN if change > 0 else LOSS)
            text, end = f"{change:+.1f}", max(before, after)
        axes.annotate(
            "0" if text in ("+0.0", "-0.0") else text.replace("-", "−"),
            (end, y),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            size=LABEL_PT,
        )
        before = after
    stages = [number(row, "saving_percent") for row in rows]
    axes.set_xlim(min(0.0, min(stages) * 1.1), max(stages) * 1.22)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.axvline(0, color=palette.BLACK, linewidth=0.8)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
