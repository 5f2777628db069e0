"""Compute and stalls of many replays at once: `simulator.stalls.partition`, array by array.

The same rules in the same integers. Only what a wait takes of earlier lost time depends on the
tiles before; all else is computed for all tiles at once. Arrays are of shape (tiles or commands,
structures, designs).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.fast.batch import BlockTimes, Times
from simulator.fast.structure import Index, NotVectorisedError, Structure
from simulator.mapping.schedule import ReleaseCause
from simulator.mapping.tiles import TransferKind
from simulator.result import StallKind


@dataclass(frozen=True)
class Shares:
    """Sums over the tiles; arrays of shape (structures, designs)."""

    compute_ps: Times
    stalls_ps: dict[StallKind, Times]


def partition_block(structures: Sequence[Structure], times: BlockTimes, table: Times) -> Shares:
    """Compute time and every kind of stall of each structure on each design.

    Raises:
        NotVectorisedError: two decisions take effect between two loads.
    """
    block = _Block(structures, times, table)
    end = block.ended(block.tiles)
    busy = np.zeros_like(end)
    np.maximum.accumulate(end[:-1], axis=0, out=busy[1:])
    start = np.where(block.on_pe[:, :, None], block.asked(block.tiles), block.begun(block.tiles))
    gap_end = np.maximum(start, busy)
    decided = block.complete(block.after) + table[block.after_delay]
    decided *= (block.after_delay > 0)[:, :, None]
    decided = np.minimum(decided, gap_end)
    route = np.maximum(decided - busy, 0).sum(axis=0)
    at = np.maximum(busy, decided)
    stored = np.minimum(block.complete(block.stores), gap_end)
    full = np.maximum(stored - at, 0).sum(axis=0)
    at = np.maximum(at, stored)
    waited = (gap_end - at) * (block.loads > 0)[:, :, None]
    lost_route, lost_full = _take_lost_time(block, waited)
    weight = (waited * block.is_weight[:, :, None]).sum(axis=0)
    stalls = {
        **dict.fromkeys(StallKind, np.zeros_like(route)),
        StallKind.ROUTE_WAIT: route + lost_route,
        StallKind.SCRATCHPAD_FULL: full + lost_full,
        StallKind.WEIGHT_WAIT: weight,
        StallKind.ACTIVATION_WAIT: waited.sum(axis=0) - weight,
        StallKind.DRAIN: times.latency_ps - end.max(axis=0),
    }
    return Shares(np.maximum(end - gap_end, 0).sum(axis=0), stalls)


class _Block:
    """Columns of all structures side by side; short ones are filled up with nothing."""

    def __init__(self, structures: Sequence[Structure], times: BlockTimes, table: Times) -> None:
        self.structures, self.times, self.table = structures, times, table
        self.tiles = self._tiles([s.tile_op + 1 for s in structures])
        self.on_pe = self._tiles([s.on_pe.astype(np.int64) for s in structures]) == 1
        self.after = self._tiles([_ops(s.after, s.tile_op) for s in structures])
        self.after_delay = self._tiles([s.after_delay for s in structures])
        self.stores = self._tiles([_ops(s.stores, s.command_op) for s in structures])
        self.loads = self._tiles([s.loads for s in structures])
        self.is_weight = self._tiles(
            [
                np.array([0, *(kind is TransferKind.WEIGHT for _, kind in s.transfers)])[s.loads]
                for s in structures
            ]
        )

    def asked(self, ops: Index) -> Times:
        return _at(self.times.asked, ops)

    def begun(self, ops: Index) -> Times:
        return _at(self.times.begun, ops)

    def ended(self, ops: Index) -> Times:
        return _at(self.times.ended, ops)

    def complete(self, ops: Index) -> Times:
        return _at(self.times.complete, ops)

    @staticmethod
    def _tiles(columns: Sequence[Index]) -> Index:
        filled = np.zeros((max(map(len, columns)), len(columns)), dtype=np.int64)
        for s, column in enumerate(columns):
            filled[: len(column), s] = column
        return filled

    def idle_before(self, s: int) -> Times:
        """How long the bus stood idle before a command for the route or for space, summed up.

        Shape (commands + 1, designs).
        """
        structure, times = self.structures[s], self.times
        ops = structure.command_op + 1
        released = times.complete[_ops(structure.release, structure.tile_op), s]
        released = released + self.table[structure.release_delay]
        after = times.complete[_ops(structure.after_command, structure.command_op), s]
        released = np.maximum(released, after)
        bus_free = np.zeros_like(released)
        bus_free[1:] = times.ended[ops[:-1], s]
        causes = (ReleaseCause.ROUTE, ReleaseCause.SPACE)
        counts = np.array([cause in causes for cause in structure.cause], dtype=np.bool_)
        counts &= structure.release > 0
        held = counts[:, None] & (released == times.asked[ops, s])
        idle = np.where(held, np.maximum(released - bus_free, 0), 0)
        total = np.zeros((len(idle) + 1, idle.shape[1]), dtype=np.int64)
        np.cumsum(idle, axis=0, out=total[1:])
        return total


def _ops(places: Index, op_of: Index) -> Index:
    """Rows of times for tiles or commands counted from one; row 0, the start, for none."""
    rows: Index = np.concatenate(([0], op_of + 1))[places]
    return rows


def _at(times: Times, ops: Index) -> Times:
    found: Times = times[ops, np.arange(ops.shape[1])]
    return found


def _take_lost_time(block: _Block, waited: Times) -> tuple[Times, Times]:
    """Charge waits, which shrink, to time lost to the route and to space as far as there is some.

    Returns the time charged to each.
    """
    lost, blamed, rooms = _lost_time(block, waited.shape)
    route, full, to_route, to_full = np.zeros((4, *waited.shape[1:]), dtype=np.int64)
    for i, wait in enumerate(waited):
        if i in blamed:
            full += blamed[i]
            moved = np.minimum(full, rooms[i])
            full -= moved
            route += moved
        full += lost[i]
        taken = np.minimum(route, wait)
        route -= taken
        wait -= taken
        to_route += taken
        taken = np.minimum(full, wait)
        full -= taken
        wait -= taken
        to_full += taken
    return to_route, to_full


def _lost_time(
    block: _Block, shape: tuple[int, ...]
) -> tuple[Times, dict[int, Times], dict[int, Times]]:
    """Per tile, idle time of the commands up to its load that no tile before has looked at.

    Where a decision's first command is among them, that up to it by itself, and the time its free
    bytes take to be filled: that much of all time lost so far was the route's.
    """
    lost = np.zeros(shape, dtype=np.int64)
    blamed: dict[int, Times] = {}
    rooms: dict[int, Times] = {}
    for s, structure in enumerate(block.structures):
        idle = block.idle_before(s)
        firsts = _first_commands(structure)
        seen = 0
        for i, load in enumerate(structure.loads.tolist()):
            if load <= seen:
                continue
            decisive = [j for j in firsts if seen <= j < load]
            if len(decisive) > 1:
                raise NotVectorisedError("two decisions take effect between two loads")
            for j in decisive:
                if i not in blamed:
                    blamed[i], rooms[i] = np.zeros((2, *shape[1:]), dtype=np.int64)
                blamed[i][s] = idle[j + 1] - idle[seen]
                rooms[i][s] = block.table[firsts[j]]
                seen = j + 1
            lost[i, s] = idle[load] - idle[seen]
            seen = load
    return lost, blamed, rooms


def _first_commands(structure: Structure) -> dict[int, int]:
    """The first command that waits for each decision, and the number of its room's duration."""
    found: dict[int, int] = {}
    pending = dict(structure.rooms)
    for j, cause in enumerate(structure.cause):
        if cause is ReleaseCause.ROUTE:
            room = pending.pop(int(structure.release[j]) - 1, None)
            if room is not None:
                found[j] = room
    return found
