"""A sweep's table as a frame, and what its columns mean to figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axis import Axis
from matplotlib.ticker import LogLocator, NullLocator

from simulator.result import StallKind

OPTIONS = ("workload", "policy", "placement")
CAPACITY = "scratchpad.capacity_kib"
LATENCY, ENERGY, AREA = "latency_mean_ps", "energy_pj", "area_mm2"
COMPUTE = "compute"

SMALL_STALL_FRACTION = 0.05
STALLS = {
    StallKind.WEIGHT_WAIT.value: "weights",
    StallKind.ROUTE_WAIT.value: "the route",
    StallKind.SCRATCHPAD_FULL.value: "room in the scratchpad",
    StallKind.ACTIVATION_WAIT.value: "activations",
    StallKind.MISPREDICT_REFETCH.value: "what a wrong guess displaced",
    StallKind.DRAIN.value: "the last outputs",
}
"""What an inference waits for."""
REGIMES = {COMPUTE: "hardly at all (< 5 %)", **STALLS}
"""What an inference waits for most, or that it hardly waits."""


@dataclass(frozen=True)
class SweepFrame:
    """The feasible points of a sweep, and its axes.

    Attributes:
        feasible: one row per point with figures; with the columns `regime`, the stall that takes
            most time unless stalls hardly count, and `compute_fraction` of the latency.
        n_points: of the sweep, infeasible ones included.
        axes: columns with more than one value, in order.
    """

    feasible: pd.DataFrame
    n_points: int
    axes: tuple[str, ...]

    def numeric_axes(self) -> list[str]:
        """Axes whose values are numbers, those with most values first."""
        numbers = [
            axis
            for axis in self.axes
            if axis not in OPTIONS and pd.api.types.is_numeric_dtype(self.feasible[axis])
        ]
        return sorted(numbers, key=lambda axis: -self.feasible[axis].nunique())

    def fixed_text(self) -> str:
        """The options that are the same at every point."""
        same = [name for name in OPTIONS if name not in self.axes]
        return ", ".join(f"{name} {self.feasible[name].iloc[0]}" for name in same)


def read_sweep(path: Path) -> SweepFrame:
    """Read the table that `sweep` wrote."""
    table = pd.read_csv(path, keep_default_na=False, na_values={LATENCY: [""], AREA: [""]})
    columns = list(table.columns)
    choices = columns[1 : columns.index("status")]
    axes = tuple(name for name in choices if table[name].nunique() > 1)
    feasible = table[table["status"] == "ok"].copy()
    for name in columns[columns.index("engine") + 1 : columns.index("seed")]:
        feasible[name] = pd.to_numeric(feasible[name])
    stalls = pd.DataFrame({name: feasible[f"{name}_ps"] for name in STALLS})
    feasible["compute_fraction"] = feasible["compute_ps"] / feasible[LATENCY]
    waits = feasible["compute_fraction"] < 1 - SMALL_STALL_FRACTION
    feasible["regime"] = stalls.idxmax(axis=1).where(waits, COMPUTE) if len(feasible) else ""
    return SweepFrame(feasible, len(table), axes)


def axis_label(field: str) -> str:
    """An axis as people read it."""
    known = {
        CAPACITY: "scratchpad (KiB)",
        "dram.peak_bytes_per_s": "DRAM bandwidth (GB/s)",
        "pe_array.rows": "PE rows",
        "pe_array.cols": "PE columns",
    }
    return known.get(field, field)


def axis_value(field: str, value: Any) -> str:
    """A value of an axis as people read it."""
    if field == "dram.peak_bytes_per_s":
        return f"{value / 1e9:g}"
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def few_log_ticks(axis: Axis) -> None:
    """Ticks at 1, 2 and 5 of every decade, written out."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter("{x:g}")
