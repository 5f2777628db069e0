"""Replays a schedule that speculates: the recurrence with a second, preemptible queue.

A granule may start when the bus is free and no ordinary command is ready. That needs no
simulation of events: when an ordinary command is computed, all granules that could start before
it is ready are known, for what would release any other ends after the command does. Ties go to the
ordinary command, and to the decision.

Times are still the latest of earlier times plus constants, but which granule meets which command
depends on them: a shorter duration can let a granule slip in ahead of a command.
"""

from __future__ import annotations

from simulator.mapping.schedule import NONE, Schedule, Speculation
from simulator.timeline import EarlyTransfer, Timeline

NEVER_PS = 2**63


def replay_speculative(schedule: Schedule, speculation: Speculation) -> Timeline:
    """The timeline of a schedule with speculation, identical to the event engine's."""
    return _Replay(schedule, speculation).run()


class _Replay:
    """Working state: what is known of tiles, commands and entries so far."""

    def __init__(self, schedule: Schedule, speculation: Speculation) -> None:
        n_tiles, n_commands = len(schedule.tiles.group), len(schedule.commands.kind)
        n_entries = len(speculation.decision)
        self.schedule, self.speculation = schedule, speculation
        self.pe_start, self.pe_end = [0] * n_tiles, [0] * n_tiles
        self.vector_start, self.vector_end = [0] * n_tiles, [0] * n_tiles
        self.tiles_done = 0
        self.issue, self.bus_start = [0] * n_commands, [0] * n_commands
        self.bus_end, self.complete = [0] * n_commands, [0] * n_commands
        self.next_command = 0
        self.queue: list[int] = []
        self.bus_free = 0
        self.head = 0
        self.head_end = 0
        self.entry_issue = [0] * n_entries
        self.entry_complete = [0] * n_entries
        self.done_bytes = [0] * n_entries
        self.bursts: list[list[tuple[int, int, int]]] = [[] for _ in range(n_entries)]
        self.head_issued = False
        self.cleared: dict[int, int] = {}
        self.before_decision = self._commands_before_decisions()

    def _commands_before_decisions(self) -> dict[int, int]:
        """By decision, how many commands are released before it; they come first."""
        released = self.schedule.commands.release_tile
        return {
            tile: next((j for j, r in enumerate(released) if r >= tile), len(released))
            for tile in self.speculation.entries_of
        }

    def run(self) -> Timeline:
        schedule, entries = self.schedule, self.speculation.entries_of
        self._open_next(NONE)
        for i in range(len(schedule.tiles.group)):
            self._run_tile(i)
            self.tiles_done = i + 1
            if i in entries:
                self._decide(i)
        self._issue_until(len(schedule.commands.kind) - 1)
        return Timeline(
            schedule,
            tuple(self.pe_start),
            tuple(self.pe_end),
            tuple(self.vector_start),
            tuple(self.vector_end),
            tuple(self.issue),
            tuple(self.bus_start),
            tuple(self.bus_end),
            tuple(self.complete),
            tuple(self._early(q) for q in range(len(self.bursts))),
        )

    def _run_tile(self, i: int) -> None:
        tiles = self.schedule.tiles
        load, store, fence = (
            tiles.load_command[i],
            tiles.store_command[i],
            self.speculation.tile_fence[i],
        )
        self._issue_until(max(load, store))
        ready = self.pe_end[i - 1] if i else 0
        if i >= 2:
            ready = max(ready, self.vector_end[i - 2])
        if tiles.after_tile[i] != NONE:
            ready = max(ready, self.vector_end[tiles.after_tile[i]] + tiles.after_delay_ps[i])
        if load != NONE:
            ready = max(ready, self.complete[load])
        if store != NONE:
            ready = max(ready, self.complete[store])
        if fence != NONE:
            ready = max(ready, self.cleared[fence])
        self.pe_start[i] = ready
        self.pe_end[i] = ready + tiles.pe_ps[i]
        self.vector_start[i] = max(ready, self.vector_end[i - 1]) if i else ready
        self.vector_end[i] = max(self.vector_start[i] + tiles.vector_ps[i], self.pe_end[i])

    def _issue_until(self, last: int, decided_ps: int = NEVER_PS) -> None:
        """Compute all ordinary commands up to `last`, and the granules that go before them."""
        commands, channels = self.schedule.commands, self.schedule.channels
        while self.next_command <= last:
            j = self.next_command
            rest_ps = commands.occupancy_ps[j]
            entry = self.speculation.entry_of.get(j, NONE)
            if entry != NONE and self.done_bytes[entry]:
                if self._fetched(j, entry):
                    self.next_command += 1
                    continue
                rest_ps = self.speculation.rest_ps(entry, self.done_bytes[entry])
            at = self.issue[self.queue[-1]] if self.queue else 0
            if len(self.queue) >= channels:
                at = max(at, self.complete[self.queue[-channels]])
            release, after = commands.release_tile[j], commands.after_command[j]
            if release != NONE:
                at = max(at, self.vector_end[release] + commands.release_delay_ps[j])
            if after != NONE:
                at = max(at, self.complete[after])
            fence = self.speculation.command_fence[j]
            if fence != NONE:
                at = max(at, self.cleared[fence])
            ready = at + self.schedule.descriptor_ps
            self._serve_granules(min(ready, decided_ps))
            self.issue[j] = at
            self.bus_start[j] = max(ready, self.bus_free)
            self.bus_end[j] = self.bus_free = self.bus_start[j] + rest_ps
            self.complete[j] = self.bus_end[j] + commands.latency_ps[j]
            self.queue.append(j)
            self.next_command += 1

    def _fetched(self, j: int, entry: int) -> bool:
        """Whether nothing is left of a command, which then takes no part in the queue."""
        if self.done_bytes[entry] < self.speculation.n_bytes[entry]:
            return False
        self.issue[j] = self.bus_start[j] = self.bus_end[j] = self.bursts[entry][-1][1]
        self.complete[j] = self.entry_complete[entry]
        return True

    def _serve_granules(self, until_ps: int) -> None:
        """Put granules on the idle bus that start before a time."""
        speculation = self.speculation
        while self.head < self.head_end and self._head_is_issued():
            q = self.head
            ready = self.entry_issue[q] + self.schedule.descriptor_ps
            start = max(self.bus_free, ready)
            if start >= until_ps:
                return
            n_bytes, occupancy_ps = speculation.granule(q, self.done_bytes[q])
            self.bus_free = start + occupancy_ps
            self.done_bytes[q] += n_bytes
            bursts = self.bursts[q]
            if bursts and bursts[-1][1] == start:
                begin, _, before = bursts.pop()
                bursts.append((begin, self.bus_free, before + n_bytes))
            else:
                bursts.append((start, self.bus_free, n_bytes))
            if self.done_bytes[q] == speculation.n_bytes[q]:
                self.entry_complete[q] = self.bus_free + speculation.latency_ps[q]
                self.head += 1
                self.head_issued = False

    def _head_is_issued(self) -> bool:
        """Compute when the first entry in the queue was issued, if all that decides it is known."""
        if self.head_issued:
            return True
        q, speculation = self.head, self.speculation
        release, after = speculation.release_tile[q], speculation.after_command[q]
        if release >= self.tiles_done or after >= self.next_command:
            return False
        first = speculation.entries_of[speculation.decision[q]].start
        at = self.entry_issue[q - 1] if q > first else 0
        if q - self.schedule.channels >= first:
            at = max(at, self.entry_complete[q - self.schedule.channels])
        if release != NONE:
            at = max(at, self.vector_end[release] + speculation.release_delay_ps[q])
        if after != NONE:
            at = max(at, self.complete[after])
        if speculation.fence[q] != NONE:
            at = max(at, self.cleared[speculation.fence[q]])
        self.entry_issue[q] = at
        self.head_issued = True
        return True

    def _decide(self, tile: int) -> None:
        """Serve what starts before the decision takes effect; call the rest off."""
        speculation = self.speculation
        decided = self.vector_end[tile] + speculation.decision_delay_ps
        self._issue_until(self.before_decision[tile] - 1, decided)
        self._serve_granules(decided)
        lost = [q for q in speculation.entries_of[tile] if speculation.command[q] == NONE]
        landed = [self._early(q).landed_ps for q in lost]
        self.cleared[tile] = max([decided, *landed, *self.cleared.values()])
        self._open_next(tile)

    def _open_next(self, decided: int) -> None:
        """Turn to the entries of the next branch that is speculated on."""
        following = [tile for tile in self.speculation.entries_of if tile > decided]
        entries = self.speculation.entries_of[min(following)] if following else range(0)
        self.head, self.head_end = entries.start, entries.stop
        self.head_issued = False

    def _early(self, q: int) -> EarlyTransfer:
        bursts = self.bursts[q]
        landed = bursts[-1][1] + self.speculation.latency_ps[q] if bursts else 0
        return EarlyTransfer(self.done_bytes[q], tuple(bursts), landed)
