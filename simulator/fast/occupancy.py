"""The most scratchpad bytes a replay occupies while time passes, as the event engine counts."""

from __future__ import annotations

import numpy as np

from simulator.fast.batch import BlockTimes, Times
from simulator.fast.structure import Structure


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
