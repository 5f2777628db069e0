"""Loop blocking of one layer group: all candidates costed at once, the best one that fits taken.

A MAC layer's loops over output channels (k), output rows (p) and input channels (c) are blocked;
the reduction is innermost, so partial sums never leave the chip. Two loop orders compete:
``k_outer`` keeps a weight tile while output rows pass, ``p_outer`` keeps an ifmap tile while
output channels pass. Vector layers are cut into equal pieces; the rows that neighbouring pooling
windows share stay in the vector unit, so every input byte is read once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cached_property, lru_cache, partial
from operator import neg
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.cost.compute import (
    ComputeSide,
    PartialSums,
    TileShape,
    scratchpad_traffic,
    tile_cycles,
)
from simulator.ir import MAC_OPS, Dims, Op
from simulator.mapping.blocks import Blocking, choose_blocking
from simulator.spec import AcceleratorSpec, Toolchain
from simulator.units import bits_to_bytes, ceil_div

BARE_DEVICE = Toolchain()
MAX_VECTOR_PIECES = 4096
UNSPLITTABLE_OPS = frozenset({Op.FARTHEST_POINT_SAMPLE, Op.BALL_QUERY})
"""Ops that look at every point for each output: their inputs must be on chip whole."""


class LoopOrder(StrEnum):
    """Which operand's tile stays while the other loop runs."""

    K_OUTER = "k_outer"
    P_OUTER = "p_outer"


@dataclass(frozen=True)
class GroupShape:
    """All that a group's blocking depends on; equal shapes share their candidates.

    Byte counts are of whole tensors at the spec's precision; ifmap and operand bytes count the
    tensors in DRAM only. `weight_bits` and `input_bits` are the widths the array multiplies at,
    `output_bits` that of what it writes; None stands for the spec's. `floating` says that an
    operand is in floating point though the spec's format need not be.
    """

    op: Op
    dims: Dims
    ifmap_rows: int
    ifmap_bytes: int
    operand_bytes: int
    ofmap_bytes: int
    weight_bytes: int
    vector_cycles: int
    weight_bits: int | None = None
    input_bits: int | None = None
    output_bits: int | None = None
    floating: bool = False

    def compute_side(self, spec: AcceleratorSpec) -> ComputeSide:
        """The accelerator's array at the group's widths."""
        return ComputeSide.of(spec, self.weight_bits, self.input_bits, self.output_bits)

    @cached_property
    def _hash(self) -> int:
        return hash(tuple(getattr(self, each.name) for each in fields(self)))

    def __hash__(self) -> int:
        """Computed once: shapes are looked up all the time while plans are made."""
        return self._hash


class Tiling(NamedTuple):
    """One loop blocking and what it needs.

    Attributes:
        order: loop order over k and p.
        k, p, c: tile sizes in output channels, output rows and input channels.
        buffer_bytes: scratchpad bytes of its (double) buffers.
        least_dram_bytes: a lower bound on the bytes it moves, for discarding plans unseen.
        pieces: for vector layers, the number of equal pieces; 1 for MAC layers.
    """

    order: LoopOrder
    k: int
    p: int
    c: int
    buffer_bytes: int
    least_dram_bytes: int
    pieces: int = 1


