"""A buffer inside the compute core through which a layer passes block by block of its outputs."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import model_validator

from simulator.spec_base import Part, whole

Grain = Annotated[int, whole(1, 1024)]


class BlockBuffer(Part):
    """The inputs and partial sums of one block of outputs, and room to exchange both.

    A core of this kind (Arm's Ethos-U) does not stage feature maps in the scratchpad: a block's
    inputs are read from wherever the map lies, the halo that neighbouring blocks share and the
    input of every further block of output channels once more. Weights pass the scratchpad once,
    or, where it has no room for them, are read from DRAM anew for every block of pixels.

    `banks` banks of `bank_bytes` are handed out in grains: `input_bank_grain` to both halves of
    the inputs, `accumulator_bank_grain` to both halves of the partial sums. A block has up to
    `max_rows` x `max_columns` pixels, in grains of `row_grain` x `column_grain` that the array
    takes at once, of `max_channels` output channels in grains of `channel_grain`; its inputs
    are held `input_channels` deep. The next rows x cols weights take `weight_load_cycles` to
    decode, behind the work on the block's pixels. The network's own input is stored one pixel
    after the other: a burst then brings no more than the channels of one pixel.
    """

    banks: Annotated[int, whole(2, 4096)]
    bank_bytes: Annotated[int, whole(16, 2**20)]
    input_bank_grain: Grain
    accumulator_bank_grain: Grain
    max_rows: Grain
    max_columns: Grain
    max_channels: Grain
    row_grain: Grain
    column_grain: Grain
    channel_grain: Grain
    input_channels: Grain
    weight_load_cycles: Annotated[int, whole(0, 4096)] = 0

    @model_validator(mode="after")
    def _holds_a_block(self) -> Self:
        for limit, grain in (
            ("max_rows", "row_grain"),
            ("max_columns", "column_grain"),
            ("max_channels", "channel_grain"),
        ):
            if getattr(self, limit) < getattr(self, grain):
                raise ValueError(f"{limit}: {getattr(self, limit)} is less than {grain}")
        return self
