"""The figure `class_by_leaf.png`: to which leaf each class goes, ordered by dominant leaf."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes

from reports import palette
from reports.build_files import BuildFiles
from reports.sheet import CHARACTER_WIDTH_IN, HEADER_IN, MARGIN_IN, Sheet
from reports.wording import clip

ROW_IN = 0.2
THIN_ROW_IN = 0.07
MOST_NAMED = 120
COLUMN_IN = 0.75
NARROWEST_IN = 7.4


def draw_leaf_heatmap(build: BuildFiles) -> Sheet:
    """Share of each class's test inputs by leaf (arXiv 2606.09924, figure 3)."""
    found = build.class_by_leaf
    order, shares = ordered_shares(found["counts"])
    leaves, n_classes = found["leaf_names"], len(order)
    named = n_classes <= MOST_NAMED
    names = [clip(str(found["class_names"][index]), 28) for index in order]
    names_in = CHARACTER_WIDTH_IN * max(map(len, names)) if named else 0.2
    height_in = n_classes * (ROW_IN if named else THIN_ROW_IN)
    width_in = max(NARROWEST_IN, MARGIN_IN + names_in + len(leaves) * COLUMN_IN + 2.4)
    sheet = Sheet(
        width_in,
        HEADER_IN + height_in + 0.75,
        "Where the inputs of each class end",
        f"{clip(build.caption, 100)}\nshare of each class's test inputs; classes ordered by "
        "their most frequent leaf",
    )
    left_in = MARGIN_IN + names_in + 0.15
    axes = sheet.axes(left_in, HEADER_IN + 0.3, len(leaves) * COLUMN_IN, height_in)
    _cells(axes, shares, len(leaves), named)
    axes.set_yticks(range(n_classes), names if named else [""] * n_classes)
    use = build.metrics["tree"]["leaf_shares"]
    labels = [f"{leaf}\n{100 * share:.1f} %" for leaf, share in zip(leaves, use, strict=True)]
    axes.set_xticks(range(len(leaves)), labels)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    _scale(sheet, left_in + len(leaves) * COLUMN_IN + 0.4, height_in)
    return sheet


def ordered_shares(counts: list[list[int]]) -> tuple[list[int], list[list[float]]]:
    """Classes ordered by dominant leaf, then by how dominant it is, and their leaf shares."""
    shares = [[n / max(sum(row), 1) for n in row] for row in counts]
    order = sorted(
        range(len(shares)), key=lambda c: (shares[c].index(max(shares[c])), -max(shares[c]), c)
    )
    return order, [shares[index] for index in order]


def _cells(axes: Axes, shares: list[list[float]], n_leaves: int, numbered: bool) -> None:
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    for spine in axes.spines.values():
        spine.set_visible(False)
    if not numbered:
        return
    for row, values in enumerate(shares):
        for column in range(n_leaves):
            ink = palette.WHITE if values[column] > 0.55 else palette.DARK_GREY
            text = f"{100 * values[column]:.0f}"
            axes.text(column, row, text, ha="center", va="center", size=6.5, color=ink)


def _scale(sheet: Sheet, left_in: float, height_in: float) -> None:
    length_in = min(height_in, 2.0)
    axes: Any = sheet.axes(left_in, HEADER_IN + 0.3, 0.16, length_in)
    gradient = [[1 - step / 99] for step in range(100)]
    axes.imshow(gradient, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks([])
    axes.set_yticks([0, 49.5, 99], ["100 %", "50 %", "0 %"])
    axes.yaxis.tick_right()
