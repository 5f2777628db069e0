"""The figure `effects.png`: how much each axis matters, on average over all others."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.patches import Patch

from reports import palette
from reports.sheet import CHARACTER_WIDTH_IN, HEADER_IN, LABEL_PT, MARGIN_IN, Sheet
from reports.sweep_frame import ENERGY, LATENCY, SweepFrame

ROW_IN = 0.42
BARS_IN = 4.4
MOST_BINS = 8
COLOURS = {LATENCY: ("latency", palette.BLUE), ENERGY: ("energy", palette.ORANGE)}


def draw_effects(sweep: SweepFrame) -> Sheet | None:
    """The factor between an axis's worst and best value, geometric means; None without axes."""
    factors = {
        axis: {cost: main_effect(sweep.feasible, axis, cost) for cost in COLOURS}
        for axis in sweep.axes
        if sweep.feasible[axis].nunique() > 1
    }
    if not factors:
        return None
    names = sorted(factors, key=lambda axis: -factors[axis][LATENCY])
    left_in = MARGIN_IN + 0.1 + CHARACTER_WIDTH_IN * max(len(name) for name in names)
    sheet = Sheet(
        width_in=max(left_in + BARS_IN + 0.8, 7.6),
        height_in=HEADER_IN + 0.35 + ROW_IN * len(names) + 0.75,
        headline="How much each axis matters",
        caption="worst over best value of the axis: geometric means over\n"
        "the points that share it; drawn axes are cut into eighths",
    )
    axes = sheet.axes(left_in, HEADER_IN + 0.35, BARS_IN, ROW_IN * len(names))
    for at, (cost, (_, colour)) in enumerate(COLOURS.items()):
        rows = np.arange(len(names)) + 0.36 * (at - 0.5)
        values = [factors[name][cost] for name in names]
        axes.barh(rows, [value - 1 for value in values], left=1, height=0.34, color=colour)
        for row, value in zip(rows, values, strict=True):
            axes.annotate(
                f"{value:.2f} x",
                (value, row),
                xytext=(4, 0),
                textcoords="offset points",
                va="center_baseline",
                size=LABEL_PT,
            )
    handles = [Patch(color=colour, label=label) for label, colour in COLOURS.values()]
    sheet.legend(handles, left_in, HEADER_IN, ncols=2)
    largest = max(value for found in factors.values() for value in found.values())
    axes.set_xlim(1, 1 + (largest - 1 or 1) * 1.18)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.set_xlabel("worst / best")
    return sheet


def main_effect(points: pd.DataFrame, axis: str, cost: str) -> float:
    """Geometric mean of a cost at the axis's worst value over that at its best."""
    groups = points[axis]
    if groups.nunique() > 4 * MOST_BINS and pd.api.types.is_numeric_dtype(groups):
        groups = pd.qcut(groups, MOST_BINS, duplicates="drop")
    means = np.log(points[cost]).groupby(groups, observed=True).mean()
    return float(np.exp(means.max() - means.min()))
