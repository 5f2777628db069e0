"""Dispatches tiles in order once their data, their buffers and their predecessors are ready."""

from __future__ import annotations

from simulator.engine.clock import Process, Shared
from simulator.engine.scratchpad import Scratchpad
from simulator.mapping.schedule import NONE


def sequencer(shared: Shared, scratchpad: Scratchpad) -> Process:
    """Hand each tile to the PE array and the vector unit at the moment it may start.

    A tile waits for the PE array, for the vector unit to have drained the accumulators of the
    tile before the last, at a layer boundary for the layer before (and after a router for the
    decision to take effect), for its loads, for an output buffer, and for granules of a lost arm
    that are still landing where it needs room.
    """
    env, tiles, speculative = shared.env, shared.schedule.tiles, shared.speculative
    for i in range(len(tiles.group)):
        if i:
            yield shared.pe_done[i - 1]
        if i >= 2:
            yield shared.tile_done[i - 2]
        after = tiles.after_tile[i]
        if after != NONE:
            yield shared.tile_done[after]
            elapsed = int(env.now) - shared.tile_done.time_ps[after]
            if tiles.after_delay_ps[i] > elapsed:
                yield env.timeout(tiles.after_delay_ps[i] - elapsed)
        if tiles.load_command[i] != NONE:
            yield shared.complete[tiles.load_command[i]]
        if tiles.store_command[i] != NONE:
            yield shared.complete[tiles.store_command[i]]
        if speculative is not None and speculative.columns.tile_fence[i] != NONE:
            yield speculative.cleared[speculative.columns.tile_fence[i]]
        scratchpad.on_dispatch(i)
        shared.tile_dispatched.signal(i)
