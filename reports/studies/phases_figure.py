"""The figure of `study phases`: the saving, and the policy that brings it, over the plane."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from reports import palette
from reports.label_places import LABEL_HEIGHT_IN, Box
from reports.sheet import CHARACTER_WIDTH_IN, HEADER_IN, LABEL_PT, MARGIN_IN, Sheet
from reports.studies.policy_style import colour
from simulator.study.questions.phases import ON_DEMAND, SHIPPED, cells, winner
from simulator.study.questions.question import Row, distinct, number, where
from simulator.study.questions.regime import Regime

CELL_IN = (0.7, 0.6)
LEFT_IN = 0.75
GAP_IN = 0.75
LIST_IN = 1.7
DEVICE_PT = 6
NUMBER_AT = 0.44, 0.42
"""Of a cell, from its centre: the outer corner of its number."""
HATCHES = {Regime.WEIGHT_BOUND: "", Regime.ACTIVATION_BOUND: "....", Regime.COMPUTE_BOUND: "////"}


def draw_phases(rows: Sequence[Row]) -> Sheet:
    """Two maps of the same plane; hatching is the regime, numbers in circles are devices."""
    found = cells(rows)
    plane = _Plane(found)
    width_in, height_in = CELL_IN[0] * len(plane.capacities), CELL_IN[1] * len(plane.balances)
    devices = where(rows, kind=SHIPPED)
    sheet = Sheet(
        width_in=2 * MARGIN_IN + LEFT_IN + 2 * width_in + GAP_IN + 0.25 + LIST_IN,
        height_in=HEADER_IN + 0.35 + max(height_in + 1.0, 0.17 * len(devices) + 0.2),
        headline="Which policy wins where",
        caption="2048 MACs at 1 GHz, other scratchpads and bandwidths; SigmaB ResNet-50 against "
        "dense ResNet-50\nwith prefetch; numbers in boxes: where shipped devices lie in the plane",
    )
    top_in = HEADER_IN + 0.35
    lefts = [MARGIN_IN + LEFT_IN, MARGIN_IN + LEFT_IN + width_in + GAP_IN]
    titles = ("latency the winner saves (%)", "the winner, and points over on_demand")
    for at, (left_in, title) in enumerate(zip(lefts, titles, strict=True)):
        axes = sheet.axes(left_in, top_in, width_in, height_in)
        boxes = _devices(axes, plane, devices) if at == 0 else []
        for cell in found:
            _cell(axes, plane, cell, at == 0, boxes)
        _ticks(axes, plane, at == 0)
        sheet.text(left_in, top_in - 0.23, title, size=9.5, weight="bold")
    list_in = lefts[1] + width_in + 0.25
    sheet.text(list_in, top_in - 0.23, "shipped devices", size=9.5, weight="bold")
    for at, row in enumerate(devices):
        outside = "" if plane.holds(row) else " (beyond)"
        sheet.text(list_in, top_in + 0.17 * at, f"{at + 1}  {row['device']}{outside}", size=7.5)
    won = [p for p in distinct(rows, "policy") if any(winner(c)["policy"] == p for c in found)]
    handles: list[Patch | Line2D] = [Patch(color=_pale(colour(p)), label=f"{p} wins") for p in won]
    regimes = {str(cell[0]["regime"]) for cell in found}
    for regime, hatch in HATCHES.items():
        if regime.value in regimes:
            style: dict[str, Any] = {
                "facecolor": "white",
                "edgecolor": palette.GREY,
                "linewidth": 0.6,
            }
            handles.append(Patch(hatch=hatch * 2, label=f"dense is {regime.value}", **style))
    sheet.legend(handles, lefts[0], top_in + height_in + 0.62, ncols=min(len(handles), 4))
    return sheet


class _Plane:
    """The axes of the plane: one unit per factor of two, the first cell's centre at the origin."""

    def __init__(self, found: Sequence[Sequence[Row]]) -> None:
        self.capacities = sorted({number(cell[0], "scratchpad_kib") for cell in found})
        self.balances = sorted({number(cell[0], "macs_per_byte") for cell in found})

    def place(self, row: Row) -> tuple[float, float]:
        """Where a row lies; cells lie at whole numbers."""
        x = _between(self.capacities, number(row, "scratchpad_kib"))
        return x, _between(self.balances, number(row, "macs_per_byte"))

    def holds(self, row: Row) -> bool:
        """Whether it lies within the cells."""
        x, y = self.place(row)
        return -0.5 <= x < len(self.capacities) - 0.5 and -0.5 <= y < len(self.balances) - 0.5

    def clipped(self, row: Row) -> tuple[float, float]:
        """Where to mark it: at the edge if it lies beyond."""
        x, y = self.place(row)
        most_x, most_y = len(self.capacities) - 0.5, len(self.balances) - 0.5
        return min(max(x, -0.5), most_x), min(max(y, -0.5), most_y)


