"""Replays many structures on many designs at once: the recurrence, one array step per operation.

All structures of a block take their first operation together, then their second, and so on; each
on all designs. Integer picoseconds throughout: equal to `replay`, and so to the event engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.fast.structure import Index, Structure

Times = NDArray[np.int64]


@dataclass(frozen=True)
class BlockTimes:
    """When everything happened; shape (ops + 1, structures, designs), row 0 is the start.

    Attributes:
        asked: tiles: start on the PE array; commands: issue.
        begun: tiles: start on the vector unit; commands: start on the bus.
        ended: tiles: done; commands: end on the bus.
        complete: tiles: done; commands: data in place.
    """

    asked: Times
    begun: Times
    ended: Times
    complete: Times

    @property
    def latency_ps(self) -> Times:
        """Shape (structures, designs)."""
        latest: Times = self.complete.max(axis=0)
        return latest


def replay_block(structures: Sequence[Structure], table: Times) -> BlockTimes:
    """Times of all structures on all designs.

    Args:
        structures: schedules that refer to the same numbers of durations.
        table: shape (numbers, designs), each duration's picoseconds.
    """
    waits, durations, kinds = _stacked(structures)
    n_ops, n = kinds.shape
    n_designs = table.shape[1]
    asked, begun, ended, complete = np.zeros((4, n_ops + 1, n, n_designs), dtype=np.int64)
    flat = complete.reshape(-1, n_designs)
    # Per kind and structure, when the unit that tiles or commands pass first is free, and the next.
    first, second = np.zeros((2, 2 * n, n_designs), dtype=np.int64)
    spent = np.empty((5, n, n_designs), dtype=np.int64)
    latest = np.empty((4, n, n_designs), dtype=np.int64)
    free = np.empty((n, n_designs), dtype=np.int64)
    for t in range(n_ops):
        unit, at, end = kinds[t], asked[t + 1], ended[t + 1]
        table.take(durations[t], axis=0, out=spent, mode="clip")
        flat.take(waits[t], axis=0, out=latest, mode="clip")
        latest[1] += spent[0]
        first.take(unit, axis=0, out=free, mode="clip")
        np.maximum(latest[0], latest[1], out=at)
        np.maximum(at, latest[2], out=at)
        np.maximum(at, latest[3], out=at)
        np.maximum(at, free, out=at)
        second.take(unit, axis=0, out=free, mode="clip")
        np.add(at, spent[1], out=end)
        np.maximum(end, free, out=begun[t + 1])
        np.add(begun[t + 1], spent[2], out=end)
        np.add(at, spent[3], out=free)
        np.maximum(end, free, out=end)
        first[unit] = free
        second[unit] = end
        np.add(end, spent[4], out=complete[t + 1])
    return BlockTimes(asked, begun, ended, complete)


def _stacked(structures: Sequence[Structure]) -> tuple[Index, Index, Index]:
    """Waits and durations of all, by operation; short ones wait for nothing at their end.

    Returns shapes (ops, 4, structures), (ops, 5, structures) and (ops, structures); waits refer
    to rows of (operation, structure), units to (kind, structure).
    """
    n = len(structures)
    n_ops = max(len(structure.is_command) for structure in structures)
    waits = np.zeros((n_ops, 4, n), dtype=np.int64)
    durations = np.zeros((n_ops, 5, n), dtype=np.int64)
    kinds = np.zeros((n_ops, n), dtype=np.int64)
    for s, structure in enumerate(structures):
        length = len(structure.is_command)
        waits[:length, :, s] = structure.waits.T
        durations[:length, :, s] = structure.durations.T
        kinds[:length, s] = structure.is_command
    place = np.arange(n)
    return waits * n + place, durations, kinds * n + place
