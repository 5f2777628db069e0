"""Brackets the latency of millions of points between exact results at faster and slower designs.

More bandwidth is never slower (DECISIONS 2), with the plan chosen anew at every bandwidth. So the
exact latencies at two neighbouring bandwidths bound it at all between, and a table of them for
every scratchpad that makes a difference bounds any number of points by looking them up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.errors import UserError
from simulator.fast.designs import timing_key
from simulator.spec import AcceleratorSpec
from simulator.spec_file import Override, with_overrides
from simulator.study.family import Demand, Family


@dataclass(frozen=True)
class Brackets:
    """Per point, what its mean latency is not below and not above; UNKNOWN where nothing fits."""

    lower_ps: NDArray[np.int64]
    upper_ps: NDArray[np.int64]


class Screen:
    """Exact mean latencies of one family at some bandwidths, by the scratchpad there is."""

    def __init__(
        self,
        family: Family,
        spec: AcceleratorSpec,
        bandwidths_bytes_per_s: Sequence[int],
        most_room_bytes: int,
    ) -> None:
        """`bandwidths_bytes_per_s` rise; between two of them points are bracketed."""
        self.bandwidths = np.array(bandwidths_bytes_per_s, dtype=np.int64)
        if len(self.bandwidths) < 2 or (np.diff(self.bandwidths) <= 0).any():
            raise UserError("a screen needs two bandwidths or more, each above the one before")
        specs = [
            with_overrides(spec, [Override("dram.peak_bytes_per_s", int(rate))])
            for rate in self.bandwidths
        ]
        demands = [Demand(each, timing_key(each), most_room_bytes) for each in specs]
        self.budgets, self.latency_ps = family.latencies(demands)

    def brackets(
        self, bandwidths_bytes_per_s: NDArray[np.int64], rooms_bytes: NDArray[np.int64]
    ) -> Brackets:
        """Bounds of the points; `rooms_bytes` is the scratchpad less what is pinned.

        Raises:
            UserError: a bandwidth outside those of the screen.
        """
        rates = self.bandwidths
        if bandwidths_bytes_per_s.min() < rates[0] or bandwidths_bytes_per_s.max() > rates[-1]:
            raise UserError(f"bandwidths must lie from {rates[0]} to {rates[-1]} bytes/s")
        slower = np.searchsorted(rates, bandwidths_bytes_per_s, side="right") - 1
        faster = np.searchsorted(rates, bandwidths_bytes_per_s, side="left")
        fitting = np.searchsorted(self.budgets, rooms_bytes, side="right")
        return Brackets(self.latency_ps[fitting, faster], self.latency_ps[fitting, slower])