def _between(values: Sequence[float], value: float) -> float:
    """The position among values that grow by a constant factor."""
    step = math.log2(values[1] / values[0]) if len(values) > 1 else 1.0
    return math.log2(value / values[0]) / step


def _cell(
    axes: Axes, plane: _Plane, cell: Sequence[Row], shows_saving: bool, boxes: Sequence[Box]
) -> None:
    """A coloured cell with its number in the first corner that no box covers."""
    best = winner(cell)
    x, y = plane.place(best)
    saved = number(best, "latency_saving_percent")
    gain = saved - number(where(cell, policy=ON_DEMAND)[0], "latency_saving_percent")
    if shows_saving:
        strength = min(max(saved / 70, 0.0), 1.0)
        face = _mixed(palette.BLUE, strength)
        text, ink = f"{saved:.0f}", "white" if strength > 0.62 else palette.BLACK
    else:
        face, ink = _pale(colour(str(best["policy"]))), palette.BLACK
        text = f"+{gain:.1f}" if gain >= 0.05 else "0"
    hatch = HATCHES[Regime(str(best["regime"]))]
    corner = (x - 0.5, y - 0.5)
    axes.add_patch(Rectangle(corner, 1, 1, facecolor=face, edgecolor="white", linewidth=1.0))
    if hatch and not shows_saving:
        style: dict[str, Any] = {
            "facecolor": "none",
            "edgecolor": palette.GREY,
            "linewidth": 0.0,
            "alpha": 0.6,
        }
        axes.add_patch(Rectangle(corner, 1, 1, hatch=hatch, **style))
    side, height = _free_corner(x, y, text, boxes)
    axes.text(
        x + NUMBER_AT[0] * side,
        y + NUMBER_AT[1] * height,
        text,
        ha="left" if side < 0 else "right",
        va="bottom" if height < 0 else "top",
        size=LABEL_PT,
        color=ink,
    )


def _free_corner(x: float, y: float, text: str, boxes: Sequence[Box]) -> tuple[int, int]:
    """Left (-1) or right, below (-1) or above: the first corner with room for a cell's number."""
    corners = list(product((-1, 1), (-1, 1)))
    width, tall = CHARACTER_WIDTH_IN * len(text) / CELL_IN[0], LABEL_HEIGHT_IN / CELL_IN[1]
    for side, height in corners:
        outer_x, outer_y = x + NUMBER_AT[0] * side, y + NUMBER_AT[1] * height
        inner_x, inner_y = outer_x - width * side, outer_y - tall * height
        left, right = sorted((outer_x, inner_x))
        bottom, top = sorted((outer_y, inner_y))
        if not any(box.overlaps(Box(left, bottom, right, top)) for box in boxes):
            return side, height
    return corners[0]


def _ticks(axes: Axes, plane: _Plane, first: bool) -> None:
    axes.set_xlim(-0.5, len(plane.capacities) - 0.5)
    axes.set_ylim(-0.5, len(plane.balances) - 0.5)
    axes.set_xticks(range(len(plane.capacities)), [_kib(value) for value in plane.capacities])
    axes.set_yticks(range(len(plane.balances)), [f"{value:g}" for value in plane.balances])
    axes.tick_params(length=0)
    axes.set_xlabel("scratchpad")
    if first:
        axes.set_ylabel("MACs per byte of DRAM bandwidth")


def _kib(value: float) -> str:
    return f"{value / 1024:g} MiB" if value >= 1024 else f"{value:g} KiB"


def _devices(axes: Axes, plane: _Plane, devices: Sequence[Row]) -> list[Box]:
    """Their numbers where they lie; neighbours share a box. Returns what the boxes cover."""
    boxes = []
    shared: dict[tuple[float, float], list[int]] = {}
    for at, row in enumerate(devices):
        x, y = plane.clipped(row)
        shared.setdefault((round(2 * x) / 2, round(3 * y) / 3), []).append(at)
    for numbers in shared.values():
        places = [plane.clipped(devices[at]) for at in numbers]
        x = sum(x for x, _ in places) / len(places)
        y = sum(y for _, y in places) / len(places)
        text = ",".join(str(at + 1) for at in numbers)
        axes.text(
            x,
            y,
            text,
            ha="center",
            va="center",
            size=DEVICE_PT,
            bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "linewidth": 0.6},
            zorder=4,
        )
        half_x = (CHARACTER_WIDTH_IN * len(text) + 0.04) / 2 / CELL_IN[0]
        half_y = LABEL_HEIGHT_IN / 2 / CELL_IN[1]
        boxes.append(Box(x - half_x, y - half_y, x + half_x, y + half_y))
    return boxes


def _pale(tint: str) -> tuple[float, float, float]:
    return _mixed(tint, 0.5)


def _mixed(tint: str, strength: float) -> tuple[float, float, float]:
    """A colour on white paper, at the given strength."""
    red, green, blue = (1 - strength * (1 - part) for part in to_rgb(tint))
    return red, green, blue
