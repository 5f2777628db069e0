"""PE array cycles and scratchpad traffic of one tile, by dataflow.

Every function takes whole numbers or NumPy arrays of them, so that the tiling search can cost
all candidate loop blockings of a layer in one call.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from simulator.block_buffer import BlockBuffer
from simulator.spec import AcceleratorSpec, Dataflow, PeArray, Precision
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
        pixel_steps: cycles the pixels keep one set of weights busy; if None, all planes of the
            array are taken to have a pixel while there are any.
    """

    k: Any
    c: Any
    m: Any
    r: int
    s: int
    groups: Any = 1
    pixel_steps: Any = None


def pe_cycles(array: PeArray, tile: TileShape) -> Any:
    """Cycles the PE array is busy with one tile, fill and drain of every fold included.

    Systolic folds take, for M pixels, N output channels and K = c*r*s on R x C PEs:
    output-stationary ceil(M/R)*ceil(N/C)*(R+C+K-2), weight-stationary
    ceil(K/R)*ceil(N/C)*(2R+C+M-2), input-stationary ceil(K/R)*ceil(M/C)*(2R+C+N-2), which is
    SCALE-Sim's total plus one (arXiv 1811.02883). A dot_product array takes one cycle per pixel,
    filter tap, R input channels and C output channels; with c <= R it packs the s taps of a
    filter row along the channel axis, as NVDLA does for image input, or works in passes, see
    `_reduction_cycles`. `parallel_groups` channel
    groups run side by side on it as far as their output channels fit its columns, and
    `parallel_pixels` output pixels at once. Where weights serve more than one pixel, switching
    to the next R x C of them takes `pass_setup_cycles`.
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
        abreast = np.clip(cols // k_per_group, 1, array.parallel_groups)
        switching = np.where(np.greater(tile.m, 1), array.pass_setup_cycles, 0)
        pixel_steps = tile.pixel_steps
        if pixel_steps is None:
            pixel_steps = ceil_div(tile.m, array.parallel_pixels)
        return (
            ceil_div(tile.groups, abreast)
            * (pixel_steps + switching)
            * ceil_div(k_per_group, cols)
            * _reduction_cycles(array, tile)
        )
    return ceil_div(tile.k * tile.m * reduction, array.pes)


def _reduction_cycles(array: PeArray, tile: TileShape) -> Any:
    """Cycles of a dot_product array for all inputs of a pixel.

    With `weight_pass_cycles` the order of input channels and taps that takes fewer is used: a
    pass takes that many times `rows` channels of one tap, or that many taps of `rows` channels
    (Ethos-U's depth first and part kernel). Otherwise a tap's channels are taken `rows` at a
    time, and taps of a row are packed where a pixel has no more channels than that.
    """
    rows, step = array.rows, array.weight_pass_cycles
    if step is not None:
        deep = tile.r * tile.s * ceil_div(tile.c, rows * step)
        flat = ceil_div(tile.r * tile.s, step) * ceil_div(tile.c, rows)
        return step * np.minimum(deep, flat)
    packed = tile.r * ceil_div(tile.s * tile.c, rows)
    plain = tile.r * tile.s * ceil_div(tile.c, rows)
    return np.where(np.less_equal(tile.c, rows), packed, plain)


@dataclass(frozen=True)
class ComputeSide:
    """What the cycles of a tile depend on: the array, the widths, and how fast it is fed."""

    array: PeArray
    precision: Precision
    bytes_per_cycle: int
    blocks: BlockBuffer | None = None
    output_bits: int | None = None

    @classmethod
    def of(
        cls,
        spec: AcceleratorSpec,
        weight_bits: int | None = None,
        input_bits: int | None = None,
        output_bits: int | None = None,
    ) -> ComputeSide:
        """The compute side of an accelerator, with widths of their own where given."""
        precision = spec.precision
        widths = {"weight_bits": weight_bits, "activation_bits": input_bits}
        own = {name: bits for name, bits in widths.items() if bits is not None}
        if any(getattr(precision, name) != bits for name, bits in own.items()):
            precision = precision.model_copy(update=own)
        return cls(
            array=spec.pe_array,
            precision=precision,
            bytes_per_cycle=spec.compute_bytes_per_cycle,
            blocks=spec.block_buffer,
            output_bits=output_bits or spec.precision.activation_bits,
        )

    @property
    def mac_rate(self) -> Fraction:
        """MACs per PE and cycle at these widths."""
        return self.array.mac_rate(self.precision.weight_bits, self.precision.activation_bits)


@dataclass(frozen=True)
class ScratchpadTraffic:
    """Bytes the compute units read from and write to the scratchpad for one tile."""

    read_bytes: Any
    write_bytes: Any


@dataclass(frozen=True)
class PartialSums:
    """How a tile takes part in a reduction that spans several tiles.

    Each is 1 or 0 for one tile, or a mean over the tiles of a layer.

    Attributes:
        reads: it continues partial sums left in the scratchpad.
        writes: it leaves partial sums there.
        outputs: it completes outputs and writes them.
    """

    reads: Any
    writes: Any
    outputs: Any


def operand_reads(array: PeArray, tile: TileShape) -> tuple[Any, Any]:
    """Ifmap and weight values the PE array reads from the scratchpad for one tile.

    What the dataflow holds still is read once per fold. The array keeps no line buffer: each
    filter tap reads its pixel again. Within a tile, partial sums stay in the array.
    """
    k_per_group = ceil_div(tile.k, tile.groups)
    pixels = tile.m * tile.c * tile.r * tile.s * tile.groups
    weights = tile.k * tile.c * tile.r * tile.s
    if array.dataflow is Dataflow.OUTPUT_STATIONARY:
        return pixels * ceil_div(k_per_group, array.cols), weights * ceil_div(tile.m, array.rows)
    if array.dataflow is Dataflow.INPUT_STATIONARY:
        return pixels, weights * ceil_div(tile.m, array.cols)
    if array.dataflow is Dataflow.IDEAL:
        return tile.m * tile.c * tile.groups, weights
    return pixels * ceil_div(k_per_group, array.cols), weights


def scratchpad_traffic(
    compute: ComputeSide, tile: TileShape, psums: PartialSums
) -> ScratchpadTraffic:
    """Scratchpad bytes of one tile: operands in, partial sums in and out, outputs out."""
    precision = compute.precision
    ifmap, weight = operand_reads(compute.array, tile)
    outputs = tile.k * tile.m
    output_bits = compute.output_bits or precision.activation_bits
    psum_bytes = outputs * precision.accumulator_bits
    return ScratchpadTraffic(
        read_bytes=(
            ifmap * precision.activation_bits
            + weight * precision.weight_bits
            + psum_bytes * psums.reads
        )
        / 8,
        write_bytes=(psum_bytes * psums.writes + outputs * output_bits * psums.outputs) / 8,
    )


def tile_cycles(compute: ComputeSide, tile: TileShape, traffic: ScratchpadTraffic) -> Any:
    """Cycles of one tile: the array's, or the scratchpad's if it cannot feed the array.

    A rate of MACs per PE and cycle other than 1 shortens or lengthens the array's in proportion.
    """
    rate = compute.mac_rate
    working = ceil_div(pe_cycles(compute.array, tile) * rate.denominator, rate.numerator)
    feeding = np.ceil((traffic.read_bytes + traffic.write_bytes) / compute.bytes_per_cycle)
    return np.maximum(working, feeding).astype(np.int64)
