"""Cuts one planned group into tiles: compute time, transfers and event counts of each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache, partial

from simulator.cost.compute import (
    ComputeSide,
    PartialSums,
    TileShape,
    scratchpad_traffic,
    tile_cycles,
)
from simulator.cost.energy import EventCounts
from simulator.ir import MAC_OPS
from simulator.mapping.blocks import Blocking
from simulator.mapping.plan import GroupPlan
from simulator.mapping.residency import tensor_bytes
from simulator.mapping.tiling import LoopOrder, blocking_of
from simulator.spec import AcceleratorSpec
from simulator.units import bits_to_bytes, ceil_div


class TransferKind(StrEnum):
    """What a DMA command moves."""

    WEIGHT = "weight"
    IFMAP = "ifmap"
    OFMAP = "ofmap"


@dataclass(frozen=True)
class Load:
    """Data a tile needs from DRAM; held until the tile `held_for` tiles later is done.

    Attributes:
        kind, n_bytes: what is loaded.
        held_for: how many tiles longer its buffer is used.
        offset_bytes: for weights, where the piece begins in the group's weights.
        kept: it goes to the managed region for good and takes no buffer.
        direct: it goes to the core's block buffer, one tile ahead, not to the scratchpad.
        tied: the same whichever arm of a branch is taken.
        repeats: how often the piece of weights is read; n_bytes counts all of them.
    """

    kind: TransferKind
    n_bytes: int
    held_for: int
    offset_bytes: int = 0
    kept: bool = False
    direct: bool = False
    tied: bool = False
    repeats: int = 1


@dataclass
class Tile:
    """One step of the PE array and vector unit.

    Attributes:
        pe_cycles: cycles of the PE array, scratchpad bandwidth included; 0 for vector work.
        vector_cycles: cycles of the vector unit, streaming behind the PE array.
        loads: transfers that must be complete before the tile starts.
        store_bytes: output bytes that go to DRAM after the tile.
    """

    pe_cycles: int
    vector_cycles: int
    loads: list[Load] = field(default_factory=list)
    store_bytes: int = 0

    def needs(self, kind: TransferKind, n_bytes: int, held_for: int, offset_bytes: int = 0) -> None:
        """Add a load, unless the tile's share of the tensor is less than a byte."""
        if n_bytes:
            self.loads.append(Load(kind, n_bytes, held_for, offset_bytes))

    def reads(
        self, kind: TransferKind, n_bytes: int, offset_bytes: int = 0, repeats: int = 1
    ) -> None:
        """Add a load past the scratchpad, into the core's block buffer."""
        if n_bytes:
            total = n_bytes * repeats
            self.loads.append(Load(kind, total, 0, offset_bytes, direct=True, repeats=repeats))


@dataclass(frozen=True)
class TiledGroup:
    """All tiles of one group, the buffers they share, and what the compute units count.

    Attributes:
        psum_bytes: buffers of partial sums while a reduction spans several tiles.
        ofmap_buffer_bytes: double buffer of output tiles on their way to DRAM.
    """

    tiles: tuple[Tile, ...]
    psum_bytes: int
    ofmap_buffer_bytes: int
    counts: EventCounts


class _Splitter:
    """Deals out a whole number of bytes in proportion, so that the parts sum to it exactly."""

    def __init__(self, total: int, parts: int) -> None:
        self._total, self._parts, self._done, self.dealt = total, parts, 0, 0

    def take(self, parts: int) -> int:
        self._done += parts
        share = self._total * self._done // self._parts - self.dealt
        self.dealt += share
        return share


def _ranges(full: int, size: int) -> list[tuple[int, int]]:
    """Consecutive (start, length) pieces of at most `size`."""
    return [(start, min(size, full - start)) for start in range(0, full, size)]


@lru_cache(maxsize=65536)
def _tile_cost(compute: ComputeSide, tile: TileShape, psums: PartialSums) -> tuple[int, int, int]:
    """Cycles, scratchpad bytes read and scratchpad bytes written of one tile."""
    traffic = scratchpad_traffic(compute, tile, psums)
    cycles = tile_cycles(compute, tile, traffic)
    return int(cycles), math.ceil(traffic.read_bytes), math.ceil(traffic.write_bytes)


def tile_group(plan: GroupPlan, spec: AcceleratorSpec) -> TiledGroup:
    """The tiles of a group in execution order."""
    if plan.group.main.op not in MAC_OPS:
        return _tile_vector_group(plan, spec)
    blocking = blocking_of(plan.shape, plan.shape.compute_side(spec))
    if blocking is not None:
        return _tile_block_group(plan, spec, blocking)
    return _tile_mac_group(plan, spec)


@dataclass(frozen=True)
class _LoopIndex:
    """One iteration of the blocked loops: (index, start, length) along k, p and c."""

    k: tuple[int, int, int]
    p: tuple[int, int, int]
    c: tuple[int, int, int]


