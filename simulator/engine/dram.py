"""The DRAM: one data bus, shared by reads and writes in the order the DMA issued them."""

from __future__ import annotations

from simulator.engine.clock import Process, Shared


def dram(shared: Shared) -> Process:
    """Serve one transfer after the other; each completes a latency after it frees the bus."""
    env, commands = shared.env, shared.schedule.commands
    for j, occupancy_ps in enumerate(commands.occupancy_ps):
        yield shared.requested[j]
        shared.bus_taken.signal(j)
        if occupancy_ps:
            yield env.timeout(occupancy_ps)
        shared.bus_freed.signal(j)
        if commands.latency_ps[j]:
            env.process(_complete(shared, j))
        else:
            shared.complete.signal(j)


def _complete(shared: Shared, j: int) -> Process:
    """Wait out the latency, without holding the bus."""
    yield shared.env.timeout(shared.schedule.commands.latency_ps[j])
    shared.complete.signal(j)
