"""A schedule without its times: what waits for what, and which durations it takes.

Designs that differ in bandwidth, latencies or clocks alone share schedules. A `Structure` keeps of
one what they share, as arrays, and refers to durations by number, so that one table of durations
serves them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from simulator.cost.energy import EventCounts
from simulator.cost.energy_table import Operands
from simulator.kernels.columns import Branches, Commands, Dma, Entries, Tiles, Work
from simulator.kernels.work import Sizes, between_bytes, freed_bytes, work_of
from simulator.mapping.schedule import Schedule, Speculation
from simulator.mapping.tiles import TransferKind
from simulator.mapping.tiling import GroupShape

Index = NDArray[np.int64]


class NotVectorisedError(Exception):
    """A point that the recurrence over many designs does not take, and why."""


class Common(IntEnum):
    """Durations that every design has, by their number; cycles and transfers follow."""

    ZERO = 0
    DESCRIPTOR = 1
    READ_LATENCY = 2
    WRITE_LATENCY = 3
    FETCH_DELAY = 4
    BRANCH_LATENCY = 5


class Durations:
    """Numbers the durations that structures refer to.

    They are known as ("pe" or "vector", cycles, setups of a layer, of an inference), ("transfer",
    its extent), ("extents", how many, each of them) and ("room", bytes to be filled).
    """

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], int] = {}
        self._keys: list[tuple[object, ...]] = []

    def number(self, *key: object) -> int:
        """The number of a duration, a new one if it is not known yet."""
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = len(Common) + len(self._keys)
            self._keys.append(key)
        return found

    @property
    def keys(self) -> Sequence[tuple[object, ...]]:
        """What the numbers after the common ones stand for, in order; do not change it."""
        return self._keys


@dataclass(frozen=True, eq=False)
class Structure:
    """What the designs of a family share of one schedule. It equals itself alone.

    Attributes:
        work: for the recurrence, with numbers of durations in place of times.
        sizes: of it.
        is_write: per command.
        freed_bytes, between_bytes: per tile, see `kernels.occupancy`.
        counts: of the compute side and the DMA's bytes, the DRAM's left out.
        mac_terms: per group, its MACs and what they multiply.
        weight_bytes, activation_bytes: moved.
    """

    work: Work
    sizes: Sizes
    is_write: NDArray[np.bool_]
    freed_bytes: Index
    between_bytes: Index
    counts: EventCounts
    mac_terms: tuple[tuple[int, Operands], ...]
    weight_bytes: int
    activation_bytes: int


def structure_of(schedule: Schedule, numbers: Durations) -> Structure:
    """The structure of a schedule that was built with a `RecordingDram`."""
    work = work_of(schedule)
    is_write = np.array([kind is TransferKind.OFMAP for kind in schedule.commands.kind], np.bool_)
    commands = Commands(*map(_whole, work.commands))
    n_bytes = _whole(schedule.commands.n_bytes)
    weight_bytes = int(n_bytes[commands.is_weight == 1].sum())
    written_bytes = int(n_bytes[is_write].sum())
    read_bytes = int(n_bytes.sum()) - written_bytes
    counts = reduce(add, (group.counts for group in schedule.tiled)) + EventCounts(
        scratchpad_read_bytes=written_bytes, scratchpad_write_bytes=read_bytes
    )
    return Structure(
        work=Work(
            _whole(work.order),
            _tiles(schedule, work.tiles, numbers),
            commands._replace(
                latency_ps=np.where(is_write, Common.WRITE_LATENCY, Common.READ_LATENCY),
                delay_ps=np.where(commands.delay_ps > 0, Common.FETCH_DELAY, Common.ZERO),
            ),
            _entries(work.entries),
            Branches(*map(_whole, work.branches)),
            _dma(work.dma, schedule.speculation),
        ),
        sizes=Sizes.of(work),
        is_write=is_write,
        freed_bytes=_whole(freed_bytes(schedule, work)),
        between_bytes=_whole(between_bytes(schedule)),
        counts=counts,
        mac_terms=tuple(
            (tiled.counts.macs, _operands(group.shape))
            for group, tiled in zip(schedule.groups, schedule.tiled, strict=True)
        ),
        weight_bytes=weight_bytes,
        activation_bytes=int(n_bytes.sum()) - weight_bytes,
    )


def _tiles(schedule: Schedule, tiles: Tiles, numbers: Durations) -> Tiles:
    pe_cycles = np.concatenate([tiled.pe_cycles for tiled in schedule.tiled])
    vector_cycles = np.concatenate([tiled.vector_cycles for tiled in schedule.tiled])
    pe, vector = _numbered("pe", pe_cycles, numbers), _numbered("vector", vector_cycles, numbers)
    for start in schedule.starts[:-1]:
        setups = (1, int(start == 0))
        unit, cycles, column = (
            ("pe", pe_cycles, pe) if pe_cycles[start] else ("vector", vector_cycles, vector)
        )
        column[start] = numbers.number(unit, int(cycles[start]), *setups)
    room = np.full(len(pe), Common.ZERO, dtype=np.int64)
    for tile, free_bytes in zip(schedule.branch_tiles, schedule.branch_free_bytes, strict=True):
        room[tile] = numbers.number("room", free_bytes)
    after = _whole(tiles.after)
    return Tiles(
        pe_ps=pe,
        vector_ps=vector,
        after=after,
        delay_ps=np.where(
            np.isin(after, schedule.branch_tiles), Common.BRANCH_LATENCY, Common.ZERO
        ),
        load=_whole(tiles.load),
        store=_whole(tiles.store),
        fence=_whole(tiles.fence),
        is_pe=pe_cycles,
        fixed_bytes=_whole(tiles.fixed_bytes),
        room_ps=room,
    )


def _numbered(unit: str, cycles: Index, numbers: Durations) -> Index:
    """The number of each tile's cycles."""
    different, which = np.unique(cycles, return_inverse=True)
    return _whole([numbers.number(unit, int(each), 0, 0) for each in different])[which]


def _entries(entries: Entries) -> Entries:
    found = Entries(*map(_whole, entries))
    return found._replace(
        latency_ps=np.full(len(found.branch), Common.READ_LATENCY, dtype=np.int64),
        delay_ps=np.where(found.delay_ps > 0, Common.FETCH_DELAY, Common.ZERO),
    )


def _dma(dma: Dma, speculation: Speculation | None) -> Dma:
    is_delayed = speculation is not None and speculation.decision_delay_ps > 0
    delay = Common.FETCH_DELAY if is_delayed else Common.ZERO
    return Dma(dma.channels, int(Common.DESCRIPTOR), dma.granule_bytes, int(delay))


def _operands(shape: GroupShape) -> Operands:
    return Operands(shape.weight_bits, shape.input_bits, shape.floating)


def _whole(values: Sequence[int]) -> Index:
    return np.array(values, dtype=np.int64)
