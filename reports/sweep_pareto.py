"""The figure `pareto.png`: every point's latency against its energy and area, fronts drawn."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from reports import palette, wording
from reports.sheet import HEADER_IN, MARGIN_IN, Sheet
from reports.sweep_frame import AREA, ENERGY, LATENCY, SweepFrame, few_log_ticks
from simulator.study.pareto import front

PANEL_IN = (4.2, 3.4)
GAP_IN = 0.85
MOST_WORKLOADS = 8


def draw_pareto(sweep: SweepFrame) -> Sheet | None:
    """Latency against energy and, if known and varied, area; None for a single point."""
    if len(sweep.feasible) < 2:
        return None
    costs = [ENERGY]
    if sweep.feasible[AREA].nunique() > 1:
        costs.append(AREA)
    workloads = list(dict.fromkeys(sweep.feasible["workload"]))[:MOST_WORKLOADS]
    handles = [
        Line2D([], [], color=palette.SERIES[at], marker="o", label=wording.clip(name, 40))
        for at, name in enumerate(workloads)
    ]
    sheet = Sheet(
        width_in=MARGIN_IN + 0.65 + (PANEL_IN[0] + GAP_IN) * len(costs),
        height_in=HEADER_IN + PANEL_IN[1] + 0.75 + 0.2 * -(-len(handles) // 2),
        headline="What a faster point costs",
        caption=f"{len(sweep.feasible):,} feasible points; lines: no other point of the workload "
        "is better in both",
    )
    for at, cost in enumerate(costs):
        left_in = MARGIN_IN + 0.65 + at * (PANEL_IN[0] + GAP_IN)
        _draw_panel(sheet.axes(left_in, HEADER_IN, *PANEL_IN), sweep.feasible, workloads, cost)
    sheet.legend(handles, MARGIN_IN + 0.65, HEADER_IN + PANEL_IN[1] + 0.6, ncols=2)
    return sheet


def _draw_panel(axes: Axes, points: pd.DataFrame, workloads: list[str], cost: str) -> None:
    time = wording.time_scale(points[LATENCY].max())
    energy = wording.energy_scale(points[ENERGY].max())
    factor, label = (energy.factor, f"energy per inference ({energy.unit})")
    if cost == AREA:
        factor, label = (1.0, "area (mm²)")
    for at, name in enumerate(workloads):
        mine = points[points["workload"] == name]
        colour = palette.SERIES[at]
        x, y = mine[LATENCY] / time.factor, mine[cost] / factor
        axes.scatter(x, y, s=9, color=colour, alpha=0.35, linewidths=0)
        kept = mine[front(mine[[LATENCY, cost]].to_numpy())].sort_values(LATENCY)
        x, y = kept[LATENCY] / time.factor, kept[cost] / factor
        axes.step(x, y, where="post", color=colour, linewidth=1.4)
        axes.scatter(x, y, s=16, color=colour, edgecolors="white", linewidths=0.5, zorder=3)
    if points[LATENCY].max() > 8 * points[LATENCY].min():
        axes.set_xscale("log")
        few_log_ticks(axes.xaxis)
    else:
        axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.grid()
    axes.set_xlabel(f"mean latency ({time.unit})")
    axes.set_ylabel(label)
