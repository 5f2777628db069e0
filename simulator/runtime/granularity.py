"""In which units the managed region takes weights in and gives them up."""

from __future__ import annotations

from enum import StrEnum


class Granularity(StrEnum):
    """The unit of residency; a node keeps its first units and gives up its last.

    node: a segment's weights whole, or nothing of them. tile: the pieces in which the plan loads
    them, in execution order, so that what is resident is what an arm needs first. bit_slice:
    every piece in equal slices of its bits; the high slices of all pieces come before the next,
    so a node is complete in fewer bits before it is in all. byte: any number of bytes, which no
    DMA would do; it bounds the others (`simulator.runtime.replacement.belady`).
    """

    NODE = "node"
    TILE = "tile"
    BIT_SLICE = "bit_slice"
    BYTE = "byte"
