"""When the buffers of output tiles on their way to DRAM are free again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from simulator.mapping.plan import GroupPlan
from simulator.mapping.tiles import TiledGroup


@dataclass(frozen=True)
class OutputBuffers:
    """Which tile waits for each store, by the tile that makes it, and which hands space on.

    `drains` remembers at which tile's end the space of a layer's last output buffers is handed
    on, and the tile whose store must be complete by then.
    """

    store_wait: dict[int, int] = field(default_factory=dict)
    drains: dict[int, int] = field(default_factory=dict)


def buffers_linger(following: GroupPlan, buffer_bytes: int, budget_bytes: int) -> bool:
    """Whether a layer's first tile has room beside the output buffers of the layer before."""
    demand = following.resident_bytes + following.tiling.buffer_bytes
    return demand + buffer_bytes <= budget_bytes


def place_stores(
    groups: Sequence[GroupPlan],
    tiled: Sequence[TiledGroup],
    fixed: NDArray[np.int64],
    budget_bytes: int,
) -> OutputBuffers:
    """Output tiles have two buffers, so the tile after the next waits for a store.

    The last two of a group may linger through the next group's first tile if that has room for
    them; otherwise that tile waits. Lingering bytes are added to `fixed`, the bytes each tile
    needs.
    """
    found = OutputBuffers()
    starts = list(accumulate((len(group.tiles) for group in tiled), initial=0))
    for g, (start, end) in enumerate(pairwise(starts)):
        storing = [start + i for i, tile in enumerate(tiled[g].tiles) if tile.store_bytes]
        for i, over_next in zip(storing, storing[2:], strict=False):
            found.store_wait[i] = over_next
        if not storing:
            continue
        lingering = tiled[g].ofmap_buffer_bytes
        waiter = end
        if end < starts[-1] and buffers_linger(groups[g + 1], lingering, budget_bytes):
            fixed[end] += lingering
            waiter = end + 1
        found.drains[waiter - 1] = storing[-1]
        for i in storing[-2:]:
            found.store_wait[i] = waiter
    return found
