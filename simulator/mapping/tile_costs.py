"""What the tiles of one group cost the compute units; equal tiles are costed once."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from simulator.cost.compute import (
    ComputeSide,
    PartialSums,
    TileShape,
    scratchpad_traffic,
    tile_cycles,
)
from simulator.mapping.blocks import Blocking
from simulator.mapping.tiling import GroupShape
from simulator.spec import AcceleratorSpec


@lru_cache(maxsize=65536)
def _tile_cost(compute: ComputeSide, tile: TileShape, psums: PartialSums) -> tuple[int, int, int]:
    """Cycles, scratchpad bytes read and scratchpad bytes written of one tile."""
    traffic = scratchpad_traffic(compute, tile, psums)
    cycles = tile_cycles(compute, tile, traffic)
    return int(cycles), math.ceil(traffic.read_bytes), math.ceil(traffic.write_bytes)


class TileCosts:
    """Cycles and scratchpad bytes of a group's tiles; equal tiles are costed once."""

    def __init__(self, shape: GroupShape, spec: AcceleratorSpec) -> None:
        self._dims = shape.dims
        self._compute = shape.compute_side(spec)
        self._known: dict[tuple[int, int, int, bool, bool], tuple[int, int, int]] = {}

    def of(self, sizes: tuple[int, int, int], first_c: bool, last_c: bool) -> tuple[int, int, int]:
        """Cycles, bytes read and bytes written of a tile of these lengths along k, p and c."""
        key = (*sizes, first_c, last_c)
        found = self._known.get(key)
        if found is None:
            (dk, dp, dc), d = sizes, self._dims
            groups = max(dk * d.groups // d.k, 1)
            shape = TileShape(
                k=dk, c=max(dc // d.groups, 1), m=d.n * dp * d.q, r=d.r, s=d.s, groups=groups
            )
            psums = PartialSums(reads=int(not first_c), writes=int(not last_c), outputs=int(last_c))
            found = self._known[key] = _tile_cost(self._compute, shape, psums)
        return found


class BlockCost(NamedTuple):
    """Cycles and scratchpad bytes of a tile, its blocks of pixels, and what they read of inputs."""

    cycles: int
    reads: int
    writes: int
    pixel_blocks: int
    ifmap_bytes: int


class BlockCosts:
    """Costs of a group's tiles on a core with a block buffer; equal tiles are costed once."""

    def __init__(self, shape: GroupShape, spec: AcceleratorSpec, blocking: Blocking) -> None:
        self._shape, self._blocking = shape, blocking
        self._compute = shape.compute_side(spec)
        self._known: dict[tuple[int, int], BlockCost] = {}

    def of(self, dk: int, dp: int) -> BlockCost:
        """A tile of so many output channels and rows."""
        found = self._known.get((dk, dp))
        if found is None:
            d, blocking = self._shape.dims, self._blocking
            tile = TileShape(
                k=dk,
                c=max(d.c // d.groups, 1),
                m=d.n * dp * d.q,
                r=d.r,
                s=d.s,
                groups=max(dk * d.groups // d.k, 1),
                pixel_steps=blocking.pixel_steps(dp),
            )
            found = self._known[dk, dp] = BlockCost(
                *_tile_cost(self._compute, tile, PartialSums(0, 0, 1)),
                int(blocking.pixel_blocks(dp)),
                int(blocking.ifmap_bytes(dk, dp, self._shape.ifmap_bytes)),
            )
        return found
