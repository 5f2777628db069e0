"""How long a transfer occupies the DRAM, and when its data is complete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, reduce
from operator import add
from typing import Protocol

from simulator.cost.dram_address import Transfer
from simulator.spec import AcceleratorSpec
from simulator.units import PS_PER_S, bytes_to_ps, ceil_div, ns_to_ps


@dataclass(frozen=True, slots=True)
class TransferCost:
    """What one transfer takes of a memory.

    Attributes:
        occupancy_ps: time its data bus is taken.
        bus_bytes: bytes that cross the bus: whole bursts.
        bursts: column commands, over all channels.
        activates: rows opened for it, over all channels; 0 in a memory without rows.
    """

    occupancy_ps: int
    bus_bytes: int
    bursts: int
    activates: int

    def __add__(self, other: TransferCost) -> TransferCost:
        return TransferCost(
            self.occupancy_ps + other.occupancy_ps,
            self.bus_bytes + other.bus_bytes,
            self.bursts + other.bursts,
            self.activates + other.activates,
        )


@dataclass(frozen=True, slots=True)
class MostOccupancy:
    """What no contiguous transfer exceeds, wherever it lies: so much per byte, and once.

    Attributes:
        ps_per_byte: of all its bytes.
        read_ps, write_ps: of a transfer, for the bursts and rows that its ends cut.
    """

    ps_per_byte: float
    read_ps: float
    write_ps: float


class DramModel(Protocol):
    """What the engine, the recurrence and the planner ask of any memory model.

    A transfer's cost follows from its own extents alone, whatever went before: so a schedule is
    static, and its cost monotone in every duration.
    """

    def transfer_cost(self, transfer: Transfer) -> TransferCost:
        """Time, bytes and commands of one transfer."""

    def command_cost(self, extents: Sequence[Transfer]) -> TransferCost:
        """Time, bytes and commands of one DMA command that moves several extents."""

    def occupancy_ps(self, n_bytes: int) -> int:
        """Time the memory's data bus is taken by one contiguous, aligned read of n_bytes."""

    def bus_bytes(self, n_bytes: int) -> int:
        """Bytes that cross the bus for a contiguous, aligned transfer: whole bursts."""

    def least_occupancy_ps(self, n_bytes: int) -> int:
        """A lower bound on the time that n_bytes take, however they are cut into transfers."""

    def refreshes_in(self, duration_ps: int) -> int:
        """Refreshes of all channels over a time, the memory being busy or idle."""

    @property
    def most_occupancy(self) -> MostOccupancy:
        """An upper bound on the time of any contiguous transfer."""

    @property
    def rate_bytes_per_s(self) -> Fraction:
        """What long sequential reads reach."""

    @property
    def row_set_bytes(self) -> int:
        """Bytes of one row of every channel; of a burst where there are no rows."""

    @property
    def bank_set_bytes(self) -> int:
        """Bytes of one row in every bank of every channel; of a burst where there are none."""

    @property
    def period_bytes(self) -> int:
        """Transfers whose addresses differ by a multiple of this cost the same."""

    @property
    def read_latency_ps(self) -> int:
        """Time from the last burst of a read to its data lying in the scratchpad."""

    @property
    def write_latency_ps(self) -> int:
        """Time from the last burst of a write to its acknowledgement."""


class RateLatencyDram:
    """A memory as an effective rate, a burst size and a latency: flash, a host link, a bound.

    The rate is the peak times the efficiency of sequential streams, but no more than the DMA
    can keep in flight: outstanding requests x burst / read latency (Little's law).
    """

    period_bytes = 1

    def __init__(self, spec: AcceleratorSpec) -> None:
        dram = spec.dram
        if dram.device is not None:
            raise ValueError(f"{spec.name}: {dram.device} has rows; simulator.cost.memory knows it")
        self.read_latency_ps = ns_to_ps(dram.read_latency_ns)
        self.write_latency_ps = ns_to_ps(dram.write_latency_ns)
        self._burst_bytes = self.row_set_bytes = self.bank_set_bytes = dram.burst_bytes
        rate = Fraction(dram.peak_bytes_per_s) * Fraction(str(dram.efficiency_fraction))
        if self.read_latency_ps:
            in_flight = spec.dma.outstanding_requests * dram.burst_bytes
            rate = min(rate, Fraction(in_flight * PS_PER_S, self.read_latency_ps))
        self.rate_bytes_per_s = rate
        self._cost = lru_cache(maxsize=None)(self._uncached_cost)

    def transfer_cost(self, transfer: Transfer) -> TransferCost:
        """Whole bursts of every piece, at the rate; addresses do not matter."""
        if transfer.pieces == 1:
            return self._cost(transfer.n_bytes)
        bursts = ceil_div(transfer.n_bytes, self._burst_bytes) * transfer.pieces
        return self._cost(bursts * self._burst_bytes)

    def command_cost(self, extents: Sequence[Transfer]) -> TransferCost:
        """One extent after the other."""
        return reduce(add, (self.transfer_cost(extent) for extent in extents))

    def occupancy_ps(self, n_bytes: int) -> int:
        """Time the memory's data bus is taken by a transfer of n_bytes."""
        return self._cost(n_bytes).occupancy_ps

    def bus_bytes(self, n_bytes: int) -> int:
        """Bytes that cross the bus for n_bytes: whole bursts."""
        return self._cost(n_bytes).bus_bytes

    def least_occupancy_ps(self, n_bytes: int) -> int:
        """A lower bound on the time that n_bytes take, however they are cut into transfers."""
        return int(n_bytes * PS_PER_S / self.rate_bytes_per_s)

    @property
    def most_occupancy(self) -> MostOccupancy:
        """All but one byte of a burst may be in vain, and a picosecond is rounded up."""
        ps_per_byte = float(PS_PER_S / self.rate_bytes_per_s)
        cut_ps = (self._burst_bytes - 1) * ps_per_byte + 1
        return MostOccupancy(ps_per_byte, cut_ps, cut_ps)

    def refreshes_in(self, duration_ps: int) -> int:
        """None: what refresh costs is part of the efficiency."""
        del duration_ps
        return 0

    def _uncached_cost(self, n_bytes: int) -> TransferCost:
        bursts = ceil_div(n_bytes, self._burst_bytes)
        bus_bytes = bursts * self._burst_bytes
        occupancy_ps = bytes_to_ps(bus_bytes, self.rate_bytes_per_s)
        return TransferCost(occupancy_ps, bus_bytes, bursts, activates=0)
