"""How long a transfer occupies the DRAM, and when its data is complete."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Protocol

from simulator.spec import AcceleratorSpec
from simulator.units import bytes_to_ps, ceil_div, ns_to_ps


class DramModel(Protocol):
    """What the engine, the recurrence and the planner ask of any memory model."""

    def occupancy_ps(self, n_bytes: int) -> int:
        """Time the memory's data bus is taken by a transfer of n_bytes."""

    def bus_bytes(self, n_bytes: int) -> int:
        """Bytes that cross the bus for n_bytes: whole bursts."""

    def least_occupancy_ps(self, n_bytes: int) -> int:
        """A lower bound on the time that n_bytes take, however they are cut into transfers."""

    @property
    def read_latency_ps(self) -> int:
        """Time from the last burst of a read to its data lying in the scratchpad."""

    @property
    def write_latency_ps(self) -> int:
        """Time from the last burst of a write to its acknowledgement."""


class RateLatencyDram:
    """A DRAM as an effective rate, a burst size and a latency.

    The rate is the peak times the efficiency of sequential streams, but no more than the DMA
    can keep in flight: outstanding requests x burst / read latency (Little's law).
    """

    def __init__(self, spec: AcceleratorSpec) -> None:
        dram = spec.dram
        self.read_latency_ps = ns_to_ps(dram.read_latency_ns)
        self.write_latency_ps = ns_to_ps(dram.write_latency_ns)
        self._burst_bytes = dram.burst_bytes
        rate = Fraction(dram.peak_bytes_per_s) * Fraction(str(dram.efficiency_fraction))
        if self.read_latency_ps:
            in_flight = spec.dma.outstanding_requests * dram.burst_bytes
            rate = min(rate, Fraction(in_flight * 10**12, self.read_latency_ps))
        self.rate_bytes_per_s = rate
        self._occupancy_ps = lru_cache(maxsize=None)(self._uncached_occupancy_ps)

    def bus_bytes(self, n_bytes: int) -> int:
        """Bytes that cross the bus for n_bytes: whole bursts."""
        return ceil_div(n_bytes, self._burst_bytes) * self._burst_bytes

    def occupancy_ps(self, n_bytes: int) -> int:
        """Time the memory's data bus is taken by a transfer of n_bytes."""
        return self._occupancy_ps(n_bytes)

    def least_occupancy_ps(self, n_bytes: int) -> int:
        """A lower bound on the time that n_bytes take, however they are cut into transfers."""
        return int(n_bytes * 10**12 / self.rate_bytes_per_s)

    def _uncached_occupancy_ps(self, n_bytes: int) -> int:
        return bytes_to_ps(self.bus_bytes(n_bytes), self.rate_bytes_per_s)
