"""A schedule without its times: what waits for what, and which durations it takes.

Designs that differ in bandwidth, latencies or clocks alone share schedules. A `Structure` keeps of
one what they share, as arrays, and refers to durations by number, so that one table of durations
per design makes a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.cost.energy import EventCounts
from simulator.cost.energy_table import Operands
from simulator.mapping.schedule import NONE, ReleaseCause, Schedule
from simulator.mapping.tiles import TransferKind
from simulator.mapping.tiling import GroupShape

Index = NDArray[np.int64]


class NotVectorisedError(Exception):
    """A schedule that the vectorised recurrence does not take, and why."""


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

    def number(self, *key: object) -> int:
        """The number of a duration, a new one if it is not known yet."""
        return self._known.setdefault(key, len(Common) + len(self._known))

    @property
    def keys(self) -> list[tuple[object, ...]]:
        """What the numbers after the common ones stand for, in order."""
        return list(self._known)


@dataclass(frozen=True)
class Structure:
    """One schedule's operations (tiles and commands) in an order in which all can be computed.

    Arrays over operations; an operation is referred to by its place plus one, 0 is none.

    Attributes:
        is_command: shape (ops,): command, or tile.
        waits: shape (4, ops): operations that must be complete; the second, a delay later.
        durations: shape (5, ops), numbers: delay of the second wait; before the resource is
            asked for; on it; of the PE array; from the resource's end to completion.
        tile_op, command_op: place of each tile and command among the operations.
        loads, stores, after: per tile, the command or tile waited for, plus one.
        after_delay: per tile, duration number.
        group: per tile. on_pe: per tile, whether it uses the PE array.
        release, release_delay, after_command, cause: per command, as in `CommandColumns`.
        rooms: per branch, its tile and the number of the duration that fills its free bytes.
        fixed_bytes: per tile. taken_bytes: per command, of buffers. freed_bytes: per tile.
        transfers: per command, (number of its occupancy, kind).
        counts: of the compute side and the DMA's bytes, the DRAM's left out.
        mac_terms: per group, its MACs and what they multiply.
        weight_bytes, activation_bytes: moved.
        speculative: the schedule itself, with numbers for times, if it speculates.
    """

    is_command: NDArray[np.bool_]
    waits: Index
    durations: Index
    tile_op: Index
    command_op: Index
    loads: Index
    stores: Index
    after: Index
    after_delay: Index
    on_pe: NDArray[np.bool_]
    release: Index
    release_delay: Index
    after_command: Index
    cause: tuple[ReleaseCause, ...]
    rooms: dict[int, int]
    fixed_bytes: Index
    taken_bytes: Index
    freed_bytes: Index
    transfers: tuple[tuple[int, TransferKind], ...]
    counts: EventCounts
    mac_terms: tuple[tuple[int, Operands], ...]
    weight_bytes: int
    activation_bytes: int
    speculative: Schedule | None


def structure_of(schedule: Schedule, numbers: Durations) -> Structure:
    """The structure of a schedule that was built with a `RecordingDram`."""
    return _Builder(schedule, numbers).build()


class _Builder:
    """Working state of `structure_of`."""

    def __init__(self, schedule: Schedule, numbers: Durations) -> None:
        self.schedule, self.numbers = schedule, numbers
        self.n_tiles, self.n_commands = len(schedule.tiles.group), len(schedule.commands.kind)
        self.tile_op = np.zeros(self.n_tiles, dtype=np.int64)
        self.command_op = np.zeros(self.n_commands, dtype=np.int64)
        self.rows: list[tuple[int, ...]] = []
        self.decisions = set(schedule.branch_tiles)
        commands = schedule.commands
        self.transfers = list(zip(commands.occupancy_ps, commands.kind, strict=True))

    def build(self) -> Structure:
        """Walk tiles and commands in the order of the recurrence."""
        tiles, commands, schedule = self.schedule.tiles, self.schedule.commands, self.schedule
        cycles = [tile for group in schedule.tiled for tile in group.tiles]
        starts = {start: place for place, start in enumerate(schedule.starts)}
        issued = 0
        for i in range(self.n_tiles):
            needed = max(tiles.load_command[i], tiles.store_command[i]) + 1
            while issued < needed:
                self._command(issued)
                issued += 1
            setup = (int(i in starts), int(i == 0))
            pe = cycles[i].pe_cycles
            self._tile(
                i,
                self.numbers.number("pe", pe, *(setup if pe else (0, 0))),
                self.numbers.number("vector", cycles[i].vector_cycles, *((0, 0) if pe else setup)),
            )
        while issued < self.n_commands:
            self._command(issued)
            issued += 1
        columns = np.array(self.rows, dtype=np.int64).T
        buffers = [
            0 if kind is TransferKind.OFMAP or staged else n_bytes
            for kind, staged, n_bytes in zip(
                commands.kind, commands.staged, commands.n_bytes, strict=True
            )
        ]
        freed = np.zeros(self.n_tiles, dtype=np.int64)
        for j, n_bytes in enumerate(buffers):
            if n_bytes:
                freed[commands.free_tile[j]] += n_bytes
        return Structure(
            is_command=columns[0] == 1,
            waits=columns[1:5],
            durations=columns[5:10],
            tile_op=self.tile_op,
            command_op=self.command_op,
            loads=_whole(tiles.load_command) + 1,
            stores=_whole(tiles.store_command) + 1,
            after=_whole(tiles.after_tile) + 1,
            after_delay=_whole([self._branch_delay(i) for i in range(self.n_tiles)]),
            on_pe=np.array([tile.pe_cycles > 0 for tile in cycles]),
            release=_whole(commands.release_tile) + 1,
            release_delay=_whole([self._fetch_delay(j) for j in range(self.n_commands)]),
            after_command=_whole(commands.after_command) + 1,
            cause=commands.release_cause,
            rooms={
                tile: self.numbers.number("room", free)
                for tile, free in zip(
                    schedule.branch_tiles, schedule.branch_free_bytes, strict=True
                )
            },
            fixed_bytes=_whole(schedule.fixed_bytes),
            taken_bytes=_whole(buffers),
            freed_bytes=freed,
            transfers=tuple(self.transfers),
            speculative=schedule if schedule.speculation is not None else None,
            **self._totals(),
        )

    def _branch_delay(self, i: int) -> int:
        after = self.schedule.tiles.after_tile[i]
        return Common.BRANCH_LATENCY if after in self.decisions else Common.ZERO

    def _fetch_delay(self, j: int) -> int:
        delayed = self.schedule.commands.release_delay_ps[j] > 0
        return Common.FETCH_DELAY if delayed else Common.ZERO

    def _tile(self, i: int, pe: int, vector: int) -> None:
        tiles = self.schedule.tiles
        load, store, after = tiles.load_command[i], tiles.store_command[i], tiles.after_tile[i]
        self.rows.append(
            (
                0,
                self.tile_op[i - 2] + 1 if i >= 2 else 0,
                self.tile_op[after] + 1 if after != NONE else 0,
                self.command_op[load] + 1 if load != NONE else 0,
                self.command_op[store] + 1 if store != NONE else 0,
                self._branch_delay(i),
                Common.ZERO,
                vector,
                pe,
                Common.ZERO,
            )
        )
        self.tile_op[i] = len(self.rows) - 1

    def _command(self, j: int) -> None:
        commands, channels = self.schedule.commands, self.schedule.channels
        release, after = commands.release_tile[j], commands.after_command[j]
        number, kind = self.transfers[j]
        is_store = kind is TransferKind.OFMAP
        self.rows.append(
            (
                1,
                self.command_op[j - channels] + 1 if j >= channels else 0,
                self.tile_op[release] + 1 if release != NONE else 0,
                self.command_op[after] + 1 if after != NONE else 0,
                0,
                self._fetch_delay(j),
                Common.DESCRIPTOR,
                number,
                Common.ZERO,
                Common.WRITE_LATENCY if is_store else Common.READ_LATENCY,
            )
        )
        self.command_op[j] = len(self.rows) - 1

    def _totals(self) -> dict[str, Any]:
        """What does not depend on durations."""
        moved = dict.fromkeys(TransferKind, 0)
        commands = self.schedule.commands
        for kind, n_bytes in zip(commands.kind, commands.n_bytes, strict=True):
            moved[kind] += n_bytes
        counts = reduce(add, (group.counts for group in self.schedule.tiled)) + EventCounts(
            scratchpad_read_bytes=moved[TransferKind.OFMAP],
            scratchpad_write_bytes=moved[TransferKind.WEIGHT] + moved[TransferKind.IFMAP],
        )
        return {
            "counts": counts,
            "mac_terms": tuple(
                (tiled.counts.macs, _operands(group.shape))
                for group, tiled in zip(self.schedule.groups, self.schedule.tiled, strict=True)
            ),
            "weight_bytes": moved[TransferKind.WEIGHT],
            "activation_bytes": moved[TransferKind.IFMAP] + moved[TransferKind.OFMAP],
        }


def _operands(shape: GroupShape) -> Operands:
    return Operands(shape.weight_bits, shape.input_bits, shape.floating)


def _whole(values: Sequence[int]) -> Index:
    return np.array(values, dtype=np.int64)
