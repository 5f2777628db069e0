"""Replays one schedule that speculates on many designs at once: the recurrence, granules included.

Which granules slip in where differs between designs, but not which operation looks for them. So
every design has its own head of the second queue, and all granules of an entry that start in one
gap follow in closed form: they lie back to back, and the load's occupancy is dealt out in
proportion to its bytes. Equal to `replay_speculative`, and so to the event engine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.fast.batch import Times
from simulator.fast.structure import Common, Structure
from simulator.mapping.schedule import NONE, Schedule, Speculation
from simulator.timeline import EarlyTransfer, Timeline

LARGEST = 2**61
"""Products of occupancy and bytes stay below it, twice the product below what 64 bits hold."""


class DesignTimes:
    """When everything happened; arrays of shape (tiles, commands or entries, designs)."""

    def __init__(
        self, structure: Structure, schedule: Schedule, speculation: Speculation, table: Times
    ) -> None:
        """`table` has each duration's picoseconds, shape (numbers, designs); see `takes`."""
        self.structure, self.schedule, self.speculation = structure, schedule, speculation
        n_tiles, n_commands = len(schedule.tiles.group), len(schedule.commands.kind)
        n_designs = table.shape[1]
        # Row 0 of what may be waited for is the start.
        self.pe_start, self.pe_end, self.vector_start, self.vector_end = np.zeros(
            (4, n_tiles + 1, n_designs), dtype=np.int64
        )
        self.issue, self.bus_start, self.bus_end, self.complete = np.zeros(
            (4, n_commands + 1, n_designs), dtype=np.int64
        )
        self.table = table
        self.queue = _SecondQueue(self)
        self._run()

    @staticmethod
    def takes(speculation: Speculation, table: Times) -> bool:
        """Whether no product of bytes and picoseconds leaves 64 bits."""
        longest_ps = int(table[list(speculation.occupancy_ps)].max())
        return longest_ps * max(speculation.n_bytes) < LARGEST

    @property
    def latency_ps(self) -> Times:
        """Per design."""
        done = (self.vector_end, self.complete, self.queue.landed)
        latest: Times = np.concatenate(done).max(axis=0)
        return latest

    def timeline(self, schedule: Schedule, design: int) -> Timeline:
        """The replay on one design, of the schedule with that design's times."""

        def column(times: Times) -> tuple[int, ...]:
            return tuple(times[1:, design].tolist())

        return Timeline(
            schedule,
            column(self.pe_start),
            column(self.pe_end),
            column(self.vector_start),
            column(self.vector_end),
            column(self.issue),
            column(self.bus_start),
            column(self.bus_end),
            column(self.complete),
            self.queue.early(design),
        )

    def _run(self) -> None:
        entries = self.speculation.entries_of
        released = self.schedule.commands.release_tile
        tiles = self.schedule.tiles
        done = 0
        last_issue = np.zeros_like(self.issue[0])
        channels = [last_issue] * self.schedule.channels
        state = (last_issue, channels)
        for i in range(len(tiles.group)):
            for j in range(done, max(tiles.load_command[i], tiles.store_command[i]) + 1):
                state = self._command(j, i, None, state)
                done = j + 1
            self._tile(i)
            if i not in entries:
                continue
            delay_ps = self.table[Common.FETCH_DELAY] if self.speculation.decision_delay_ps else 0
            decided = self.vector_end[i + 1] + delay_ps
            while done < len(released) and released[done] < i:
                state = self._command(done, i + 1, decided, state)
                done += 1
            self.queue.serve(i + 1, done, decided)
            self.queue.decide(i, decided)
        for j in range(done, len(released)):
            state = self._command(j, len(tiles.group), None, state)

    def _tile(self, i: int) -> None:
        tiles, structure, table = self.schedule.tiles, self.structure, self.table
        op = structure.tile_op[i]
        after, load, store = tiles.after_tile[i], tiles.load_command[i], tiles.store_command[i]
        fence = self.speculation.tile_fence[i]
        ready = self.pe_start[i + 1]
        np.maximum(self.pe_end[i], self.vector_end[max(i - 1, 0)], out=ready)
        if after != NONE:
            np.maximum(
                ready, self.vector_end[after + 1] + table[structure.after_delay[i]], out=ready
            )
        if load != NONE:
            np.maximum(ready, self.complete[load + 1], out=ready)
        if store != NONE:
            np.maximum(ready, self.complete[store + 1], out=ready)
        if fence != NONE:
            np.maximum(ready, self.queue.cleared[fence], out=ready)
        np.add(ready, table[structure.durations[3, op]], out=self.pe_end[i + 1])
        begin = self.vector_start[i + 1]
        np.maximum(ready, self.vector_end[i], out=begin)
        np.maximum(
            begin + table[structure.durations[2, op]],
            self.pe_end[i + 1],
            out=self.vector_end[i + 1],
        )

    def _command(
        self, j: int, tiles_done: int, decided: Times | None, state: tuple[Times, list[Times]]
    ) -> tuple[Times, list[Times]]:
        """Put one ordinary command on the bus, and what granules go before it.

        `state` is when the last command that took part in the queue was issued, and when the last
        ones were complete, one per channel.
        """
        commands, structure, table = self.schedule.commands, self.structure, self.table
        last_issue, channels = state
        release, after = commands.release_tile[j], commands.after_command[j]
        fence, entry = self.speculation.command_fence[j], self.speculation.entry_of.get(j, NONE)
        at = np.maximum(last_issue, channels[0])
        if release != NONE:
            delay = table[structure.release_delay[j]]
            np.maximum(at, self.vector_end[release + 1] + delay, out=at)
        if after != NONE:
            np.maximum(at, self.complete[after + 1], out=at)
        if fence != NONE:
            np.maximum(at, self.queue.cleared[fence], out=at)
        ready = at + table[Common.DESCRIPTOR]
        until = ready if decided is None else np.minimum(ready, decided)
        rest_ps = table[structure.transfers[j][0]]
        fetched: NDArray[np.bool_] | None = None
        if entry != NONE:
            rest_ps = self.queue.rest_ps(entry)
            fetched = self.queue.done_bytes[entry + 1] == self.speculation.n_bytes[entry]
            until = np.where(fetched, 0, until)
        self.queue.serve(tiles_done, j, until)
        begin, end = self.bus_start[j + 1], self.bus_end[j + 1]
        np.maximum(ready, self.queue.bus_free, out=begin)
        np.add(begin, rest_ps, out=end)
        op = structure.command_op[j]
        complete = np.add(end, table[structure.durations[4, op]], out=self.complete[j + 1])
        self.issue[j + 1] = at
        if fetched is None or not fetched.any():
            self.queue.bus_free = end.copy()
            return at, [*channels[1:], complete]
        self.queue.bus_free = np.where(fetched, self.queue.bus_free, end)
        early_end = self.queue.ended[entry + 1]
        for times in (self.issue[j + 1], begin, end):
            np.copyto(times, early_end, where=fetched)
        np.copyto(complete, self.queue.landed[entry + 1], where=fetched)
        moved = [
            np.where(fetched, old, new)
            for old, new in zip(channels, [*channels[1:], complete], strict=True)
        ]
        return np.where(fetched, last_issue, at), moved


