"""The figure of `study shapes`: what each tree delivers, between what it promises and nothing."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from reports import palette
from reports.sheet import CHARACTER_WIDTH_IN, HEADER_IN, MARGIN_IN, Sheet
from reports.studies.policy_style import colour, mark
from simulator.study.questions.question import Row, distinct, number, where

ROW_IN = 0.5
SPREAD = 0.12
"""Of a row: how far the marks of policies stand apart, which else lie on each other."""
PANEL_IN = 3.3
GAP_IN = 0.3
MEASURES = (
    ("latency_saving_percent", "latency saved (%)"),
    ("energy_saving_percent", "energy saved (%)"),
)


def draw_shapes(rows: Sequence[Row]) -> Sheet:
    """Devices below each other, latency beside energy, a row per tree, a mark per policy."""
    feasible = where(rows, reason="")
    devices, policies = distinct(feasible, "device"), distinct(feasible, "policy")
    shapes = distinct(feasible, "shape")
    names_in = CHARACTER_WIDTH_IN * max(map(len, shapes)) + 0.2
    height_in = ROW_IN * len(shapes)
    sheet = Sheet(
        width_in=2 * MARGIN_IN + names_in + 2 * PANEL_IN + GAP_IN,
        height_in=HEADER_IN + len(devices) * (height_in + 0.85) + 0.6,
        headline="Other trees on the same axes",
        caption="each tree against the dense network it came from, batch 1\n"
        "grey bars: fewer active parameters, what the tree promises",
    )
    for line, device in enumerate(devices):
        mine = where(feasible, device=device)
        top_in = HEADER_IN + 0.25 + line * (height_in + 0.85)
        sheet.text(MARGIN_IN + names_in, top_in - 0.23, device, size=9.5, weight="bold")
        for at, (column, label) in enumerate(MEASURES):
            left_in = MARGIN_IN + names_in + at * (PANEL_IN + GAP_IN)
            axes = sheet.axes(left_in, top_in, PANEL_IN, height_in)
            _panel(axes, mine, shapes, column)
            axes.set_yticks(range(len(shapes)), shapes if at == 0 else [])
            axes.set_xlabel(label)
    handles = [
        Line2D([], [], color=colour(p), marker=mark(p), linestyle="", markersize=6, label=p)
        for p in policies
    ]
    legend_in = HEADER_IN + 0.1 + len(devices) * (height_in + 0.85)
    sheet.legend(handles, MARGIN_IN + names_in, legend_in, ncols=4)
    return sheet


def _panel(axes: Axes, rows: Sequence[Row], shapes: Sequence[str], column: str) -> None:
    for y, shape in enumerate(shapes):
        mine = where(rows, shape=shape)
        if not mine:
            continue
        promised = number(mine[0], "active_parameter_saving_percent")
        axes.barh(y, promised, 0.74, color="#E4E4E4")
        named = [row for row in mine if mark(str(row["policy"])) != "|"]
        for row in mine:
            policy = str(row["policy"])
            is_bar = row not in named
            apart = 0.0 if is_bar else SPREAD * (named.index(row) - (len(named) - 1) / 2)
            axes.plot(
                number(row, column),
                y + apart,
                mark(policy),
                color=colour(policy),
                markersize=24 if is_bar else 5,
                markeredgewidth=1.2 if is_bar else 0,
                zorder=2 if is_bar else 3,
                alpha=0.9,
            )
    axes.axvline(0, color=palette.BLACK, linewidth=0.8)
    axes.set_ylim(len(shapes) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
