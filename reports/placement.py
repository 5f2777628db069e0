"""The picture of `place`: accuracy against expected cost of every placement."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from reports import palette, wording
from reports.files import write_whole
from reports.sheet import HEADER_IN, MARGIN_IN, Sheet, png_bytes

PANEL_IN = (5.6, 3.3)
LEFT_IN = MARGIN_IN + 0.65
BASELINES = "baselines"
STYLE: dict[str, dict[str, Any]] = {
    "exact": {"color": palette.BLUE, "marker": "o", "markersize": 6},
    "greedy": {"color": palette.ORANGE, "marker": "s", "markersize": 5},
    BASELINES: {"color": palette.DARK_GREY, "marker": "D", "markersize": 5, "linestyle": ""},
}


def write_placement_figure(data: dict[str, Any], path: Path) -> None:
    """Draw what `placements.json` holds into one PNG file.

    Raises:
        UserError: the path cannot be written.
    """
    write_whole(path, png_bytes(partial(draw_placements, data)))


def draw_placements(data: dict[str, Any]) -> Sheet:
    """Filled marks are measured accuracies, hollow ones predictions where nothing was measured."""
    objective = data["objective"]
    field = "latency_s" if objective == "latency" else "energy_j"
    rows = [row for row in data["rows"] if _accuracy(row) is not None]
    largest = max(row[field] * 1e12 for row in rows)
    make_scale = wording.time_scale if objective == "latency" else wording.energy_scale
    scale = make_scale(largest)
    kib = data["scratchpad_bytes"] // 1024
    sheet = Sheet(
        width_in=LEFT_IN + PANEL_IN[0] + 0.3,
        height_in=HEADER_IN + PANEL_IN[1] + 1.05,
        headline=f"Accuracy against expected {objective}",
        caption=f"{data['workload']} on {data['spec']}, scratchpad {kib:,} KiB\n"
        "labels: loss allowed; filled: measured, hollow: sum of the nodes' losses",
    )
    axes = sheet.axes(LEFT_IN, HEADER_IN, *PANEL_IN)
    for kind in STYLE:
        mine = [row for row in rows if _kind(row) == kind]
        if kind == BASELINES:
            mine.sort(key=lambda row: float(row[field]))
        _draw_kind(axes, mine, kind, (field, 1e12 / scale.factor))
    trained = 100 * data["accuracy_as_trained_fraction"]
    axes.axhline(trained, color=palette.DARK_GREY, linewidth=0.9, linestyle="--", zorder=0)
    axes.annotate("as trained", (0, trained), xycoords=("axes fraction", "data"), ha="left",
                  xytext=(4, 3), textcoords="offset points", color=palette.DARK_GREY)  # fmt: skip
    axes.set_xlim(left=0, right=1.08 * largest / scale.factor)
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.08 * (high - low), high + 0.12 * (high - low))
    axes.grid()
    axes.set_xlabel(f"expected {objective} per inference ({scale.unit})")
    axes.set_ylabel("top-1 accuracy (%)")
    handles = [Line2D([], [], label=name, **style) for name, style in STYLE.items()]
    sheet.legend(handles, LEFT_IN, HEADER_IN + PANEL_IN[1] + 0.62, ncols=3)
    return sheet


def _kind(row: dict[str, Any]) -> str:
    return BASELINES if row["accuracy_budget_fraction"] is None else str(row["name"])


def _accuracy(row: dict[str, Any]) -> float | None:
    measured: float | None = row["measured_accuracy_fraction"]
    return row["predicted_accuracy_fraction"] if measured is None else measured


def _draw_kind(axes: Axes, rows: list[dict[str, Any]], kind: str, unit: tuple[str, float]) -> None:
    field, factor = unit
    style = STYLE[kind]
    x = [row[field] * factor for row in rows]
    y = [100 * (_accuracy(row) or 0.0) for row in rows]
    if kind != BASELINES:
        axes.plot(x, y, color=style["color"], linewidth=1.2, alpha=0.6)
    for number, (row, at, accuracy) in enumerate(zip(rows, x, y, strict=True)):
        measured = row["measured_accuracy_fraction"] is not None
        fill = style["color"] if measured else palette.WHITE
        axes.plot([at], [accuracy], **{**style, "linestyle": ""}, markerfacecolor=fill, zorder=3)
        text, offset = row["name"], ((-7, -3), (-30, -15))[number % 2]
        if kind != BASELINES:
            text = f"{100 * row['accuracy_budget_fraction']:g} %"
            offset = (-5, (-10, 5)[number % 2])
        if kind != "greedy":
            axes.annotate(text, (at, accuracy), xytext=offset, textcoords="offset points",
                          ha="left" if kind == BASELINES and number else "right",
                          fontsize=7.5, color=style["color"])  # fmt: skip
