"""PE array and vector unit: each takes tiles in order; the vector unit streams behind."""

from __future__ import annotations

from simulator.engine.clock import Process, Shared
from simulator.engine.scratchpad import Scratchpad


def pe_array(shared: Shared) -> Process:
    """Compute each dispatched tile; tiles of vector layers pass through without time."""
    env, tiles = shared.env, shared.schedule.tiles
    for i, duration in enumerate(tiles.pe_ps):
        yield shared.tile_dispatched[i]
        if duration:
            yield env.timeout(duration)
        shared.pe_done.signal(i)


def vector_unit(shared: Shared, scratchpad: Scratchpad) -> Process:
    """Process each tile's outputs as the PE array produces them; done no earlier than it."""
    env, tiles = shared.env, shared.schedule.tiles
    for i, duration in enumerate(tiles.vector_ps):
        yield shared.tile_dispatched[i]
        shared.vector_started.signal(i)
        if duration:
            yield env.timeout(duration)
        yield shared.pe_done[i]
        scratchpad.on_tile_done(i)
        shared.tile_done.signal(i)