@dataclass(frozen=True)
class Candidates:
    """Every blocking of one group shape, as parallel arrays.

    `blocks` holds, per candidate, whether p is the outer loop, the tile sizes k, p and c, and the
    pieces of a vector layer. `count_cycles` yields the compute cycles once a candidate is chosen.
    """

    blocks: NDArray[np.int64]
    least_bytes: NDArray[np.int64]
    buffer_bytes: NDArray[np.int64]
    dram_bytes: NDArray[np.int64]
    count_cycles: Callable[[], NDArray[np.int64]]
    tiles: NDArray[np.int64]
    transfers: NDArray[np.int64]
    overlaps_transfers: bool
    _worth: dict[tuple[float, float], tuple[list[int], list[int]]] = field(default_factory=dict)

    @cached_property
    def cycles(self) -> NDArray[np.int64]:
        """Compute cycles of all tiles."""
        return self.count_cycles()

    @cached_property
    def smallest_buffer_bytes(self) -> int:
        """The least scratchpad any blocking needs."""
        return int(self.buffer_bytes.min())

    @cached_property
    def largest_buffer_bytes(self) -> int:
        """The most scratchpad any blocking can use."""
        return int(self.buffer_bytes.max())

    @cached_property
    def least_dram_bytes(self) -> int:
        """The least traffic of any blocking."""
        return int(self.least_bytes.min())

    def tiling(self, index: int) -> Tiling:
        """One of the candidates."""
        p_outer, k, p, c, pieces = self.blocks[index].tolist()
        order = LoopOrder.P_OUTER if p_outer else LoopOrder.K_OUTER
        least, size = int(self.least_bytes[index]), int(self.buffer_bytes[index])
        return Tiling(order, k, p, c, size, least, pieces)

    def best(self, room_bytes: int, cycles_per_byte: float, command_cycles: float) -> Tiling:
        """The cheapest blocking whose buffers fit the room.

        Cost is that of a two-stage pipeline at the given machine balance: the slower of
        compute and transfer in full, of the faster one the share that no other transfer hides,
        and a charge per command. On a device that does not overlap the two, it is their sum.
        Ties go to less traffic, then fewer tiles.

        Args:
            room_bytes: scratchpad bytes for buffers; at least `smallest_buffer_bytes`.
            cycles_per_byte: PE cycles that pass while one DRAM byte moves.
            command_cycles: PE cycles charged per DMA command.
        """
        key = (cycles_per_byte, command_cycles)
        worth = self._worth.get(key)
        if worth is None:
            worth = self._worth[key] = self._worth_taking(cycles_per_byte, command_cycles)
        sizes, indices = worth
        # Sizes fall along the list; the first that fits is the cheapest.
        return self.tiling(indices[bisect_left(sizes, -room_bytes, key=neg)])

    def _worth_taking(
        self, cycles_per_byte: float, command_cycles: float
    ) -> tuple[list[int], list[int]]:
        """Buffer bytes and indices of blockings, cheapest first, each smaller than all before."""
        transfer = self.dram_bytes * cycles_per_byte
        exposed = np.minimum(self.cycles, transfer)
        if self.overlaps_transfers:
            exposed = exposed / np.maximum(self.transfers, 1)
        cost = np.maximum(self.cycles, transfer) + exposed + self.transfers * command_cycles
        order = np.lexsort((self.tiles, self.dram_bytes, cost))
        sizes = self.buffer_bytes[order]
        smaller = np.ones(len(order), dtype=np.bool_)
        smaller[1:] = sizes[1:] < np.minimum.accumulate(sizes)[:-1]
        return sizes[smaller].tolist(), order[smaller].tolist()


@lru_cache(maxsize=8192)
def enumerate_candidates(
    shape: GroupShape, compute: ComputeSide, rules: Toolchain = BARE_DEVICE
) -> Candidates:
    """All candidate blockings of a group shape that the device's toolchain may choose."""
    if shape.op not in MAC_OPS:
        return _vector_candidates(shape, rules, staged=compute.blocks is None)
    blocking = blocking_of(shape, compute)
    if blocking is not None:
        return _block_candidates(shape, compute, rules, blocking)
    return _mac_candidates(shape, compute, rules)


def _halvings(full: int, grain: int) -> list[int]:
    """full, then its halvings rounded up to whole grains, down to one grain (or full)."""
    sizes = [full]
    pieces = 2
    while sizes[-1] > grain:
        size = ceil_div(ceil_div(full, pieces), grain) * grain
        if size < sizes[-1]:
            sizes.append(size)
        pieces *= 2
    return sizes


