"""The figure of `study layout`: latency, energy and row hits of every layout, device by device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from reports import palette
from reports.sheet import CHARACTER_WIDTH_IN, HEADER_IN, MARGIN_IN, Sheet
from simulator.study.questions.layout import BASE
from simulator.study.questions.question import Row, distinct, number, where

ROW_IN = 0.24
PANEL_IN = 2.75
GAP_IN = 0.3
TITLE_IN = 0.32
MEASURES = (
    ("latency_ms", "latency against the first (%)"),
    ("energy_mj", "energy against the first (%)"),
    ("row_hit_percent", "bursts that hit an open row (%)"),
)
STYLES: dict[tuple[str, str], tuple[str, str, Any]] = {
    ("on_demand", "row"): (palette.BLUE, "o", "full"),
    ("on_demand", "burst"): (palette.BLUE, "o", "none"),
    ("both_siblings", "row"): (palette.VERMILION, "D", "full"),
    ("both_siblings", "burst"): (palette.VERMILION, "D", "none"),
}
"""Colour and mark say the policy; hollow marks are layers that begin at any burst."""


def draw_layout(rows: Sequence[Row]) -> Sheet:
    """A line per layout; changes are against layer_major, aligned to rows, of the same policy."""
    feasible = where(rows, reason="")
    devices, layouts = distinct(feasible, "device"), distinct(feasible, "layout")
    names_in = CHARACTER_WIDTH_IN * max(map(len, layouts)) + 0.2
    height_in = ROW_IN * len(layouts)
    sheet = Sheet(
        width_in=2 * MARGIN_IN + names_in + len(MEASURES) * (PANEL_IN + GAP_IN),
        height_in=HEADER_IN + len(devices) * (height_in + TITLE_IN + 0.3) + 0.85,
        headline="What the order of the weights in DRAM is worth",
        caption="SigmaB ResNet-50; changes are against layer_major aligned to rows, under the same "
        "policy\nevery transfer is charged by its own extent in banks and rows",
    )
    top_in = HEADER_IN
    for line, device in enumerate(devices):
        mine = where(feasible, device=device)
        top_in += TITLE_IN
        title = f"{device}: {mine[0]['regime']}"
        sheet.text(MARGIN_IN + names_in, top_in - 0.22, title, size=9, weight="bold")
        for at, (column, label) in enumerate(MEASURES):
            left_in = MARGIN_IN + names_in + at * (PANEL_IN + GAP_IN)
            axes = sheet.axes(left_in, top_in, PANEL_IN, height_in)
            _panel(axes, mine, layouts, column)
            axes.set_yticks(range(len(layouts)), layouts if at == 0 else [])
            if line == len(devices) - 1:
                axes.set_xlabel(label)
        top_in += height_in + 0.3
    handles = [
        Line2D(
            [],
            [],
            color=tint,
            marker=shape,
            fillstyle=fill,
            linestyle="",
            markersize=6,
            label=f"{policy}, layers begin at a {alignment}",
        )
        for (policy, alignment), (tint, shape, fill) in STYLES.items()
        if where(feasible, policy=policy, alignment=alignment)
    ]
    sheet.legend(handles, MARGIN_IN + names_in, top_in + 0.35, ncols=2)
    return sheet


def _panel(axes: Axes, rows: Sequence[Row], layouts: Sequence[str], column: str) -> None:
    for (policy, alignment), (tint, shape, fill) in STYLES.items():
        mine = where(rows, policy=policy, alignment=alignment)
        base = where(rows, policy=policy, layout=BASE[0], alignment=BASE[1])
        if not mine or not base:
            continue
        for row in mine:
            value = number(row, column)
            if not column.endswith("_percent"):
                value = 100 * (value / number(base[0], column) - 1)
            y = layouts.index(str(row["layout"]))
            axes.plot(value, y, shape, color=tint, fillstyle=fill, markersize=5.5)
    if not column.endswith("_percent"):
        axes.axvline(0, color=palette.BLACK, linewidth=0.8, zorder=0)
        low, high = axes.get_xlim()
        axes.set_xlim(min(low, -0.1), max(high, 0.1))
    axes.set_ylim(len(layouts) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
