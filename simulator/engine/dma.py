"""The DMA issues commands in order; the DRAM serves them in that order over one data bus."""

from __future__ import annotations

from simulator.engine.clock import Process, Shared
from simulator.engine.scratchpad import Scratchpad
from simulator.mapping.schedule import NONE


def dma(shared: Shared, dram: Dram, scratchpad: Scratchpad) -> Process:
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
        env.process(_transfer(shared, dram, j))


def _transfer(shared: Shared, dram: Dram, j: int) -> Process:
    """One command's life: read the descriptor, take the bus, wait out the latency."""
    env, schedule = shared.env, shared.schedule
    if schedule.descriptor_ps:
        yield env.timeout(schedule.descriptor_ps)
    yield from dram.serve(j)
    if schedule.commands.latency_ps[j]:
        yield env.timeout(schedule.commands.latency_ps[j])
    shared.complete.signal(j)


class Dram:
    """The memory's data bus: one transfer at a time, in the order the DMA issued them."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def serve(self, j: int) -> Process:
        """Take the bus after the previous command and hold it for the transfer."""
        shared = self._shared
        if j:
            yield shared.bus_freed[j - 1]
        shared.bus_taken.signal(j)
        occupancy = shared.schedule.commands.occupancy_ps[j]
        if occupancy:
            yield shared.env.timeout(occupancy)
        shared.bus_freed.signal(j)
