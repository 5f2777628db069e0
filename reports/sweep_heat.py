"""The figure `heat.png`: latency over the two axes with most values, one panel per workload."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from reports import palette, wording
from reports.sheet import HEADER_IN, MARGIN_IN, Sheet
from reports.sweep_frame import LATENCY, SweepFrame, axis_label, axis_value, few_log_ticks

PANEL_IN = (3.6, 3.0)
GAP_IN = 0.35
LEFT_IN = 0.75
MOST_PANELS = 4
MOST_LABELLED = 144
MOST_TICKS = 12


def draw_heat(sweep: SweepFrame) -> Sheet | None:
    """Least latency over all other axes in each cell; None without two axes of numbers."""
    axes = sweep.numeric_axes()[:2]
    if len(axes) < 2 or max(sweep.feasible[axis].nunique() for axis in axes) > 64:
        return None
    across, up = axes
    workloads = list(dict.fromkeys(sweep.feasible["workload"]))[:MOST_PANELS]
    tables = {
        name: sweep.feasible[sweep.feasible["workload"] == name].pivot_table(
            index=up, columns=across, values=LATENCY, aggfunc="min"
        )
        for name in workloads
    }
    lowest = min(float(np.nanmin(table.to_numpy())) for table in tables.values())
    highest = max(float(np.nanmax(table.to_numpy())) for table in tables.values())
    others = [axis for axis in sweep.axes if axis not in (across, up, "workload")]
    sheet = Sheet(
        width_in=MARGIN_IN + LEFT_IN + (PANEL_IN[0] + GAP_IN) * len(tables) + 0.9,
        height_in=HEADER_IN + 0.25 + PANEL_IN[1] + 0.65,
        headline=f"Latency over {axis_label(across)} and {axis_label(up)}",
        caption=f"least mean latency over {', '.join(others)}" if others else "mean latency",
    )
    scale = wording.time_scale(highest)
    norm = LogNorm(scale.of(lowest), scale.of(max(highest, lowest * 1.001)))
    image = None
    for at, (name, table) in enumerate(tables.items()):
        left_in = MARGIN_IN + LEFT_IN + at * (PANEL_IN[0] + GAP_IN)
        panel = sheet.axes(left_in, HEADER_IN + 0.25, *PANEL_IN)
        image = _draw_panel(panel, table, scale, norm)
        panel.set_title(wording.clip(name, 36), size=9, loc="left")
        panel.set_xlabel(axis_label(across))
        if at == 0:
            panel.set_ylabel(axis_label(up))
        else:
            panel.set_yticklabels([])
    bar_in = MARGIN_IN + LEFT_IN + len(tables) * (PANEL_IN[0] + GAP_IN) - GAP_IN + 0.15
    bar = sheet.axes(bar_in, HEADER_IN + 0.25, 0.14, PANEL_IN[1])
    if image is not None:
        sheet.figure.colorbar(image, cax=bar, label=f"latency ({scale.unit})")
        few_log_ticks(bar.yaxis)
    return sheet


def _draw_panel(panel: Axes, table: pd.DataFrame, scale: wording.Scale, norm: LogNorm) -> Any:
    values = table.to_numpy() / scale.factor
    image = panel.imshow(values, origin="lower", aspect="auto", cmap="cividis_r", norm=norm)
    panel.set_facecolor(palette.PALE_GREY)
    for set_ticks, field, known in (
        (panel.set_xticks, str(table.columns.name), list(table.columns)),
        (panel.set_yticks, str(table.index.name), list(table.index)),
    ):
        step = -(-len(known) // MOST_TICKS)
        shown = range(0, len(known), step)
        set_ticks(list(shown), [axis_value(field, known[at]) for at in shown])
    if values.size <= MOST_LABELLED and values.shape[1] <= 9:
        for (row, column), value in np.ndenumerate(values):
            if not np.isnan(value):
                dark = norm(value) > 0.55
                colour = palette.WHITE if dark else palette.BLACK
                text = wording.three_digits(float(value))
                panel.text(column, row, text, ha="center", va="center", size=7, color=colour)
    return image
