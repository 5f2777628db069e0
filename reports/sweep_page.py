"""The page `scratchpad.md`: the numbers behind the figure of that name, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports import wording
from reports.sweep_frame import CAPACITY, COMPUTE, LATENCY, REGIMES, SweepFrame
from reports.sweep_scratchpad import fastest_per_capacity

MOST_COLUMNS = 8

_Row = Mapping[Any, Any]


def scratchpad_page(sweep: SweepFrame) -> str | None:
    """Latency, compute's share and the largest stall by capacity; None without such an axis."""
    if CAPACITY not in sweep.axes:
        return None
    best = fastest_per_capacity(sweep)
    pairs = zip(best["workload"].astype(str), best["policy"].astype(str), strict=True)
    columns = list(dict.fromkeys(pairs))[:MOST_COLUMNS]
    scale = wording.time_scale(best[LATENCY].max())
    base = columns[0]
    lines = [
        "# Latency over scratchpad size",
        "",
        "![latency over scratchpad size](scratchpad.png)",
        "",
        f"Mean latency of an inference in {scale.unit}, in brackets against {base[0]}, {base[1]};",
        "then the share of it that is compute, and what is waited for most.",
        "",
        f"| scratchpad KiB | {' | '.join(f'{name}, {policy}' for name, policy in columns)} |",
        f"|---|{'---|' * len(columns)}",
    ]
    points = {
        (str(row["workload"]), str(row["policy"]), float(row[CAPACITY])): row
        for row in best.to_dict("records")
    }
    for size in sorted(best[CAPACITY].unique()):
        cells = [
            _cell(points.get((*column, size)), points.get((*base, size)), scale)
            for column in columns
        ]
        lines.append(f"| {size:g} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(point: _Row | None, base: _Row | None, scale: wording.Scale) -> str:
    """One point of the table; empty where it is infeasible."""
    if point is None:
        return ""
    latency, against = float(point[LATENCY]), ""
    if base is not None and base is not point:
        against = f" ({wording.change(latency, float(base[LATENCY]))})"
    regime = str(point["regime"])
    waits = "" if regime == COMPUTE else f", {REGIMES[regime]}"
    compute = f"{100 * float(point['compute_fraction']):.0f} %"
    return f"{wording.three_digits(scale.of(latency))}{against}, {compute}{waits}"