def _loop_nest(plan: GroupPlan) -> tuple[Iterator[_LoopIndex], tuple[int, int, int]]:
    """Iterations in execution order, and the number of blocks along k, p and c."""
    d, tiling = plan.shape.dims, plan.tiling
    ks, ps, cs = (
        [(i, *piece) for i, piece in enumerate(_ranges(full, size))]
        for full, size in ((d.k, tiling.k), (d.p, tiling.p), (d.c, tiling.c))
    )
    if tiling.order is LoopOrder.K_OUTER:
        nest = (_LoopIndex(k, p, c) for k in ks for p in ps for c in cs)
    else:
        nest = (_LoopIndex(k, p, c) for p in ps for k in ks for c in cs)
    return nest, (len(ks), len(ps), len(cs))


class _TileCosts:
    """Cycles and scratchpad bytes of a group's tiles; equal tiles are costed once."""

    def __init__(self, plan: GroupPlan, spec: AcceleratorSpec) -> None:
        self._dims = plan.shape.dims
        self._compute = plan.shape.compute_side(spec)
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


def _tile_mac_group(plan: GroupPlan, spec: AcceleratorSpec) -> TiledGroup:
    shape, tiling, d = plan.shape, plan.tiling, plan.shape.dims
    nest, (n_k, n_p, n_c) = _loop_nest(plan)
    blocks = (n_k, n_p, n_c)
    costs = _TileCosts(plan, spec)
    k_outer = tiling.order is LoopOrder.K_OUTER
    weights = _Splitter(shape.weight_bytes, d.k * d.c)
    weight_pieces: dict[tuple[int, int], tuple[int, int]] = {}
    outputs = _Splitter(shape.ofmap_bytes, d.k * d.p)
    operands = _Splitter(shape.operand_bytes, d.k * d.p)
    vector = _Splitter(plan.vector_cycles, d.k * d.p)
    acc_bytes = bits_to_bytes(1, spec.precision.accumulator_bits)
    keeps = spec.toolchain.keeps_streamed_weights
    ifmap_tile_bytes = lru_cache(maxsize=None)(partial(_ifmap_tile_bytes, plan))
    tiles: list[Tile] = []
    reads = writes = 0
    for index in nest:
        (ki, _, dk), (pi, p0, dp), (ci, _, dc) = index.k, index.p, index.c
        last_c = ci == n_c - 1
        cycles, tile_reads, tile_writes = costs.of((dk, dp, dc), ci == 0, last_c)
        tile = Tile(cycles, vector.take(dk * dp) if last_c else 0)
        reads, writes = reads + tile_reads, writes + tile_writes

        piece = (ki, ci)
        if piece not in weight_pieces:
            weight_pieces[piece] = (weights.dealt, weights.take(dk * dc))
        if shape.weight_bytes:
            held = _weight_hold(k_outer, (ki, pi, ci), blocks) if keeps else 0
            if held is not None:
                offset, n_bytes = weight_pieces[piece]
                tile.needs(TransferKind.WEIGHT, n_bytes, held, offset)
        if shape.ifmap_bytes:
            held = _ifmap_hold(k_outer, (ki, pi, ci), blocks)
            if held is not None:
                tile.needs(TransferKind.IFMAP, ifmap_tile_bytes(p0, dp, dc), held)
        if shape.operand_bytes and ci == 0:
            tile.needs(TransferKind.IFMAP, operands.take(dk * dp), n_c - 1)
        if shape.ofmap_bytes and last_c:
            tile.store_bytes = outputs.take(dk * dp)
        tiles.append(tile)
    psum = tiling.k * tiling.p * d.n * d.q * acc_bytes * min(n_k * n_p, 2) if n_c > 1 else 0
    return _tiled(plan, tiles, psum, reads, writes, spec)


