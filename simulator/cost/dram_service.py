"""What serving a list of transfers took: times and commands, whatever kind of memory it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from simulator.cost.dram_address import Transfer
from simulator.cost.dram_energy import DramEvents


@dataclass(frozen=True, slots=True)
class TransferService:
    """One transfer: how long the memory was taken by it, and its commands over all channels.

    `occupancy_ps` is how much later the memory is free than after the transfer before it; 0 for
    a transfer that was overtaken or merged into earlier work. Activates include one for every
    refresh that closed its row.
    """

    occupancy_ps: int
    read_bursts: int
    write_bursts: int
    activates: int

    @property
    def row_hits(self) -> int:
        """Bursts that found their row open."""
        return self.read_bursts + self.write_bursts - self.activates

    @property
    def row_misses(self) -> int:
        """Bursts that needed an activate."""
        return self.activates


@dataclass(frozen=True)
class DramService:
    """All transfers in order, and what cannot be told apart by transfer."""

    transfers: tuple[TransferService, ...]
    burst_bytes: int
    refreshes: int
    turnarounds: int

    @property
    def duration_ps(self) -> int:
        """Time from the first command to the last data."""
        return sum(t.occupancy_ps for t in self.transfers)

    @property
    def row_hit_fraction(self) -> float:
        """Share of bursts that found their row open."""
        bursts = sum(t.read_bursts + t.write_bursts for t in self.transfers)
        return sum(t.row_hits for t in self.transfers) / bursts if bursts else 0.0

    @property
    def events(self) -> DramEvents:
        """The commands that draw energy."""
        return DramEvents(
            activates=sum(t.activates for t in self.transfers),
            read_bytes=sum(t.read_bursts for t in self.transfers) * self.burst_bytes,
            write_bytes=sum(t.write_bursts for t in self.transfers) * self.burst_bytes,
            refreshes=self.refreshes,
        )


class TransferMemory(Protocol):
    """A memory that serves transfers in the order given, each starting where it can."""

    def service(self, transfers: Sequence[Transfer]) -> DramService:
        """Times and commands of the transfers, the memory being idle before the first."""

    def bus_bytes(self, transfer: Transfer) -> int:
        """Bytes that cross the bus for a transfer: whole bursts."""

    def least_occupancy_ps(self, n_bytes: int) -> int:
        """A lower bound on the time that n_bytes take, however they are cut into transfers."""

    @property
    def read_latency_ps(self) -> int:
        """Time from the end of a read's occupancy to its data lying in the scratchpad."""

    @property
    def write_latency_ps(self) -> int:
        """Time from the end of a write's occupancy to its data lying in the memory."""
