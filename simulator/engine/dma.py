"""The DMA: issues commands in order, as many at a time as it has channels."""

from __future__ import annotations

from simulator.engine.clock import Process, Shared
from simulator.engine.scratchpad import Scratchpad
from simulator.mapping.schedule import NONE


def dma(shared: Shared, scratchpad: Scratchpad) -> Process:
    """Issue every command when its channel, its data and its space are free."""
    env, schedule = shared.env, shared.schedule
    commands = schedule.commands
    for j in range(len(commands.kind)):
        if j >= schedule.channels:
            yield shared.complete[j - schedule.channels]
        release = commands.release_tile[j]
        if release != NONE:
            yield shared.tile_done[release]
            elapsed = int(env.now) - shared.tile_done.time_ps[release]
            if commands.release_delay_ps[j] > elapsed:
                yield env.timeout(commands.release_delay_ps[j] - elapsed)
        if commands.after_command[j] != NONE:
            yield shared.complete[commands.after_command[j]]
        shared.issued.signal(j)
        scratchpad.on_issue(j)
        env.process(_start(shared, j))


def _start(shared: Shared, j: int) -> Process:
    """Read the descriptor, then ask the DRAM."""
    if shared.schedule.descriptor_ps:
        yield shared.env.timeout(shared.schedule.descriptor_ps)
    shared.requested.signal(j)
