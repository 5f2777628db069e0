"""The DMA: issues commands in order, as many at a time as it has channels."""

from __future__ import annotations

from collections import deque

from simulator.engine.clock import Process, Shared
from simulator.engine.scratchpad import Scratchpad
from simulator.mapping.schedule import NONE


def dma(shared: Shared, scratchpad: Scratchpad) -> Process:
    """Issue every command when its channel, its data and its space are free."""
    env, schedule = shared.env, shared.schedule
    commands, state = schedule.commands, shared.speculative
    in_flight: deque[int] = deque(maxlen=schedule.channels)
    for j in range(len(commands.kind)):
        if state is not None and state.entry_of(j) != NONE:
            yield state.decided[commands.release_tile[j]]
            if state.is_fetched(j):
                continue
        if len(in_flight) == schedule.channels:
            yield shared.complete[in_flight[0]]
        release = commands.release_tile[j]
        if release != NONE:
            yield shared.tile_done[release]
            elapsed = int(env.now) - shared.tile_done.time_ps[release]
            if commands.release_delay_ps[j] > elapsed:
                yield env.timeout(commands.release_delay_ps[j] - elapsed)
        if commands.after_command[j] != NONE:
            yield shared.complete[commands.after_command[j]]
        if state is not None and state.columns.command_fence[j] != NONE:
            yield state.cleared[state.columns.command_fence[j]]
        in_flight.append(j)
        shared.issued.signal(j)
        scratchpad.on_issue(j)
        env.process(_start(shared, j))


def _start(shared: Shared, j: int) -> Process:
    """Read the descriptor, then ask the DRAM."""
    if shared.schedule.descriptor_ps:
        yield shared.env.timeout(shared.schedule.descriptor_ps)
    if shared.speculative is None:
        shared.requested.signal(j)
    else:
        shared.waiting.append(j)
        shared.wake_bus()
