"""Cuts one planned group into tiles: compute time, transfers and event counts of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache, partial
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.cost.energy import EventCounts
from simulator.ir import MAC_OPS
from simulator.mapping.blocks import Blocking
from simulator.mapping.plan import GroupPlan
from simulator.mapping.residency import tensor_bytes
from simulator.mapping.tile_costs import BlockCosts, TileCosts
from simulator.mapping.tiling import GroupShape, LoopOrder, Tiling, blocking_of
from simulator.spec import AcceleratorSpec
from simulator.units import bits_to_bytes, ceil_div

Whole = NDArray[np.int64]


class TransferKind(StrEnum):
    """What a DMA command moves."""

    WEIGHT = "weight"
    IFMAP = "ifmap"
    OFMAP = "ofmap"


class Load(NamedTuple):
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


class LoadColumns(NamedTuple):
    """Per load of a group, in order of need: the tile that needs it, and as in `Load`."""

    tile: Whole
    is_weight: Whole
    n_bytes: Whole
    held_for: Whole
    offset_bytes: Whole
    is_kept: Whole
    is_direct: Whole
    is_tied: Whole
    repeats: Whole


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

    @cached_property
    def pe_cycles(self) -> Whole:
        """Per tile."""
        return np.array([tile.pe_cycles for tile in self.tiles], dtype=np.int64)

    @cached_property
    def vector_cycles(self) -> Whole:
        """Per tile."""
        return np.array([tile.vector_cycles for tile in self.tiles], dtype=np.int64)

    @cached_property
    def store_bytes(self) -> Whole:
        """Per tile."""
        return np.array([tile.store_bytes for tile in self.tiles], dtype=np.int64)

    @cached_property
    def loads(self) -> LoadColumns:
        """Of all tiles."""
        rows = [
            (i, load.kind is TransferKind.WEIGHT, *load[1:])
            for i, tile in enumerate(self.tiles)
            for load in tile.loads
        ]
        columns = np.array(rows, dtype=np.int64).reshape(-1, len(LoadColumns._fields)).T
        return LoadColumns(*np.ascontiguousarray(columns))


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


@dataclass(frozen=True)
class Cut:
    """What groups of equal shape and blocking have in common: their tiles.

    `reads` and `writes` are the PE array's scratchpad bytes, 0 for vector layers.
    """

    tiles: tuple[Tile, ...]
    psum_bytes: int
    ofmap_buffer_bytes: int
    reads: int = 0
    writes: int = 0


Cuts = dict[tuple[GroupShape, Tiling], Cut]
"""Cuts made so far on one accelerator."""


def tile_group(plan: GroupPlan, spec: AcceleratorSpec, known: Cuts | None = None) -> TiledGroup:
    """The tiles of a group in execution order, and what the units count beside the DMA.

    A cut that is `known` is not made again.
    """
    cuts = {} if known is None else known
    cut = cuts.get((plan.shape, plan.tiling))
    if cut is None:
        cut = cuts[plan.shape, plan.tiling] = _cut(plan.shape, plan.tiling, spec)
    group, reads, writes = plan.group, cut.reads, cut.writes
    if group.main.op not in MAC_OPS:
        reads = sum(tensor_bytes(t, spec) for t in group.main.ifmaps) + plan.shape.weight_bytes
        writes = tensor_bytes(group.ofmap, spec)
    return TiledGroup(
        tiles=cut.tiles,
        psum_bytes=cut.psum_bytes,
        ofmap_buffer_bytes=cut.ofmap_buffer_bytes,
        counts=EventCounts(
            macs=plan.macs,
            vector_operations=plan.vector_operations,
            scratchpad_read_bytes=reads + sum(tensor_bytes(t, spec) for t in group.operands),
            scratchpad_write_bytes=writes,
        ),
    )


def _cut(shape: GroupShape, tiling: Tiling, spec: AcceleratorSpec) -> Cut:
    if shape.op not in MAC_OPS:
        return _cut_vector_group(shape, tiling, spec)
    blocking = blocking_of(shape, shape.compute_side(spec))
    if blocking is not None:
        return _cut_block_group(shape, tiling, spec, blocking)
    return _cut_mac_group(shape, tiling, spec)


_Piece = tuple[int, int, int]
"""One block of a loop: index, start and length."""


def _loop_nest(
    shape: GroupShape, tiling: Tiling
) -> tuple[Iterator[tuple[_Piece, _Piece, _Piece]], tuple[int, int, int]]:
    """Pieces of k, p and c in execution order, and the number of blocks along each."""
    d = shape.dims
    ks, ps, cs = (
        [(i, *piece) for i, piece in enumerate(_ranges(full, size))]
        for full, size in ((d.k, tiling.k), (d.p, tiling.p), (d.c, tiling.c))
    )
    blocks = (len(ks), len(ps), len(cs))
    if tiling.order is LoopOrder.K_OUTER:
        return product(ks, ps, cs), blocks
    return ((k, p, c) for p, k, c in product(ps, ks, cs)), blocks


def _cut_mac_group(shape: GroupShape, tiling: Tiling, spec: AcceleratorSpec) -> Cut:
    d = shape.dims
    nest, blocks = _loop_nest(shape, tiling)
    n_k, n_p, n_c = blocks
    costs = TileCosts(shape, spec)
    k_outer = tiling.order is LoopOrder.K_OUTER
    weights = _Splitter(shape.weight_bytes, d.k * d.c)
    weight_pieces: dict[tuple[int, int], tuple[int, int]] = {}
    outputs = _Splitter(shape.ofmap_bytes, d.k * d.p)
    operands = _Splitter(shape.operand_bytes, d.k * d.p)
    vector = _Splitter(shape.vector_cycles, d.k * d.p)
    acc_bytes = bits_to_bytes(1, spec.precision.accumulator_bits)
    keeps = spec.toolchain.keeps_streamed_weights
    ifmap_tile_bytes = lru_cache(maxsize=None)(partial(_ifmap_tile_bytes, shape))
    tiles: list[Tile] = []
    reads = writes = 0
    for (ki, _, dk), (pi, p0, dp), (ci, _, dc) in nest:
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
    return Cut(tuple(tiles), psum, _output_buffers(tiles), reads, writes)


def _cut_block_group(
    shape: GroupShape, tiling: Tiling, spec: AcceleratorSpec, blocking: Blocking
) -> Cut:
    """The tiles of a core that reads its inputs by the block, see `BlockBuffer`.

    A tile is a number of whole blocks; the reduction never spans tiles.
    """
    d = shape.dims
    nest, (_, n_p, _) = _loop_nest(shape, tiling)
    costs = BlockCosts(shape, spec, blocking)
    weights = _Splitter(shape.weight_bytes, d.k)
    weight_pieces: dict[int, tuple[int, int]] = {}
    outputs = _Splitter(shape.ofmap_bytes, d.k * d.p)
    operands = _Splitter(shape.operand_bytes, d.k * d.p)
    vector = _Splitter(shape.vector_cycles, d.k * d.p)
    tiles: list[Tile] = []
    reads = writes = 0
    for (ki, _, dk), (pi, _, dp), _ in nest:
        cost = costs.of(dk, dp)
        reads, writes = reads + cost.reads, writes + cost.writes
        tile = Tile(cost.cycles, vector.take(dk * dp), store_bytes=outputs.take(dk * dp))
        if ki not in weight_pieces:
            weight_pieces[ki] = (weights.dealt, weights.take(dk))
        offset, n_bytes = weight_pieces[ki]
        if tiling.order is LoopOrder.P_OUTER:
            tile.reads(TransferKind.WEIGHT, n_bytes, offset, cost.pixel_blocks)
        elif pi == 0:
            tile.needs(TransferKind.WEIGHT, n_bytes, n_p - 1, offset)
        tile.reads(TransferKind.IFMAP, cost.ifmap_bytes)
        tile.reads(TransferKind.IFMAP, operands.take(dk * dp))
        tiles.append(tile)
    return Cut(tuple(tiles), 0, 0, reads, writes)


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


def _ifmap_tile_bytes(shape: GroupShape, p0: int, dp: int, dc: int) -> int:
    """Bytes of the input rows that dp output rows from p0 need, padding rows not counted."""
    d, rows = shape.dims, shape.ifmap_rows
    padding = max((d.p - 1) * d.stride[0] + d.r - rows, 0)
    first = p0 * d.stride[0] - ceil_div(padding, 2)
    last = first + (dp - 1) * d.stride[0] + d.r
    needed = max(min(last, rows) - max(first, 0), 1)
    return ceil_div(shape.ifmap_bytes * needed * dc, rows * d.c)


def _cut_vector_group(shape: GroupShape, tiling: Tiling, spec: AcceleratorSpec) -> Cut:
    n, staged = tiling.pieces, spec.block_buffer is None
    vector = _Splitter(shape.vector_cycles, n)
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
            if staged:
                tile.needs(kind, n_bytes, 0, offset)
            else:
                tile.reads(kind, n_bytes, offset)
        tiles.append(tile)
    return Cut(tuple(tiles), 0, _output_buffers(tiles) if staged else 0)


def _output_buffers(tiles: list[Tile]) -> int:
    """Double buffer of output tiles: the two largest."""
    return sum(sorted((t.store_bytes for t in tiles), reverse=True)[:2])
