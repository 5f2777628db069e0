"""The DMA's second queue: weight loads for arms that may be taken, and what a decision does."""

from __future__ import annotations

from collections import deque

import simpy
from simpy.events import EventPriority

from simulator.engine.clock import Completion, Process, Shared
from simulator.engine.scratchpad import Scratchpad
from simulator.mapping.schedule import NONE, Speculation
from simulator.timeline import EarlyTransfer

AFTER_ALL_ELSE = EventPriority(2)
"""SimPy processes events of one instant by priority: urgent 0, normal 1."""


class Lull(simpy.Event):
    """Happens now, after everything else that happens now."""

    def __init__(self, env: simpy.Environment) -> None:
        super().__init__(env)
        self._ok = True
        self._value = None
        env.schedule(self, priority=AFTER_ALL_ELSE)


class Speculative:
    """What has become of every entry of a schedule's speculation."""

    def __init__(self, shared: Shared, speculation: Speculation) -> None:
        n_entries = len(speculation.decision)
        self.columns = speculation
        self.complete = Completion(shared.env, n_entries)
        self.buffer_bytes = [0] * n_entries
        self.done_bytes = [0] * n_entries
        self.landed_ps = [0] * n_entries
        self.bursts: list[list[tuple[int, int, int]]] = [[] for _ in range(n_entries)]
        self.ready: deque[int] = deque()
        self.decided = {tile: shared.env.event() for tile in speculation.entries_of}
        self.cleared = {tile: shared.env.event() for tile in speculation.entries_of}

    def early(self) -> tuple[EarlyTransfer, ...]:
        """What was fetched of every entry before its decision."""
        return tuple(
            EarlyTransfer(n_bytes, tuple(bursts), landed)
            for n_bytes, bursts, landed in zip(
                self.done_bytes, self.bursts, self.landed_ps, strict=True
            )
        )

    def entry_of(self, command: int) -> int:
        """The entry that may have fetched part of an ordinary command, or NONE."""
        return self.columns.entry_of.get(command, NONE)

    def rest_ps(self, command: int, occupancy_ps: int) -> int:
        """Occupancy of what is left of an ordinary command."""
        entry = self.entry_of(command)
        if entry == NONE or not self.done_bytes[entry]:
            return occupancy_ps
        return self.columns.rest_ps(entry, self.done_bytes[entry])

    def is_fetched(self, command: int) -> bool:
        """Whether nothing is left of an ordinary command."""
        entry = self.entry_of(command)
        return entry != NONE and self.done_bytes[entry] == self.columns.n_bytes[entry]

    def record_granule(self, entry: int, start_ps: int, end_ps: int, n_bytes: int) -> None:
        """Note a granule that begins; one that follows without a pause continues a burst."""
        bursts = self.bursts[entry]
        self.done_bytes[entry] += n_bytes
        self.landed_ps[entry] = end_ps + self.columns.latency_ps[entry]
        if bursts and bursts[-1][1] == start_ps:
            start_ps, _, before = bursts.pop()
            n_bytes += before
        bursts.append((start_ps, end_ps, n_bytes))


def speculative_queue(
    shared: Shared, state: Speculative, scratchpad: Scratchpad, decision: int
) -> Process:
    """Issue one branch's entries in order until the branch is decided."""
    env, columns = shared.env, state.columns
    entries = columns.entries_of[decision]
    for q in entries:
        if q - shared.schedule.channels >= entries.start:
            yield state.complete[q - shared.schedule.channels]
        release = columns.release_tile[q]
        if release != NONE:
            yield shared.tile_done[release]
            elapsed = int(env.now) - shared.tile_done.time_ps[release]
            if columns.release_delay_ps[q] > elapsed:
                yield env.timeout(columns.release_delay_ps[q] - elapsed)
        if columns.after_command[q] != NONE:
            yield shared.complete[columns.after_command[q]]
        if columns.fence[q] != NONE:
            yield state.cleared[columns.fence[q]]
        if state.decided[decision].triggered:
            return
        if not columns.staged[q]:
            scratchpad.on_speculate(columns.command[q], columns.n_bytes[q])
            state.buffer_bytes[q] = columns.n_bytes[q]
        env.process(_start(shared, state, q))


def _start(shared: Shared, state: Speculative, q: int) -> Process:
    """Read the descriptor, then stand ready for an idle bus."""
    if shared.schedule.descriptor_ps:
        yield shared.env.timeout(shared.schedule.descriptor_ps)
    if not state.decided[state.columns.decision[q]].triggered:
        state.ready.append(q)
        shared.wake_bus()


def decide(shared: Shared, state: Speculative, scratchpad: Scratchpad, decision: int) -> Process:
    """When a decision takes effect: call off what has not begun, free the rest once landed."""
    env = shared.env
    yield shared.tile_done[decision]
    if state.columns.decision_delay_ps:
        yield env.timeout(state.columns.decision_delay_ps)
    state.ready = deque(q for q in state.ready if state.columns.decision[q] != decision)
    state.decided[decision].succeed()
    lost = [q for q in state.columns.entries_of[decision] if state.columns.command[q] == NONE]
    landed_ps = max((state.landed_ps[q] for q in lost), default=0)
    if landed_ps > env.now:
        yield env.timeout(landed_ps - int(env.now))
    for earlier, cleared in state.cleared.items():
        if earlier < decision:
            yield cleared
    scratchpad.on_lost(sum(state.buffer_bytes[q] for q in lost))
    state.cleared[decision].succeed()


def shared_bus(shared: Shared, state: Speculative) -> Process:
    """The DRAM's data bus: ordinary commands first, granules while it would stand idle."""
    env, commands = shared.env, shared.schedule.commands
    while True:
        if shared.waiting:
            j = shared.waiting.popleft()
            shared.bus_taken.signal(j)
            occupancy_ps = state.rest_ps(j, commands.occupancy_ps[j])
            if occupancy_ps:
                yield env.timeout(occupancy_ps)
            shared.bus_freed.signal(j)
            env.process(_land(shared, j))
        elif state.ready:
            yield Lull(env)
            if state.ready and not shared.waiting:
                yield from _serve_granule(shared, state)
        else:
            yield shared.bus_wake


def _serve_granule(shared: Shared, state: Speculative) -> Process:
    q = state.ready[0]
    n_bytes, occupancy_ps = state.columns.granule(q, state.done_bytes[q])
    start_ps = int(shared.env.now)
    state.record_granule(q, start_ps, start_ps + occupancy_ps, n_bytes)
    is_last = state.done_bytes[q] == state.columns.n_bytes[q]
    if is_last:
        state.ready.popleft()
    if occupancy_ps:
        yield shared.env.timeout(occupancy_ps)
    if is_last:
        shared.env.process(_land_early(shared, state, q))


def _land(shared: Shared, j: int) -> Process:
    """Wait out the latency, without holding the bus."""
    if shared.schedule.commands.latency_ps[j]:
        yield shared.env.timeout(shared.schedule.commands.latency_ps[j])
    shared.complete.signal(j)


def _land_early(shared: Shared, state: Speculative, q: int) -> Process:
    """A load fetched to its end completes the ordinary command that would have fetched it."""
    j = state.columns.command[q]
    if j != NONE:
        for done in (shared.issued, shared.bus_taken, shared.bus_freed):
            done.signal(j)
    if state.columns.latency_ps[q]:
        yield shared.env.timeout(state.columns.latency_ps[q])
    state.complete.signal(q)
    if j != NONE:
        shared.complete.signal(j)
