"""PE array cycles and scratchpad accesses of one tile, by dataflow.

Every function takes whole numbers or NumPy arrays of them, so that the tiling search can cost
all candidate loop blockings of a layer in one call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.spec import Dataflow, PeArray
from simulator.units import ceil_div


@dataclass(frozen=True)
class TileShape:
    """Loop bounds of one tile; each a whole number or an array of candidates.

    Attributes:
        k: output channels, over all groups of the tile.
        c: input channels reduced per output channel (of one group).
        m: output pixels (batch x rows x columns).
        r, s: filter rows and columns.
        groups: channel groups in the tile.
    """

    k: Any
    c: Any
    m: Any
    r: int
    s: int
    groups: Any = 1


def pe_cycles(array: PeArray, tile: TileShape) -> Any:
    """Cycles the PE array is busy with one tile, fill and drain of every fold included.

    Systolic folds take, for M pixels, N output channels and K = c*r*s on R x C PEs:
    output-stationary ceil(M/R)*ceil(N/C)*(R+C+K-2), weight-stationary
    ceil(K/R)*ceil(N/C)*(2R+C+M-2), input-stationary ceil(K/R)*ceil(M/C)*(2R+C+N-2), which is
    SCALE-Sim's total plus one (arXiv 1811.02883). A dot_product array takes one cycle per pixel,
    filter tap, R input channels and C output channels; with c <= R it packs the s taps of a
    filter row along the channel axis, as NVDLA does for image input.
    """
    rows, cols = array.rows, array.cols
    reduction = tile.c * tile.r * tile.s
    k_per_group = ceil_div(tile.k, tile.groups)
    if array.dataflow is Dataflow.OUTPUT_STATIONARY:
        folds = ceil_div(tile.m, rows) * ceil_div(k_per_group, cols)
        return tile.groups * folds * (rows + cols + reduction - 2)
    if array.dataflow is Dataflow.WEIGHT_STATIONARY:
        folds = ceil_div(reduction, rows) * ceil_div(k_per_group, cols)
        return tile.groups * folds * (2 * rows + cols + tile.m - 2)
    if array.dataflow is Dataflow.INPUT_STATIONARY:
        folds = ceil_div(reduction, rows) * ceil_div(tile.m, cols)
        return tile.groups * folds * (2 * rows + cols + k_per_group - 2)
    if array.dataflow is Dataflow.DOT_PRODUCT:
        packed = tile.r * ceil_div(tile.s * tile.c, rows)
        plain = tile.r * tile.s * ceil_div(tile.c, rows)
        return (
            tile.groups
            * tile.m
            * ceil_div(k_per_group, cols)
            * np.where(np.less_equal(tile.c, rows), packed, plain)
        )
    return ceil_div(tile.k * tile.m * reduction, array.pes)


@dataclass(frozen=True)
class OperandReads:
    """Values the PE array reads from the scratchpad for one tile."""

    ifmap: Any
    weight: Any


def operand_reads(array: PeArray, tile: TileShape) -> OperandReads:
    """Scratchpad reads of one tile: what the dataflow holds still is read once per fold.

    The array keeps no line buffer: each filter tap reads its pixel again. Partial sums stay in
    the array's accumulators within a tile.
    """
    k_per_group = ceil_div(tile.k, tile.groups)
    pixels = tile.m * tile.c * tile.r * tile.s * tile.groups
    weights = tile.k * tile.c * tile.r * tile.s
    if array.dataflow is Dataflow.OUTPUT_STATIONARY:
        return OperandReads(
            ifmap=pixels * ceil_div(k_per_group, array.cols),
            weight=weights * ceil_div(tile.m, array.rows),
        )
    if array.dataflow is Dataflow.INPUT_STATIONARY:
        return OperandReads(ifmap=pixels, weight=weights * ceil_div(tile.m, array.cols))
    if array.dataflow is Dataflow.IDEAL:
        return OperandReads(ifmap=tile.m * tile.c * tile.groups, weight=weights)
    return OperandReads(ifmap=pixels * ceil_div(k_per_group, array.cols), weight=weights)
