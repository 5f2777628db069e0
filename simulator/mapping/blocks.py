"""Which block of outputs a core with a block buffer works on, and what reading for it costs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from simulator.block_buffer import BlockBuffer
from simulator.ir import Dims
from simulator.units import ceil_div


@dataclass(frozen=True)
class Blocking:
    """One layer's blocks of outputs, and the input pixels each of them reads.

    Methods take a tile's output rows and channels (numbers or arrays) and return its totals.
    """

    buffer: BlockBuffer
    dims: Dims
    rows: int
    columns: int
    channels: int
    input_pixels: int
    map_pixels: int

    def pixel_blocks(self, p: Any) -> Any:
        """Blocks of p output rows, over all columns."""
        return self.dims.n * ceil_div(p, self.rows) * ceil_div(self.dims.q, self.columns)

    def ifmap_bytes(self, k: Any, p: Any, map_bytes: int) -> Any:
        """Bytes read of an ifmap of `map_bytes` for a tile of k output channels and p rows.

        Each block reads its window, over all input channels. A grouped convolution's blocks read
        only their own channels, so only halos are read twice.
        """
        d = self.dims
        if d.groups > 1:
            window = map_bytes * self.input_pixels * k
            return ceil_div(window, self.map_pixels * d.k) * self.pixel_blocks(p)
        window = map_bytes * self.input_pixels
        of_one_block = ceil_div(window, self.map_pixels)
        return of_one_block * self.pixel_blocks(p) * ceil_div(k, self.channels)

    def pixel_steps(self, p: Any) -> Any:
        """Cycles that p output rows keep one set of weights busy, or its decoding takes."""
        buffer, d = self.buffer, self.dims
        steps = d.n * ceil_div(p, buffer.row_grain) * ceil_div(d.q, buffer.column_grain)
        of_one_block = ceil_div(min(self.rows, d.p), buffer.row_grain) * ceil_div(
            min(self.columns, d.q), buffer.column_grain
        )
        if of_one_block >= buffer.weight_load_cycles:
            return steps
        return ceil_div(steps * buffer.weight_load_cycles, of_one_block)


@lru_cache(maxsize=4096)
def choose_blocking(
    buffer: BlockBuffer, dims: Dims, ifmap_rows: int, flat_channels: int
) -> Blocking:
    """The block that fits the buffer and reads the fewest inputs and weights per output.

    Weights count as read once per block of pixels. Among equals the smallest block is taken.
    `flat_channels` is the depth down to which the array takes all of an input's channels at
    once: its inputs are then held half as deep. Columns are taken to be padded as rows are.
    """
    d, b = dims, buffer
    c = d.c // d.groups
    grouped = d.groups > 1
    padding = (d.p - 1) * d.stride[0] + d.r - ifmap_rows
    ifmap_columns = max((d.q - 1) * d.stride[1] + d.s - padding, 1)
    k, h, w = np.meshgrid(
        _sizes(b.channel_grain, b.max_channels, d.k),
        _sizes(b.row_grain, b.max_rows, d.p),
        _sizes(b.column_grain, b.max_columns, d.q),
        indexing="ij",
    )
    rows_in = ceil_div((h - 1) * d.stride[0] + d.r, b.row_grain) * b.row_grain
    columns_in = ceil_div((w - 1) * d.stride[1] + d.s, b.column_grain) * b.column_grain
    deep = b.input_channels // 2 if c <= flat_channels else b.input_channels
    depth = k if grouped else min(ceil_div(c, flat_channels) * flat_channels, deep)
    inputs = _banks(rows_in * columns_in * depth, b, b.input_bank_grain)
    sums = _banks(h * w * k * 4, b, b.accumulator_bank_grain)
    fits = inputs + sums <= b.banks
    rows_read, columns_read = np.minimum(rows_in, ifmap_rows), np.minimum(columns_in, ifmap_columns)
    window = rows_read * columns_read * c
    pixel_blocks = (d.p / h) * (d.q / w)
    whole_blocks = ceil_div(d.p, h) * ceil_div(d.q, w)
    reads = window * pixel_blocks * (d.k if grouped else ceil_div(d.k, k))
    reads = reads + d.r * d.s * c * d.k * whole_blocks
    if not fits.any():
        fits[0, 0, 0] = True
    at = np.unravel_index(int(np.argmin(np.where(fits, reads, np.inf))), reads.shape)
    return Blocking(
        buffer=b,
        dims=d,
        rows=int(h[at]),
        columns=int(w[at]),
        channels=int(k[at]),
        input_pixels=int(rows_read[at] * columns_read[at]),
        map_pixels=ifmap_rows * ifmap_columns,
    )


def _sizes(grain: int, most: int, full: int) -> Any:
    return np.arange(grain, min(most, ceil_div(full, grain) * grain) + 1, grain, dtype=np.int64)


def _banks(n_bytes: Any, buffer: BlockBuffer, grain: int) -> Any:
    """Banks of a double-buffered array, in whole grains."""
    return ceil_div(2 * ceil_div(n_bytes, buffer.bank_bytes), grain) * grain
