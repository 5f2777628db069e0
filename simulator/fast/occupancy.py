"""The most scratchpad bytes a replay occupies while time passes, as the event engine counts."""

from __future__ import annotations

import numpy as np

from simulator.fast.batch import BlockTimes, Times
from simulator.fast.speculative import NEVER_PS
from simulator.fast.structure import NotVectorisedError, Structure
from simulator.mapping.schedule import NONE, Speculation
from simulator.mapping.tiles import TransferKind
from simulator.timeline import Timeline


def peak_bytes(structure: Structure, times: BlockTimes, s: int, design: int) -> int:
    """Peak of one structure of a block on one design.

    Loads take their buffers when they are issued and give them back when their last reader is
    done. A tile's fixed bytes are there from its dispatch, or from when the tile before is done.
    """
    tile_rows, command_rows = structure.tile_op + 1, structure.command_op + 1
    done = times.ended[tile_rows, s, design]
    dispatched = times.asked[tile_rows, s, design]
    buffers = structure.taken_bytes > 0
    issued = times.asked[command_rows[buffers], s, design]
    taken = _running(structure.taken_bytes[buffers])
    freed = _running(structure.freed_bytes)
    instants = np.unique(np.concatenate((done, dispatched, issued)))
    n_done = np.searchsorted(done, instants, side="right")
    n_dispatched = np.searchsorted(dispatched, instants, side="right")
    loaded = taken[np.searchsorted(issued, instants, side="right")] - freed[n_done]
    last = len(done) - 1
    running = np.where(n_done < n_dispatched, n_dispatched - 1, np.minimum(n_dispatched, last))
    return int((loaded + structure.fixed_bytes[running]).max())


def _running(values: Times) -> Times:
    return np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(values)))


def peak_of_timeline(timeline: Timeline) -> int:
    """Peak of a replay that speculates.

    An entry takes its buffer when the second queue issues it, before its branch is decided. What
    an arm not taken has taken is given back when the last of it has landed.

    Raises:
        NotVectorisedError: an entry would be issued in the picosecond of its branch's decision:
            which comes first is the event queue's.
    """
    schedule, commands = timeline.schedule, timeline.schedule.commands
    queue = _SecondQueue(timeline)
    changes = list(queue.changes)
    for j, n_bytes in enumerate(commands.n_bytes):
        if commands.kind[j] is TransferKind.OFMAP or commands.staged[j]:
            continue
        changes.append((timeline.vector_end_ps[commands.free_tile[j]], -n_bytes))
        if j not in queue.commands:
            changes.append((timeline.issue_ps[j], n_bytes))
    at, by = np.array(sorted(changes) or [(0, 0)], dtype=np.int64).T
    done = np.array(timeline.vector_end_ps, dtype=np.int64)
    dispatched = np.array(timeline.pe_start_ps, dtype=np.int64)
    instants = np.unique(np.concatenate((at, done, dispatched)))
    loaded = _running(by)[np.searchsorted(at, instants, side="right")]
    n_done = np.searchsorted(done, instants, side="right")
    n_dispatched = np.searchsorted(dispatched, instants, side="right")
    fixed = np.array(schedule.fixed_bytes, dtype=np.int64)
    between = np.concatenate((fixed, fixed[-1:]))
    for decision in queue.decisions:
        # Until the arm starts, speculation may fill what its first layer will need.
        between[decision + 1] = min(fixed[decision], fixed[decision + 1])
    running = fixed[np.maximum(n_dispatched - 1, 0)]
    held = np.where(n_done < n_dispatched, running, between[n_dispatched])
    return int((loaded + held).max())


class _SecondQueue:
    """When speculation takes and gives back buffers.

    Attributes:
        changes: (time, bytes). commands: whose buffers were taken before they were issued.
        decisions: tiles that end a branch that is speculated on.
    """

    def __init__(self, timeline: Timeline) -> None:
        self.changes: list[tuple[int, int]] = []
        self.commands: set[int] = set()
        self.decisions: list[int] = []
        self._timeline = timeline
        self._cleared: dict[int, int] = {}
        speculation = timeline.schedule.speculation
        if speculation is not None:
            for decision, entries in sorted(speculation.entries_of.items()):
                self.decisions.append(decision)
                self._walk(speculation, decision, entries)

    def _walk(self, speculation: Speculation, decision: int, entries: range) -> None:
        timeline, early = self._timeline, self._timeline.early
        decided = timeline.vector_end_ps[decision] + speculation.decision_delay_ps
        lost_bytes = at = 0
        for q in entries:
            at = max(at, self._issue_ps(speculation, q, entries.start))
            if at == decided:
                raise NotVectorisedError("a speculative load is issued as its branch is decided")
            if at > decided:
                break
            if speculation.staged[q]:
                continue
            self.changes.append((at, speculation.n_bytes[q]))
            if speculation.command[q] == NONE:
                lost_bytes += speculation.n_bytes[q]
            else:
                self.commands.add(speculation.command[q])
        landed = [early[q].landed_ps for q in entries if speculation.command[q] == NONE]
        cleared = max([decided, *landed, *self._cleared.values()])
        self._cleared[decision] = cleared
        self.changes.append((cleared, -lost_bytes))

    def _issue_ps(self, speculation: Speculation, q: int, first: int) -> int:
        """When an entry could be issued, but for the one before it."""
        timeline, at = self._timeline, 0
        before = q - timeline.schedule.channels
        if before >= first:
            fetched = timeline.early[before]
            if fetched.n_bytes < speculation.n_bytes[before]:
                return NEVER_PS
            at = fetched.landed_ps
        release, after = speculation.release_tile[q], speculation.after_command[q]
        if release != NONE:
            at = max(at, timeline.vector_end_ps[release] + speculation.release_delay_ps[q])
        if after != NONE:
            at = max(at, timeline.complete_ps[after])
        if speculation.fence[q] != NONE:
            at = max(at, self._cleared[speculation.fence[q]])
        return at
