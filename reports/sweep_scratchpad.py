"""The figure `scratchpad.png`: latency over scratchpad size, with what limits it."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from reports import palette, wording
from reports.sheet import HEADER_IN, MARGIN_IN, Sheet
from reports.sweep_frame import CAPACITY, COMPUTE, LATENCY, REGIMES, SweepFrame
from simulator.result import StallKind

PLOT_IN = (5.6, 3.9)
LEGEND_IN = 2.9
MOST_SERIES = 12
MOST_OF_THE_TIME = 0.5
LINES: tuple[Any, ...] = ("-", "--", ":", "-.")
MARKS = {
    COMPUTE: "o",
    StallKind.WEIGHT_WAIT.value: "s",
    StallKind.ROUTE_WAIT.value: "^",
    StallKind.SCRATCHPAD_FULL.value: "D",
    StallKind.ACTIVATION_WAIT.value: "v",
    StallKind.MISPREDICT_REFETCH.value: "X",
    StallKind.DRAIN.value: "P",
}


def fastest_per_capacity(sweep: SweepFrame) -> pd.DataFrame:
    """Of every workload and policy the fastest point of each capacity, over all other axes."""
    groups = sweep.feasible.groupby(["workload", "policy", CAPACITY], sort=False)
    return sweep.feasible.loc[groups[LATENCY].idxmin()]


def draw_scratchpad(sweep: SweepFrame) -> Sheet | None:
    """One line per workload (colour) and policy (dashes); None without an axis of capacities.

    Where other fields vary too, each point is the fastest over them.
    """
    if CAPACITY not in sweep.axes:
        return None
    best = fastest_per_capacity(sweep)
    others = [axis for axis in sweep.axes if axis not in ("workload", "policy", CAPACITY)]
    fastest = f"each point the fastest over {', '.join(others)}; " if others else ""
    sheet = Sheet(
        width_in=MARGIN_IN + 0.6 + PLOT_IN[0] + 0.25 + LEGEND_IN,
        height_in=HEADER_IN + PLOT_IN[1] + 0.7,
        headline="Latency over scratchpad size, and what limits it",
        caption=f"{fastest}{sweep.n_points:,} points, {len(sweep.feasible):,} feasible"
        f"{'; ' + sweep.fixed_text() if sweep.fixed_text() else ''}",
    )
    left_in = MARGIN_IN + 0.6
    axes = sheet.axes(left_in, HEADER_IN, *PLOT_IN)
    series = _draw_lines(axes, best)
    used = [regime for regime in REGIMES if (best["regime"] == regime).any()]
    marks = [_mark(MARKS[regime], REGIMES[regime], filled=True) for regime in used]
    fills = [
        _mark("o", "computing half of the time or more", filled=True),
        _mark("o", "waiting most of the time", filled=False),
    ]
    legend_in = left_in + PLOT_IN[0] + 0.25
    sheet.legend(series, legend_in, HEADER_IN + 0.05, handlelength=3)
    top_in = HEADER_IN + 0.05 + 0.2 * len(series) + 0.3
    sheet.text(legend_in, top_in, "waits most for", size=8, weight="bold")
    sheet.legend(marks, legend_in, top_in + 0.2)
    sheet.legend(fills, legend_in, top_in + 0.2 + 0.2 * len(marks) + 0.2)
    return sheet


def _mark(shape: str, label: str, filled: bool) -> Line2D:
    """A mark as the legend shows it."""
    grey = palette.DARK_GREY
    face = grey if filled else palette.WHITE
    return Line2D([], [], color=grey, marker=shape, markerfacecolor=face, linestyle="", label=label)


def _draw_lines(axes: Axes, best: pd.DataFrame) -> list[Line2D]:
    workloads = list(dict.fromkeys(best["workload"]))
    policies = list(dict.fromkeys(best["policy"]))
    scale = wording.time_scale(best[LATENCY].max())
    handles: list[Line2D] = []
    for (workload, policy), group in best.groupby(["workload", "policy"], sort=False):
        if len(handles) == MOST_SERIES:
            break
        colour = palette.SERIES[workloads.index(workload) % len(palette.SERIES)]
        dashes = LINES[policies.index(policy) % len(LINES)]
        ordered = group.sort_values(CAPACITY)
        latency = scale.of(1) * ordered[LATENCY]
        axes.plot(ordered[CAPACITY], latency, color=colour, linestyle=dashes, linewidth=1.6)
        for (regime, computes), part in ordered.groupby(
            ["regime", ordered["compute_fraction"] >= MOST_OF_THE_TIME]
        ):
            y = scale.of(1) * part[LATENCY]
            face = colour if bool(computes) is True else palette.WHITE
            style: dict[str, Any] = {"color": colour, "markerfacecolor": face, "markersize": 6}
            axes.plot(part[CAPACITY], y, MARKS[str(regime)], linestyle="", **style)
        name = f"{workload}, {policy}" if len(policies) > 1 else str(workload)
        handles.append(Line2D([], [], color=colour, linestyle=dashes, label=wording.clip(name, 40)))
    sizes = sorted(best[CAPACITY].unique())
    axes.set_xscale("log", base=2)
    if len(sizes) <= 12:
        axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
        axes.minorticks_off()
    axes.set_ylim(0, scale.of(best[LATENCY].max()) * 1.06)
    axes.set_xlabel("scratchpad (KiB)")
    axes.set_ylabel(f"mean latency of an inference ({scale.unit})")
    axes.grid()
    return handles
