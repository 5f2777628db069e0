"""The accuracy study's figure: top-1 and balance of every run, variant by variant."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes

from reports import palette
from reports.sheet import CHARACTER_WIDTH_IN, HEADER_IN, MARGIN_IN, Sheet
from reports.studies.accuracy_summary import DENSE, VariantSummary

ROW_IN = 0.36
PANEL_IN = 3.0
GAP_IN = 0.35


def draw_accuracy(results: dict[str, Any], study: dict[str, VariantSummary]) -> Sheet:
    """Dots are runs, bars their means; the dashed line is the dense mean."""
    rows = list(study.values())
    names_in = CHARACTER_WIDTH_IN * max(len(row.label) for row in rows) + 0.15
    height_in = ROW_IN * len(rows)
    width_in = 2 * MARGIN_IN + names_in + 2 * PANEL_IN + GAP_IN + 0.2
    set_up = results["set_up"]
    sheet = Sheet(
        width_in,
        HEADER_IN + height_in + 0.65,
        f"What the tree costs in accuracy on {results['data']}",
        f"{set_up['model']}, {results['provenance']['n_classes']} classes, "
        f"{len(set_up['seeds'])} seeds; dots are runs, bars their means, the dashed line the "
        "dense network's mean\nhard routing, test set",
    )
    left_in = MARGIN_IN + names_in
    accuracy = sheet.axes(left_in, HEADER_IN, PANEL_IN, height_in)
    balance = sheet.axes(left_in + PANEL_IN + GAP_IN, HEADER_IN, PANEL_IN, height_in)
    for index, row in enumerate(rows):
        colour = palette.BLUE if row.is_tree else palette.DARK_GREY
        values = [100 * run["top1_fraction"] for run in row.runs]
        _runs(accuracy, index, values, row.top1_percent.mean, colour)
        if row.balance is not None:
            values = [run["balance_fraction"] for run in row.runs]
            _runs(balance, index, values, row.balance.mean, palette.GREEN)
    dense = study[DENSE].top1_percent.mean
    accuracy.axvline(dense, color=palette.DARK_GREY, linewidth=0.9, linestyle="--", zorder=0)
    for axes in (accuracy, balance):
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
    accuracy.set_yticks(range(len(rows)), [row.label for row in rows])
    balance.set_yticks([])
    accuracy.set_xlabel("top-1 in %")
    balance.set(xlabel="balance of the leaves", xlim=(-0.03, 1.03))
    return sheet


def _runs(axes: Axes, row: int, values: list[float], mean: float, colour: str) -> None:
    axes.scatter(values, [row] * len(values), s=26, color=colour, alpha=0.55, linewidths=0)
    axes.plot([mean, mean], [row - 0.28, row + 0.28], color=colour, linewidth=2.2)
