"""Which banks and rows an extent of addresses touches: arithmetic, not a walk over bursts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simulator.cost.dram_timing import AddressMapping, DramOrganisation
from simulator.units import ceil_div


@dataclass(frozen=True, slots=True)
class Transfer:
    """One DMA transfer: `pieces` runs of `n_bytes`, `stride_bytes` apart (start to start)."""

    address: int
    n_bytes: int
    is_write: bool = False
    pieces: int = 1
    stride_bytes: int = 0


@dataclass(slots=True)
class Region:
    """Bursts `first` to `end` of a region: one row in each of `width` neighbouring banks.

    Burst i of a region lies in bank `bank` + (i // `run`) modulo `width`.
    """

    bank: int
    row: int
    width: int
    run: int
    first: int
    end: int

    def in_bank(self, offset: int, first: int, end: int) -> int:
        """How many of the region's bursts first..end-1 lie in bank `bank` + offset."""
        return self._below(end, offset) - self._below(first, offset)

    def spread(self, first: int, count: int) -> Iterator[tuple[int, int]]:
        """(offset, bursts) of every bank that bursts first..first+count-1 touch."""
        run, width = self.run, self.width
        piece = first // run
        pieces = (first + count - 1) // run - piece + 1
        if pieces == 1:
            yield piece % width, count
            return
        start = piece % width
        for offset in range(start, start + min(pieces, width)):
            yield offset % width, self.in_bank(offset % width, first, first + count)

    def _below(self, burst: int, offset: int) -> int:
        turns, rest = divmod(burst, self.run * self.width)
        return turns * self.run + min(max(rest - offset * self.run, 0), self.run)


@dataclass(frozen=True, slots=True)
class RegionShape:
    """How a mapping cuts addresses: see `Region`; `bursts` in each, `bank_sets` in a lap."""

    width: int
    run: int
    bursts: int
    bank_sets: int

    @property
    def lap_bursts(self) -> int:
        """Bursts in one row of every bank."""
        return self.bursts * self.bank_sets


class Extent:
    """A walk over the regions of a contiguous extent, which can jump whole laps of all banks."""

    def __init__(self, shape: RegionShape, first: int, end: int) -> None:
        self._shape, self._first, self._end = shape, first, end

    def next_region(self) -> Region | None:
        """The next region in address order, or None at the end."""
        if self._first >= self._end:
            return None
        shape = self._shape
        index, start = divmod(self._first, shape.bursts)
        stop = min(shape.bursts, start + self._end - self._first)
        row, bank_set = divmod(index, shape.bank_sets)
        self._first += stop - start
        return Region(bank_set * shape.width, row, shape.width, shape.run, start, stop)

    def laps_left(self, region: Region) -> int:
        """Whole laps from the start of this region, the latest, on; 0 in the midst of a lap."""
        if region.bank or region.first:
            return 0
        return (self._end - self._first + region.end) // self._shape.lap_bursts

    def skip_laps(self, region: Region) -> int:
        """Jump over all whole laps but the last, as if this region lay that much further on."""
        laps = self.laps_left(region) - 1
        self._first += laps * self._shape.lap_bursts
        return laps


class AddressMap:
    """Decodes extents for one organisation and mapping."""

    def __init__(self, organisation: DramOrganisation, mapping: AddressMapping) -> None:
        self._channels = organisation.channels
        self._burst_bytes = organisation.burst_bytes
        row_bursts = organisation.row_bytes // organisation.burst_bytes
        width, run = 1, row_bursts
        if mapping is AddressMapping.ROW_BANK_COLUMN_GROUP and organisation.bank_groups > 1:
            width, run = organisation.bank_groups, 1
        elif mapping is AddressMapping.ROW_COLUMN_BANK_256:
            width, run = organisation.banks, 256 // organisation.burst_bytes
        self._shape = RegionShape(width, run, row_bursts * width, organisation.banks // width)

    def bursts(self, address: int, n_bytes: int) -> tuple[int, int]:
        """First and one past the last burst of an extent on its busiest channel."""
        first, end = address // self._burst_bytes, ceil_div(address + n_bytes, self._burst_bytes)
        if self._channels > 1:
            share = ceil_div(end - first, self._channels)
            first //= self._channels
            end = first + share
        return first, end

    def extents(self, transfer: Transfer) -> Iterator[Extent]:
        """The transfer's contiguous pieces on its busiest channel."""
        for piece in range(transfer.pieces):
            address = transfer.address + piece * transfer.stride_bytes
            yield Extent(self._shape, *self.bursts(address, transfer.n_bytes))