class _SecondQueue:
    """The entries on every design; rows are entries counted from one, row 0 is none.

    Attributes:
        bus_free: when the bus is free. done_bytes: fetched early. ended: when the last granule was.
        landed: when that lay in the scratchpad, 0 without any. cleared: by decision, when all that
        was in vain had.
    """

    def __init__(self, times: DesignTimes) -> None:
        self.times, self.speculation = times, times.speculation
        speculation, table, channels = times.speculation, times.table, times.schedule.channels
        self.n_entries = len(speculation.decision)
        shape = (self.n_entries + 1, table.shape[1])
        self.done_bytes, self.ended, self.landed, self.issued_at = np.zeros(
            (4, *shape), dtype=np.int64
        )
        self.bus_free = np.zeros(shape[1], dtype=np.int64)
        self.cleared: dict[int, Times] = {}
        self.bursts: list[tuple[NDArray[np.int64], Times, Times, Times, NDArray[np.int64]]] = []
        self.occupancy = table[list(speculation.occupancy_ps)]
        self.n_bytes = np.array(speculation.n_bytes, dtype=np.int64)
        firsts = [speculation.entries_of[tile].start for tile in speculation.decision]
        self.before = np.array(
            [q if q > first else 0 for q, first in enumerate(firsts)], dtype=np.int64
        )
        self.channel = np.array(
            [max(q - channels + 1, 0) if q - channels >= f else 0 for q, f in enumerate(firsts)],
            dtype=np.int64,
        )
        self.release = np.array(speculation.release_tile, dtype=np.int64) + 1
        self.after = np.array(speculation.after_command, dtype=np.int64) + 1
        self.is_late = np.array(speculation.release_delay_ps, dtype=np.int64) > 0
        self.lanes = np.arange(shape[1])
        self.head = np.zeros(shape[1], dtype=np.int64)
        self.stop = 0
        self.issued = np.zeros(shape[1], dtype=np.bool_)
        self.lowest = 0
        self._open_next(NONE)

    def rest_ps(self, entry: int) -> Times:
        """Occupancy of what is left of an entry."""
        whole = self.occupancy[entry]
        rest: Times = whole - whole * self.done_bytes[entry + 1] // self.n_bytes[entry]
        return rest

    def serve(self, tiles_done: int, commands_done: int, until: Times) -> None:
        """Put granules on the idle bus that start before a time."""
        while self.lowest < self.stop:
            waiting = self.head < self.stop
            known = np.where(waiting, self.head, self.lowest)
            waiting &= (self.release[known] <= tiles_done) & (self.after[known] <= commands_done)
            waiting &= self.bus_free < until
            if not waiting.any():
                return
            fresh = (waiting & ~self.issued).nonzero()[0]
            if fresh.size:
                self._issue(fresh)
            ready = self.issued_at[known + 1, self.lanes] + self.times.table[Common.DESCRIPTOR]
            start = np.maximum(self.bus_free, ready)
            going = (waiting & (start < until)).nonzero()[0]
            if not going.size:
                return
            self._fetch(going, start[going], until[going])

    def _issue(self, lanes: NDArray[np.int64]) -> None:
        """Compute when the first entry in the queue was issued."""
        times, q = self.times, self.head[lanes]
        at = self.issued_at[self.before[q], lanes]
        np.maximum(at, self.landed[self.channel[q], lanes], out=at)
        released = times.vector_end[self.release[q], lanes]
        released += times.table[Common.FETCH_DELAY][lanes] * self.is_late[q]
        np.maximum(at, released, out=at)
        np.maximum(at, times.complete[self.after[q], lanes], out=at)
        for decision, cleared in self.cleared.items():
            fenced = np.array(self.speculation.fence, dtype=np.int64)[q] == decision
            np.maximum(at, cleared[lanes] * fenced, out=at)
        self.issued_at[q + 1, lanes] = at
        self.issued[lanes] = True

    def _fetch(self, lanes: NDArray[np.int64], start: Times, until: Times) -> None:
        """All granules of the first entries that start from one time and before another."""
        q = self.head[lanes]
        granule, whole, whole_ps = (
            self.speculation.granule_bytes,
            self.n_bytes[q],
            self.occupancy[q, lanes],
        )
        done = self.done_bytes[q + 1, lanes]
        before_ps = whole_ps * done // whole
        # A granule after `last` bytes or fewer starts in time.
        in_time = np.minimum(until - start, whole_ps + 1) + before_ps
        last = np.where(whole_ps > 0, (in_time * whole - 1) // np.maximum(whole_ps, 1), whole)
        last = np.minimum(last, whole - 1)
        after = np.minimum(done + ((last - done) // granule + 1) * granule, whole)
        end = start + whole_ps * after // whole - before_ps
        self.bus_free[lanes] = end
        self.done_bytes[q + 1, lanes] = after
        self.ended[q + 1, lanes] = end
        self.landed[q + 1, lanes] = end + self.times.table[Common.READ_LATENCY][lanes]
        self.bursts.append((lanes, q, start, end, after - done))
        finished = lanes[after == whole]
        self.head[finished] += 1
        self.issued[finished] = False
        self.lowest = int(self.head.min())

    def decide(self, tile: int, decided: Times) -> None:
        """Call the rest off, and turn to the next branch that is speculated on."""
        lost = [
            q + 1 for q in self.speculation.entries_of[tile] if self.speculation.command[q] == NONE
        ]
        cleared = decided.copy()
        for times in (*self.landed[lost], *self.cleared.values()):
            np.maximum(cleared, times, out=cleared)
        self.cleared[tile] = cleared
        self._open_next(tile)

    def _open_next(self, decided: int) -> None:
        following = [tile for tile in self.speculation.entries_of if tile > decided]
        entries = self.speculation.entries_of[min(following)] if following else range(0)
        self.head[:] = self.lowest = entries.start
        self.stop = entries.stop
        self.issued[:] = False

    def early(self, design: int) -> tuple[EarlyTransfer, ...]:
        """What was fetched of every entry early on one design."""
        found: list[list[tuple[int, int, int]]] = [[] for _ in range(self.n_entries)]
        for lanes, entries, starts, ends, n_bytes in self.bursts:
            at = int(np.searchsorted(lanes, design))
            if at == len(lanes) or lanes[at] != design:
                continue
            start, mine = int(starts[at]), found[int(entries[at])]
            if mine and mine[-1][1] == start:
                begin, _, before = mine.pop()
                mine.append((begin, int(ends[at]), before + int(n_bytes[at])))
            else:
                mine.append((start, int(ends[at]), int(n_bytes[at])))
        landed, done = self.landed[1:, design].tolist(), self.done_bytes[1:, design].tolist()
        return tuple(
            EarlyTransfer(done[q], tuple(bursts), landed[q]) for q, bursts in enumerate(found)
        )
