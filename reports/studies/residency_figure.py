"""The figure of `study residency`: latency saved over persistence, one panel per scratchpad."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from reports import palette
from reports.sheet import HEADER_IN, MARGIN_IN, Sheet
from simulator.study.questions.question import Row, distinct, number, where
from simulator.study.questions.residency import BELADY, NONE
from simulator.study.questions.saving import TREE

PANEL_IN = (2.35, 2.3)
GAP_IN = 0.3
MEASURES = (
    ("latency_saving_percent", "latency saved (%)"),
    ("energy_saving_percent", "energy saved (%)"),
)
_TINTS = (
    *(palette.BLUE, palette.ORANGE, palette.GREEN, palette.PURPLE, palette.VERMILION),
    palette.SKY,
)
_MARKS = ("o", "s", "D", "^", "v", "P")


def draw_residency(rows: Sequence[Row]) -> Sheet:
    """Scratchpads side by side, latency above energy, a line per way of keeping weights.

    Of the two scopes the faster one is shown.
    """
    tree = _faster_scope(where(rows, workload=TREE))
    sizes = sorted({number(row, "scratchpad_kib") for row in tree})
    policies = distinct(tree, "residency")
    height_in = len(MEASURES) * PANEL_IN[1] + (len(MEASURES) - 1) * 0.35
    sheet = Sheet(
        width_in=2 * MARGIN_IN + 0.55 + len(sizes) * PANEL_IN[0] + (len(sizes) - 1) * GAP_IN + 1.9,
        height_in=HEADER_IN + 0.3 + height_in + 0.7,
        headline="What carrying weights over to the next input is worth",
        caption="SigmaB ResNet-50 on edge_npu, on demand; against dense ResNet-50 that keeps "
        "weights as well as it can; all weights may stay\nor those behind branches, whichever is "
        "faster; persistence: how likely the next input takes the same leaf without being drawn",
    )
    for line, (column, label) in enumerate(MEASURES):
        values = [number(row, column) for row in tree]
        margin = 0.06 * (max(values) - min(values) or 1)
        for at, kib in enumerate(sizes):
            left_in = MARGIN_IN + 0.55 + at * (PANEL_IN[0] + GAP_IN)
            top_in = HEADER_IN + 0.3 + line * (PANEL_IN[1] + 0.35)
            axes = sheet.axes(left_in, top_in, *PANEL_IN)
            mine = where(tree, scratchpad_kib=kib)
            for policy in policies:
                _line(axes, where(mine, residency=policy), column, policies)
            axes.set_ylim(min(values) - margin, max(values) + margin)
            axes.grid()
            _labels(axes, mine, label if at == 0 else "", line == len(MEASURES) - 1)
            if line == 0:
                title = f"{kib / 1024:g} MiB scratchpad"
                sheet.text(left_in, top_in - 0.22, title, size=9, weight="bold")
    handles = [
        Line2D([], [], label=policy.replace("_", " "), **_style(policy, policies))
        for policy in policies
    ]
    left_in = MARGIN_IN + 0.55 + len(sizes) * (PANEL_IN[0] + GAP_IN)
    sheet.legend(handles, left_in, HEADER_IN + 0.35, handlelength=2.6)
    return sheet


def _faster_scope(rows: Sequence[Row]) -> list[Row]:
    """One row per place: of all weights or those behind branches, what is faster to keep."""
    best: dict[tuple[object, ...], Row] = {}
    for row in rows:
        place = tuple(row[name] for name in ("scratchpad_kib", "persistence", "residency"))
        kept = best.get(place)
        if kept is None or number(row, "latency_ms") < number(kept, "latency_ms"):
            best[place] = row
    return list(best.values())


def _line(axes: Axes, rows: Sequence[Row], column: str, policies: Sequence[str]) -> None:
    ordered = sorted(rows, key=lambda row: number(row, "persistence"))
    x = range(len(ordered))
    policy = str(ordered[0]["residency"])
    axes.plot(x, [number(row, column) for row in ordered], **_style(policy, policies))


def _style(policy: str, policies: Sequence[str]) -> dict[str, Any]:
    """What keeps nothing is grey, the bound black and dashed, all else has its own colour."""
    if policy == NONE:
        return {"color": palette.GREY, "linewidth": 1.6}
    if policy == BELADY:
        return {"color": palette.BLACK, "linewidth": 1.3, "linestyle": "--"}
    real = [each for each in policies if each not in (NONE, BELADY)]
    at = real.index(policy) % len(_TINTS)
    return {"color": _TINTS[at], "linewidth": 1.4, "marker": _MARKS[at], "markersize": 4.5}


def _labels(axes: Axes, rows: Sequence[Row], label: str, is_last: bool) -> None:
    values = sorted({number(row, "persistence") for row in rows})
    axes.set_xticks(range(len(values)), [f"{value:g}" for value in values] if is_last else [])
    axes.set_xlim(-0.2, len(values) - 0.8)
    if label:
        axes.set_ylabel(label)
    else:
        axes.set_yticklabels([])
    if is_last:
        axes.set_xlabel("persistence")