def _tile_block_group(plan: GroupPlan, spec: AcceleratorSpec, blocking: Blocking) -> TiledGroup:
    """The tiles of a core that reads its inputs by the block, see `BlockBuffer`.

    A tile is a number of whole blocks; the reduction never spans tiles.
    """
    shape, d = plan.shape, plan.shape.dims
    nest, (_, n_p, _) = _loop_nest(plan)
    compute = shape.compute_side(spec)
    weights = _Splitter(shape.weight_bytes, d.k)
    weight_pieces: dict[int, tuple[int, int]] = {}
    outputs = _Splitter(shape.ofmap_bytes, d.k * d.p)
    operands = _Splitter(shape.operand_bytes, d.k * d.p)
    vector = _Splitter(plan.vector_cycles, d.k * d.p)
    tiles: list[Tile] = []
    reads = writes = 0
    for index in nest:
        (ki, _, dk), (pi, _, dp) = index.k, index.p
        blocked = TileShape(
            k=dk,
            c=max(d.c // d.groups, 1),
            m=d.n * dp * d.q,
            r=d.r,
            s=d.s,
            groups=max(dk * d.groups // d.k, 1),
            pixel_steps=blocking.pixel_steps(dp),
        )
        cycles, tile_reads, tile_writes = _tile_cost(compute, blocked, PartialSums(0, 0, 1))
        reads, writes = reads + tile_reads, writes + tile_writes
        tile = Tile(cycles, vector.take(dk * dp), store_bytes=outputs.take(dk * dp))
        if ki not in weight_pieces:
            weight_pieces[ki] = (weights.dealt, weights.take(dk))
        offset, n_bytes = weight_pieces[ki]
        if plan.tiling.order is LoopOrder.P_OUTER:
            tile.reads(TransferKind.WEIGHT, n_bytes, offset, int(blocking.pixel_blocks(dp)))
        elif pi == 0:
            tile.needs(TransferKind.WEIGHT, n_bytes, n_p - 1, offset)
        ifmap = int(blocking.ifmap_bytes(dk, dp, shape.ifmap_bytes))
        tile.reads(TransferKind.IFMAP, ifmap)
        tile.reads(TransferKind.IFMAP, operands.take(dk * dp))
        tiles.append(tile)
    return _tiled(plan, tiles, 0, reads, writes, spec)


def _weight_hold(
    k_outer: bool, index: tuple[int, int, int], blocks: tuple[int, int, int]
) -> int | None:
    """How many tiles longer a weight tile loaded now is used; None if it is there already."""
    (ki, pi, _), (n_k, n_p, n_c) = index, blocks
    if n_c == 1 and k_outer:
        return n_p - 1 if pi == 0 else None
    if n_c == 1 and n_k == 1:
        return n_p - 1 if pi == 0 and ki == 0 else None
    return 0


def _ifmap_hold(
    k_outer: bool, index: tuple[int, int, int], blocks: tuple[int, int, int]
) -> int | None:
    """How many tiles longer an ifmap tile loaded now is used; None if it is there already."""
    (ki, pi, _), (n_k, n_p, n_c) = index, blocks
    if n_c == 1 and not k_outer:
        return n_k - 1 if ki == 0 else None
    if n_c == 1 and n_p == 1:
        return n_k - 1 if ki == 0 and pi == 0 else None
    return 0


def _ifmap_tile_bytes(plan: GroupPlan, p0: int, dp: int, dc: int) -> int:
    """Bytes of the input rows that dp output rows from p0 need, padding rows not counted."""
    d, rows = plan.shape.dims, plan.shape.ifmap_rows
    padding = max((d.p - 1) * d.stride[0] + d.r - rows, 0)
    first = p0 * d.stride[0] - ceil_div(padding, 2)
    last = first + (dp - 1) * d.stride[0] + d.r
    needed = max(min(last, rows) - max(first, 0), 1)
    return ceil_div(plan.shape.ifmap_bytes * needed * dc, rows * d.c)


def _tile_vector_group(plan: GroupPlan, spec: AcceleratorSpec) -> TiledGroup:
    shape, n = plan.shape, plan.tiling.pieces
    vector = _Splitter(plan.vector_cycles, n)
    outputs = _Splitter(shape.ofmap_bytes, n)
    streams = [
        (kind, _Splitter(n_bytes, n))
        for kind, n_bytes in (
            (TransferKind.WEIGHT, shape.weight_bytes),
            (TransferKind.IFMAP, shape.ifmap_bytes),
            (TransferKind.IFMAP, shape.operand_bytes),
        )
        if n_bytes
    ]
    tiles = []
    for _ in range(n):
        tile = Tile(pe_cycles=0, vector_cycles=vector.take(1), store_bytes=outputs.take(1))
        for kind, splitter in streams:
            offset, n_bytes = splitter.dealt, splitter.take(1)
            if spec.block_buffer is None:
                tile.needs(kind, n_bytes, 0, offset)
            else:
                tile.reads(kind, n_bytes, offset)
        tiles.append(tile)
    reads = sum(tensor_bytes(t, spec) for t in plan.group.main.ifmaps)
    writes = tensor_bytes(plan.group.ofmap, spec)
    return _tiled(plan, tiles, 0, reads + shape.weight_bytes, writes, spec)


def _tiled(
    plan: GroupPlan, tiles: list[Tile], psum: int, reads: int, writes: int, spec: AcceleratorSpec
) -> TiledGroup:
    """Adds what the epilogue reads; the DMA's side is counted from its commands."""
    epilogue = sum(tensor_bytes(t, spec) for t in plan.group.operands)
    stored = sorted((t.store_bytes for t in tiles), reverse=True)
    return TiledGroup(
        tiles=tuple(tiles),
        psum_bytes=psum,
        ofmap_buffer_bytes=sum(stored[:2]) if spec.block_buffer is None else 0,
        counts=EventCounts(
            macs=plan.macs,
            vector_operations=plan.vector_operations,
            scratchpad_read_bytes=reads + epilogue,
            scratchpad_write_bytes=writes,
        ),
    )
