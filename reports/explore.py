"""Pictures of an exploration, from its files alone: the entry point for `explore`."""

from __future__ import annotations

from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from reports import palette, wording
from reports.files import write_whole
from reports.sheet import HEADER_IN, MARGIN_IN, Sheet, png_bytes
from reports.sweep_frame import few_log_ticks, read_sweep
from simulator.study.objective import COSTS, ERROR

PANEL_IN = (3.5, 3.1)
GAP_IN = 0.85
MOST_PANELS = 3


def write_explore_figures(table: Path, data: dict[str, Any], folder: Path) -> list[Path]:
    """Draw the front and how it was approached into an existing folder.

    Raises:
        UserError: the folder does not exist or cannot be written.
    """
    points = read_sweep(table).feasible
    files = {"hypervolume.png": png_bytes(partial(draw_hypervolume, data))}
    if len(data["objectives"]) > 1:
        files["front.png"] = png_bytes(partial(draw_front, points, data))
    for name, content in files.items():
        write_whole(folder / name, content)
    return [folder / name for name in files]


def draw_front(points: pd.DataFrame, data: dict[str, Any]) -> Sheet:
    """Every pair of objectives: all feasible points, and those of the front by workload."""
    objectives = data["objectives"]
    pairs = list(combinations(objectives, 2))[:MOST_PANELS]
    front = pd.DataFrame(data["front"])
    names = [choices.get("workload", "") for choices in front["choices"]]
    known = [each["name"] for each in data["sweep"]["workloads"]]
    workloads = [name for name in (*known, "") if name in names]
    limits = f"; {', '.join(data['constraints'])}" if data["constraints"] else ""
    sheet = Sheet(
        width_in=MARGIN_IN + 0.65 + (PANEL_IN[0] + GAP_IN) * len(pairs),
        height_in=HEADER_IN + PANEL_IN[1] + 0.95,
        headline="What is worth choosing",
        caption=f"{len(front):,} points that no other beats in {', '.join(objectives)}, of "
        f"{data['distinct_points']:,} evaluated ({data['method']}){limits}",
    )
    for at, pair in enumerate(pairs):
        left_in = MARGIN_IN + 0.65 + at * (PANEL_IN[0] + GAP_IN)
        axes = sheet.axes(left_in, HEADER_IN, *PANEL_IN)
        _draw_pair(axes, points, front.assign(workload=names), pair, workloads)
    handles = [_dot(palette.GREY, "evaluated")]
    handles += [
        _dot(palette.SERIES[at % len(palette.SERIES)], f"front{', ' if name else ''}{name}")
        for at, name in enumerate(workloads)
    ]
    sheet.legend(handles, MARGIN_IN + 0.65, HEADER_IN + PANEL_IN[1] + 0.6, ncols=4)
    return sheet


def _dot(colour: str, label: str) -> Line2D:
    return Line2D([], [], color=colour, marker="o", markersize=5, linestyle="", label=label)


def _draw_pair(
    axes: Axes,
    points: pd.DataFrame,
    front: pd.DataFrame,
    pair: tuple[str, str],
    workloads: list[str],
) -> None:
    x_scale, y_scale = (_scale(cost, front[cost].max()) for cost in pair)
    if ERROR not in pair:  # which the table of points does not hold
        x, y = (points[COSTS[cost]] for cost in pair)
        style: dict[str, Any] = {"s": 7, "color": palette.GREY, "alpha": 0.35}
        axes.scatter(x / x_scale.factor, y / y_scale.factor, **style)
    for at, name in enumerate(workloads):
        mine = front[front["workload"] == name]
        axes.scatter(
            mine[pair[0]] / x_scale.factor,
            mine[pair[1]] / y_scale.factor,
            s=20,
            color=palette.SERIES[at % len(palette.SERIES)],
            edgecolors="white",
            linewidths=0.5,
            zorder=3,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    few_log_ticks(axes.xaxis)
    few_log_ticks(axes.yaxis)
    axes.grid()
    axes.set_xlabel(f"{pair[0]} ({x_scale.unit})")
    axes.set_ylabel(f"{pair[1]} ({y_scale.unit})")


def _scale(cost: str, largest: float) -> wording.Scale:
    if cost == ERROR:
        return wording.Scale("%", 0.01)
    metric = COSTS[cost]
    if metric.endswith("_ps"):
        return wording.time_scale(largest)
    if metric.endswith("_pj"):
        return wording.energy_scale(largest)
    return wording.Scale("mm²", 1.0) if metric.endswith("_mm2") else wording.byte_scale(largest)


def draw_hypervolume(data: dict[str, Any]) -> Sheet:
    """The share of the final hypervolume that the points evaluated so far cover."""
    sheet = Sheet(
        width_in=6.6,
        height_in=HEADER_IN + 3.3,
        headline="How the front was approached",
        caption=f"hypervolume in {', '.join(data['objectives'])}, as a share of the last one "
        f"({data['method']})",
    )
    axes = sheet.axes(MARGIN_IN + 0.65, HEADER_IN, 5.4, 2.6)
    counts, shares = zip(*data["hypervolume"], strict=True)
    axes.step(counts, [100 * share for share in shares], where="post", color=palette.BLUE)
    axes.set_xlim(left=0)
    axes.set_ylim(0, 104)
    axes.grid()
    axes.set_xlabel("points evaluated")
    axes.set_ylabel("hypervolume (%)")
    return sheet
