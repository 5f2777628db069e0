"""A schedule as kernels read it, and room for the times of its replay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from simulator.kernels.columns import (
    Branches,
    Column,
    Commands,
    Dma,
    Entries,
    Tiles,
    Times,
    Work,
)
from simulator.kernels.shares import BY_ROUTE, BY_SPACE, UNCAUSED
from simulator.mapping.schedule import NONE, ReleaseCause, Schedule, Speculation
from simulator.mapping.tiles import TransferKind

CAUSE_CODES = {ReleaseCause.ROUTE: BY_ROUTE, ReleaseCause.SPACE: BY_SPACE}


def work_of(schedule: Schedule) -> Work:
    """The columns of a schedule, in an order in which all can be computed."""
    columns, speculation = schedule.commands, schedule.speculation
    n_tiles, n_commands = len(schedule.tiles.group), len(columns.kind)
    decided = () if speculation is None else tuple(sorted(speculation.entries_of))
    order, before = _order(schedule, decided)
    entry = [NONE] * n_commands
    if speculation is not None:
        for j, q in speculation.entry_of.items():
            entry[j] = q
    fences = (NONE,) * n_commands if speculation is None else speculation.command_fence
    commands = Commands(
        occupancy_ps=columns.occupancy_ps,
        latency_ps=columns.latency_ps,
        release=columns.release_tile,
        delay_ps=columns.release_delay_ps,
        after=columns.after_command,
        entry=entry,
        fence=fences,
        before=before,
        cause=[CAUSE_CODES.get(cause, UNCAUSED) for cause in columns.release_cause],
        is_weight=[int(kind is TransferKind.WEIGHT) for kind in columns.kind],
        buffer_bytes=[
            0 if staged or free == NONE else n_bytes
            for n_bytes, free, staged in zip(
                columns.n_bytes, columns.free_tile, columns.staged, strict=True
            )
        ],
    )
    dma = Dma(schedule.channels, schedule.descriptor_ps, 1, 0)
    if speculation is not None:
        dma = dma._replace(
            granule_bytes=speculation.granule_bytes,
            decision_delay_ps=speculation.decision_delay_ps,
        )
    fences = (NONE,) * n_tiles if speculation is None else speculation.tile_fence
    return Work(
        order,
        _tiles(schedule, fences),
        commands,
        _entries(speculation, decided),
        _branches(speculation, decided),
        dma,
    )


def _order(schedule: Schedule, decided: Sequence[int]) -> tuple[list[int], list[int]]:
    """Operations as in `Work.order`; per command, the branch before whose decision it is issued.

    A tile comes after the commands it waits for and all before them; a decision after its tile and
    the commands that earlier tiles release.
    """
    tiles, released = schedule.tiles, schedule.commands.release_tile
    n_tiles, n_commands = len(tiles.group), len(released)
    tile, branch = np.arange(n_tiles), np.arange(len(decided))
    decisions = np.array(decided, dtype=np.int64)
    needed = np.maximum(np.array(tiles.load_command), np.array(tiles.store_command)) + 1
    flushed = np.searchsorted(np.array(released, dtype=np.int64), decisions)
    following = decisions + 1 < n_tiles
    np.maximum.at(needed, decisions[following] + 1, flushed[following])
    issued = np.maximum.accumulate(needed)
    tile_at = tile + issued + np.searchsorted(decisions, tile)
    decision_at = decisions + 1 + np.maximum(issued[decisions], flushed) + branch
    order = np.full(n_tiles + n_commands + len(decided), NONE, dtype=np.int64)
    order[tile_at], order[decision_at] = tile, n_tiles + n_commands + branch
    order[order == NONE] = n_tiles + np.arange(n_commands)
    before = np.full(n_commands, NONE, dtype=np.int64)
    for b, (first, last) in enumerate(zip(issued[decisions], flushed, strict=True)):
        before[first:last] = b
    return order.tolist(), before.tolist()


def _tiles(schedule: Schedule, fences: Sequence[int]) -> Tiles:
    columns = schedule.tiles
    room_ps = [0] * len(columns.group)
    for tile, time_ps in zip(schedule.branch_tiles, schedule.branch_room_ps, strict=True):
        room_ps[tile] = time_ps
    return Tiles(
        pe_ps=columns.pe_ps,
        vector_ps=columns.vector_ps,
        after=columns.after_tile,
        delay_ps=columns.after_delay_ps,
        load=columns.load_command,
        store=columns.store_command,
        fence=fences,
        is_pe=columns.pe_ps,
        fixed_bytes=schedule.fixed_bytes,
        room_ps=room_ps,
    )


def _entries(speculation: Speculation | None, decided: Sequence[int]) -> Entries:
    if speculation is None:
        return Entries(*((),) * len(Entries._fields))
    branches = {tile: b for b, tile in enumerate(decided)}
    return Entries(
        branch=[branches[tile] for tile in speculation.decision],
        is_lost=[int(command == NONE) for command in speculation.command],
        n_bytes=speculation.n_bytes,
        occupancy_ps=speculation.occupancy_ps,
        latency_ps=speculation.latency_ps,
        release=speculation.release_tile,
        delay_ps=speculation.release_delay_ps,
        after=speculation.after_command,
        fence=speculation.fence,
        buffer_bytes=[
            0 if staged else n_bytes
            for n_bytes, staged in zip(speculation.n_bytes, speculation.staged, strict=True)
        ],
    )


def _branches(speculation: Speculation | None, decided: Sequence[int]) -> Branches:
    entries = [] if speculation is None else [speculation.entries_of[tile] for tile in decided]
    return Branches(
        tile=decided,
        first=tuple(entry.start for entry in entries),
        end=tuple(entry.stop for entry in entries),
    )


def freed_bytes(schedule: Schedule, work: Work) -> list[int]:
    """Per tile, bytes of loads given back when it is done."""
    freed = [0] * len(schedule.tiles.group)
    for tile, n_bytes in zip(schedule.commands.free_tile, work.commands.buffer_bytes, strict=True):
        if n_bytes:
            freed[tile] += n_bytes
    return freed


def between_bytes(schedule: Schedule) -> list[int]:
    """Per tile, bytes kept from when the tile before is done to its dispatch; and after the last.

    Until an arm starts, speculation may fill what its first layer will need.
    """
    fixed = schedule.fixed_bytes
    between = [*fixed, fixed[-1]]
    if schedule.speculation is not None:
        for decision in schedule.speculation.entries_of:
            between[decision + 1] = min(fixed[decision], fixed[decision + 1])
    return between


@dataclass(frozen=True)
class Sizes:
    """How many of each there are."""

    tiles: int
    commands: int
    entries: int
    branches: int

    @classmethod
    def of(cls, work: Work) -> Sizes:
        """Those of a schedule."""
        return cls(
            len(work.tiles.after),
            len(work.commands.release),
            len(work.entries.branch),
            len(work.branches.tile),
        )

    def times(self, zeros: Callable[[int], Column]) -> Times:
        """Columns of zeros, made by a function of their length.

        A burst ends with its entry, at an ordinary command or at a decision.
        """
        bursts = self.entries + self.commands + self.branches if self.entries else 0
        lengths = (
            *(self.tiles,) * 4,
            *(self.commands,) * 4,
            *(self.entries,) * 4,
            *(bursts,) * 4,
            self.tiles if self.branches else 0,
        )
        return Times(*(zeros(length) for length in lengths))
