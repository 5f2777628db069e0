"""What a blocking of a group amounts to: tiles, cycles, commands and bytes, without its tiles.

Blocks along each loop have two sizes, whole ones and a remainder, so the tiles of a group are of
a few kinds that are counted, not listed. The totals equal those of `tiles.tile_group` exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np

from simulator.cost.compute import (
    ComputeSide,
    PartialSums,
    TileShape,
    scratchpad_traffic,
    tile_cycles,
)
from simulator.ir import MAC_OPS
from simulator.mapping.blocks import Blocking
from simulator.mapping.tiling import GroupShape, LoopOrder, Tiling, blocking_of
from simulator.spec import Toolchain
from simulator.units import bits_to_bytes, ceil_div


@dataclass(frozen=True)
class GroupWork:
    """Totals of one group over all its tiles.

    Attributes:
        tiles: how many there are.
        pe_tiles: PE cycles of a tile, and how many tiles take as many; none for vector layers.
        vector_cycles: cycles of the vector unit.
        weight_bytes, ifmap_bytes, ofmap_bytes: moved to and from DRAM.
        loads, stores: DMA commands, no fewer than there are.
        least_loads, least_stores: no more than there are: a share of less than a byte has none.
        lingering_bytes: no less than the last two stores.
        buffer_bytes: partial sums, and at least what the output tiles' double buffer takes.
        direct_bytes: no less than a tile reads past the scratchpad, into a block buffer.
        first_weight_bytes, first_ifmap_bytes: what the first tile waits for.
    """

    tiles: int
    pe_tiles: tuple[tuple[int, int], ...]
    vector_cycles: int
    weight_bytes: int
    ifmap_bytes: int
    ofmap_bytes: int
    loads: int
    stores: int
    least_loads: int
    least_stores: int
    lingering_bytes: int
    buffer_bytes: int
    direct_bytes: int
    first_weight_bytes: int
    first_ifmap_bytes: int

    @property
    def load_bytes(self) -> int:
        """Bytes read from DRAM."""
        return self.weight_bytes + self.ifmap_bytes


@lru_cache(maxsize=65536)
def group_work(
    shape: GroupShape, tiling: Tiling, compute: ComputeSide, rules: Toolchain
) -> GroupWork:
    """The totals of a group shape under one blocking."""
    if shape.op in MAC_OPS:
        blocking = blocking_of(shape, compute)
        if blocking is not None:
            return _block_work(shape, tiling, compute, blocking)
        return _mac_work(shape, tiling, compute, rules)
    n, staged = tiling.pieces, compute.blocks is None
    streams = [b for b in (shape.weight_bytes, shape.ifmap_bytes, shape.operand_bytes) if b]
    return GroupWork(
        tiles=n,
        pe_tiles=(),
        vector_cycles=shape.vector_cycles,
        weight_bytes=shape.weight_bytes,
        ifmap_bytes=shape.ifmap_bytes + shape.operand_bytes,
        ofmap_bytes=shape.ofmap_bytes,
        loads=n * len(streams),
        stores=n if shape.ofmap_bytes else 0,
        least_loads=sum(min(n, b) for b in streams),
        least_stores=min(n, shape.ofmap_bytes),
        lingering_bytes=min(2 * ceil_div(shape.ofmap_bytes, n), shape.ofmap_bytes),
        buffer_bytes=shape.ofmap_bytes * min(n, 2) // n if staged else 0,
        direct_bytes=0 if staged else sum(ceil_div(b, n) for b in streams),
        first_weight_bytes=shape.weight_bytes // n,
        first_ifmap_bytes=shape.ifmap_bytes // n + shape.operand_bytes // n,
    )


def _sizes(full: int, size: int) -> list[tuple[int, int]]:
    """Distinct block lengths along a loop and how often each occurs."""
    whole, rest = divmod(full, size)
    return [(length, count) for length, count in ((size, whole), (rest, 1)) if length and count]


def _no_empty(pieces: int, n_bytes: int, *loops: tuple[int, int]) -> int:
    """The number of pieces, if even the smallest is a byte or more: empty ones are not moved."""
    smallest = n_bytes * math.prod(min(b for b, _ in _sizes(*loop)) for loop in loops)
    return pieces if smallest >= math.prod(full for full, _ in loops) else 0


def _mac_work(
    shape: GroupShape, tiling: Tiling, compute: ComputeSide, rules: Toolchain
) -> GroupWork:
    d = shape.dims
    n_k, n_p, n_c = ceil_div(d.k, tiling.k), ceil_div(d.p, tiling.p), ceil_div(d.c, tiling.c)
    k_outer, outputs = tiling.order is LoopOrder.K_OUTER, n_k * n_p
    weight_sweeps = 1 if n_c == 1 and (k_outer or n_k == 1) else n_p
    if not rules.keeps_streamed_weights:
        weight_sweeps = n_p
    ifmap_sweeps = 1 if n_c == 1 and (not k_outer or n_p == 1) else n_k
    loads = least_loads = 0
    ifmap_bytes = shape.operand_bytes
    ifmap_tiles: list[int] = []
    if shape.weight_bytes:
        loads += n_k * n_c * weight_sweeps
        least_loads += _no_empty(loads, shape.weight_bytes, (d.k, tiling.k), (d.c, tiling.c))
    if shape.ifmap_bytes:
        count = n_p * n_c * ifmap_sweeps
        loads, least_loads = loads + count, least_loads + count
        ifmap_tiles = _ifmap_tile_bytes(shape, tiling)
        ifmap_bytes += sum(ifmap_tiles) * ifmap_sweeps
    if shape.operand_bytes:
        loads += outputs
        least_loads += _no_empty(outputs, shape.operand_bytes, (d.k, tiling.k), (d.p, tiling.p))
    psum = bits_to_bytes(1, compute.precision.accumulator_bits) * tiling.k * tiling.p * d.n * d.q
    return GroupWork(
        tiles=outputs * n_c,
        pe_tiles=_pe_tiles(shape, tiling, compute),
        vector_cycles=shape.vector_cycles,
        weight_bytes=shape.weight_bytes * weight_sweeps,
        ifmap_bytes=ifmap_bytes,
        ofmap_bytes=shape.ofmap_bytes,
        loads=loads,
        stores=outputs if shape.ofmap_bytes else 0,
        least_loads=least_loads,
        least_stores=_no_empty(outputs, shape.ofmap_bytes, (d.k, tiling.k), (d.p, tiling.p)),
        lingering_bytes=min(
            2 * ceil_div(shape.ofmap_bytes * tiling.k * tiling.p, d.k * d.p), shape.ofmap_bytes
        ),
        buffer_bytes=(psum * min(outputs, 2) if n_c > 1 else 0)
        + shape.ofmap_bytes * min(outputs, 2) // outputs,
        direct_bytes=0,
        first_weight_bytes=shape.weight_bytes * tiling.k * tiling.c // (d.k * d.c),
        first_ifmap_bytes=shape.operand_bytes * tiling.k * tiling.p // (d.k * d.p)
        + (ifmap_tiles[0] if ifmap_tiles else 0),
    )


def _block_work(
    shape: GroupShape, tiling: Tiling, compute: ComputeSide, blocking: Blocking
) -> GroupWork:
    d = shape.dims
    ks, ps = _sizes(d.k, tiling.k), _sizes(d.p, tiling.p)
    tiles = ceil_div(d.k, tiling.k) * ceil_div(d.p, tiling.p)
    streams_weights = bool(shape.weight_bytes) and tiling.order is LoopOrder.P_OUTER
    kinds = [(k, p, nk * np_) for (k, nk), (p, np_) in product(ks, ps)]
    k, p, count = np.array(kinds, dtype=np.int64).T
    blocks = np.asarray(blocking.pixel_blocks(p))
    ifmap = np.asarray(blocking.ifmap_bytes(k, p, shape.ifmap_bytes))
    sweeps = sum(int(blocking.pixel_blocks(p)) * np_ for p, np_ in ps) if streams_weights else 1
    loads = tiles if streams_weights else ceil_div(d.k, tiling.k)
    loads = loads * bool(shape.weight_bytes) + tiles * bool(shape.ifmap_bytes)
    loads += tiles * bool(shape.operand_bytes)
    outputs = ((d.k, tiling.k), (d.p, tiling.p))
    tile = TileShape(
        k=k,
        c=max(d.c // d.groups, 1),
        m=d.n * p * d.q,
        r=d.r,
        s=d.s,
        groups=np.maximum(k * d.groups // d.k, 1),
        pixel_steps=blocking.pixel_steps(p),
    )
    traffic = scratchpad_traffic(compute, tile, PartialSums(0, 0, 1))
    cycles = np.broadcast_to(tile_cycles(compute, tile, traffic), count.shape)
    of_operand = ceil_div(shape.operand_bytes * tiling.k * tiling.p, d.k * d.p)
    of_weights = ceil_div(shape.weight_bytes * tiling.k, d.k) * int(blocks[0])
    return GroupWork(
        tiles=tiles,
        pe_tiles=tuple(zip(cycles.tolist(), count.tolist(), strict=True)),
        vector_cycles=shape.vector_cycles,
        weight_bytes=shape.weight_bytes * sweeps,
        ifmap_bytes=int((ifmap * count).sum()) + shape.operand_bytes,
        ofmap_bytes=shape.ofmap_bytes,
        loads=loads,
        stores=tiles if shape.ofmap_bytes else 0,
        least_loads=tiles * bool(shape.ifmap_bytes),
        least_stores=_no_empty(tiles, shape.ofmap_bytes, *outputs),
        lingering_bytes=min(
            2 * ceil_div(shape.ofmap_bytes * tiling.k * tiling.p, d.k * d.p), shape.ofmap_bytes
        ),
        buffer_bytes=0,
        direct_bytes=int(ifmap[0]) + of_operand + (of_weights if streams_weights else 0),
        first_weight_bytes=shape.weight_bytes
        * tiling.k
        // d.k
        * (int(blocks[0]) if streams_weights else 1),
        first_ifmap_bytes=int(ifmap[0]) + shape.operand_bytes * tiling.k * tiling.p // (d.k * d.p),
    )


def _pe_tiles(
    shape: GroupShape, tiling: Tiling, compute: ComputeSide
) -> tuple[tuple[int, int], ...]:
    """PE cycles of every kind of tile with the number of its kind."""
    d = shape.dims
    n_c = ceil_div(d.c, tiling.c)
    last = d.c - (n_c - 1) * tiling.c
    # (length, reads partial sums, writes them, completes outputs, how many)
    cs = [(last, int(n_c > 1), 0, 1, 1)]
    if n_c > 1:
        cs += [(tiling.c, 0, 1, 0, 1), (tiling.c, 1, 1, 0, n_c - 2)]
    kinds = [
        (k, p, *c[:4], nk * np_ * c[4])
        for (k, nk), (p, np_), c in product(_sizes(d.k, tiling.k), _sizes(d.p, tiling.p), cs)
        if c[4]
    ]
    k, p, c, reads, writes, completes, count = np.array(kinds, dtype=np.int64).T
    tile = TileShape(
        k=k,
        c=np.maximum(c // d.groups, 1),
        m=d.n * p * d.q,
        r=d.r,
        s=d.s,
        groups=np.maximum(k * d.groups // d.k, 1),
    )
    traffic = scratchpad_traffic(compute, tile, PartialSums(reads, writes, completes))
    cycles = np.broadcast_to(tile_cycles(compute, tile, traffic), count.shape)
    return tuple(zip(cycles.tolist(), count.tolist(), strict=True))


def _ifmap_tile_bytes(shape: GroupShape, tiling: Tiling) -> list[int]:
    """Bytes of every ifmap tile: the rows its output rows need, without padding."""
    d, rows = shape.dims, shape.ifmap_rows
    starts = np.arange(0, d.p, tiling.p, dtype=np.int64)
    lengths = np.minimum(tiling.p, d.p - starts)
    padding = max((d.p - 1) * d.stride[0] + d.r - rows, 0)
    first = starts * d.stride[0] - ceil_div(padding, 2)
    last = first + (lengths - 1) * d.stride[0] + d.r
    needed = np.maximum(np.minimum(last, rows) - np.maximum(first, 0), 1)
    found: list[int] = []
    for c, count in _sizes(d.c, tiling.c):
        found += ceil_div(shape.ifmap_bytes * needed * c, rows * d.c).tolist() * count
    return found