def _mac_candidates(shape: GroupShape, compute: ComputeSide, rules: Toolchain) -> Candidates:
    d = shape.dims
    grain_k = compute.array.cols if d.groups == 1 else d.k // d.groups
    sizes_k = _halvings(d.k, min(grain_k, d.k))
    most_rows = d.p if rules.tile_pixels is None else max(rules.tile_pixels // (d.n * d.q), 1)
    sizes_p = [size for size in _halvings(d.p, 1) if size <= most_rows]
    sizes_c = _halvings(d.c, min(compute.array.rows, d.c)) if d.groups == 1 else [d.c]
    order, k, p, c = _grid([0, 1], sizes_k, sizes_p, sizes_c)
    p_outer = order == 1
    n_k, n_p, n_c = ceil_div(d.k, k), ceil_div(d.p, p), ceil_div(d.c, c)
    tiles = n_k * n_p * n_c
    whole_c = n_c == 1

    weight_loads = np.where(
        p_outer,
        np.where((n_k == 1) & whole_c, n_k, tiles),
        np.where(whole_c, n_k, tiles),
    )
    if not rules.keeps_streamed_weights:
        weight_loads = tiles
    ifmap_loads = np.where(
        p_outer,
        np.where(whole_c, n_p, tiles),
        np.where((n_p == 1) & whole_c, n_p, tiles),
    )
    weight_tile = ceil_div(shape.weight_bytes * k * c, d.k * d.c)
    rows_read = np.minimum((p - 1) * d.stride[0] + d.r, shape.ifmap_rows)
    ifmap_tile = ceil_div(shape.ifmap_bytes * rows_read * c, shape.ifmap_rows * d.c)
    ofmap_tile = ceil_div(shape.ofmap_bytes * k * p, d.k * d.p)
    operand_tile = ceil_div(shape.operand_bytes * k * p, d.k * d.p)
    outputs = n_k * n_p

    buffers = weight_tile * np.where(weight_loads > 1, 2, 1) * (shape.weight_bytes > 0)
    dram_bytes = ceil_div(shape.weight_bytes * weight_loads, n_k * n_c)
    transfers = weight_loads * (shape.weight_bytes > 0)
    if shape.ifmap_bytes:
        buffers = buffers + ifmap_tile * np.where(ifmap_loads > 1, 2, 1)
        dram_bytes = dram_bytes + ifmap_tile * ifmap_loads
        transfers = transfers + ifmap_loads
    for n_bytes, tile in (
        (shape.operand_bytes, operand_tile),
        (shape.ofmap_bytes, ofmap_tile),
    ):
        if n_bytes:
            buffers = buffers + tile * np.where(outputs > 1, 2, 1)
            dram_bytes = dram_bytes + tile * outputs
            transfers = transfers + outputs
    psum_tile = bits_to_bytes(1, compute.precision.accumulator_bits) * d.n * k * p * d.q
    buffers = buffers + np.where(whole_c, 0, psum_tile * np.where(outputs > 1, 2, 1))

    blocked = TileShape(
        k=k,
        c=np.maximum(c // d.groups, 1),
        m=d.n * p * d.q,
        r=d.r,
        s=d.s,
        groups=np.maximum(k * d.groups // d.k, 1),
    )
    split = (n_c - 1) / n_c
    psums = PartialSums(reads=split, writes=split, outputs=1 / n_c)
    sweep_bytes = shape.ifmap_bytes * _least_rows(shape) // shape.ifmap_rows
    least = (
        shape.weight_bytes * weight_loads // (n_k * n_c)
        + sweep_bytes * (ifmap_loads // (n_p * n_c))
        + shape.operand_bytes
        + shape.ofmap_bytes
    )
    blocks = np.stack([order, k, p, c, np.ones_like(k)], axis=1)
    cycles = partial(_count_cycles, compute, blocked, psums, tiles)
    return Candidates(
        blocks, least, buffers, dram_bytes, cycles, tiles, transfers, rules.overlaps_transfers
    )


def _grid(*axes: list[int]) -> list[NDArray[np.int64]]:
    """Every combination of the axes' values, the last axis fastest: one array per axis."""
    zeros = np.zeros([len(axis) for axis in axes], dtype=np.int64)
    return [(zeros + axis).ravel() for axis in np.ix_(*axes)]


def _count_cycles(
    compute: ComputeSide, tile: TileShape, psums: PartialSums, tiles: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Cycles of so many equal tiles."""
    found: NDArray[np.int64] = tiles * tile_cycles(
        compute, tile, scratchpad_traffic(compute, tile, psums)
    )
    return found


def _least_rows(shape: GroupShape) -> int:
    """Input rows that any sweep over all output rows reads: strides may leave some out."""
    d = shape.dims
    if d.r < d.stride[0]:
        return min(shape.ifmap_rows, d.p)
    return min(shape.ifmap_rows, (d.p - 1) * d.stride[0] + d.r)


def blocking_of(shape: GroupShape, compute: ComputeSide) -> Blocking | None:
    """The blocks a MAC layer is worked on in; None on a device that stages its feature maps."""
    if compute.blocks is None:
        return None
    array = compute.array
    return choose_blocking(compute.blocks, shape.dims, shape.ifmap_rows, array.rows)


def _block_candidates(
    shape: GroupShape, compute: ComputeSide, rules: Toolchain, blocking: Blocking
) -> Candidates:
    """Blockings of a core that reads feature maps by the block, see `BlockBuffer`.

    k_outer keeps a tile's weights in the scratchpad while all pixels pass; p_outer reads them
    from DRAM for every block of pixels and needs no room at all.
    """
    d = shape.dims
    grain_k = blocking.channels if d.groups == 1 else max(blocking.channels, d.k // d.groups)
    order, k, p = _grid(
        [0, 1] if shape.weight_bytes else [1],
        _halvings(d.k, min(grain_k, d.k)),
        _halvings(d.p, min(blocking.rows, d.p)),
    )
    direct = order == 1
    n_k, n_p = ceil_div(d.k, k), ceil_div(d.p, p)
    tiles = n_k * n_p
    weight_tile = ceil_div(shape.weight_bytes * k, d.k)
    buffers = np.where(direct, 0, weight_tile * np.where(n_k > 1, 2, 1))
    weight_sweeps = np.where(direct, int(blocking.pixel_blocks(d.p)), 1)
    dram_bytes = (
        shape.weight_bytes * weight_sweeps
        + blocking.ifmap_bytes(k, p, shape.ifmap_bytes) * tiles
        + shape.operand_bytes
        + shape.ofmap_bytes
    )
    least = (
        shape.weight_bytes * weight_sweeps
        + blocking.ifmap_bytes(d.k, d.p, shape.ifmap_bytes)
        + shape.operand_bytes
        + shape.ofmap_bytes
    )
    transfers = np.where(direct, tiles, n_k) * (shape.weight_bytes > 0)
    for n_bytes in (shape.ifmap_bytes, shape.operand_bytes, shape.ofmap_bytes):
        transfers = transfers + tiles * (n_bytes > 0)
    blocked = TileShape(
        k=k,
        c=max(d.c // d.groups, 1),
        m=d.n * p * d.q,
        r=d.r,
        s=d.s,
        groups=np.maximum(k * d.groups // d.k, 1),
        pixel_steps=blocking.pixel_steps(p),
    )
    psums = PartialSums(reads=0, writes=0, outputs=1)
    blocks = np.stack([order, k, p, np.full_like(k, d.c), np.ones_like(k)], axis=1)
    cycles = partial(_count_cycles, compute, blocked, psums, tiles)
    return Candidates(
        blocks, least, buffers, dram_bytes, cycles, tiles, transfers, rules.overlaps_transfers
    )


def _vector_candidates(shape: GroupShape, rules: Toolchain, staged: bool) -> Candidates:
    d = shape.dims
    limit = min(MAX_VECTOR_PIECES, max(d.p, d.k, d.c))
    if shape.op in UNSPLITTABLE_OPS:
        limit = 1
    pieces = np.array([2**i for i in range(limit.bit_length())], dtype=np.int64)
    streams = [
        n_bytes
        for n_bytes in (
            shape.weight_bytes,
            shape.ifmap_bytes,
            shape.operand_bytes,
            shape.ofmap_bytes,
        )
        if n_bytes
    ]
    buffers = np.zeros_like(pieces)
    for n_bytes in streams:
        if staged:
            buffers = buffers + ceil_div(n_bytes, pieces) * np.where(pieces > 1, 2, 1)
    sizes = [np.full_like(pieces, size) for size in (1, d.k, d.p, d.c)]
    return Candidates(
        blocks=np.stack([*sizes, pieces], axis=1),
        least_bytes=np.full_like(pieces, sum(streams)),
        buffer_bytes=buffers,
        dram_bytes=np.full_like(pieces, sum(streams)),
        count_cycles=partial(np.full_like, pieces, shape.vector_cycles),
        tiles=pieces,
        transfers=pieces * len(streams),
        overlaps_transfers=rules.overlaps_transfers,
    )
