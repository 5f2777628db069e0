"""What a managed region holds of a group's weights, and what that leaves for the DMA to load.

Part of the scratchpad may keep weights from one inference to the next (`simulator.runtime`). A
weight load then falls into up to three parts: bytes that are on chip already, or done without,
are not loaded; bytes that the region takes in are loaded once and stay; the rest streams through
the ordinary buffers, as often as the tiling needs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from simulator.mapping.tiles import Load, Tile, TiledGroup, TransferKind


@dataclass(frozen=True)
class WeightSpan:
    """Bytes [start, stop) of a group's weights, and what becomes of each of their bit slices.

    Of `slices` equal bit slices `absent` are not loaded (they are on chip, or done without), the
    next `kept` are loaded into the managed region, and the rest are streamed.
    """

    start: int
    stop: int
    absent: int = 0
    kept: int = 0
    slices: int = 1

    def split(self, first: int, last: int) -> tuple[int, int]:
        """Bytes of [first, last) to be kept and to be streamed; neighbours sum exactly."""
        first, last = max(first, self.start), min(last, self.stop)
        if first >= last:
            return 0, 0

        def share(slices: int) -> int:
            return last * slices // self.slices - first * slices // self.slices

        covered = share(self.absent + self.kept)
        return covered - share(self.absent), last - first - covered


def manage_weights(tiled: TiledGroup, spans: Sequence[WeightSpan]) -> TiledGroup:
    """The group's tiles with their weight loads split by the spans, which must not overlap.

    Weights that no span covers are streamed.
    """
    if not spans:
        return tiled
    seen: set[int] = set()
    tiles = []
    for tile in tiled.tiles:
        loads: list[Load] = []
        for load in tile.loads:
            if load.kind is not TransferKind.WEIGHT:
                loads.append(load)
                continue
            loads += _split(load, spans, first_touch=load.offset_bytes not in seen)
            seen.add(load.offset_bytes)
        tiles.append(Tile(tile.pe_cycles, tile.vector_cycles, loads, tile.store_bytes))
    return replace(tiled, tiles=tuple(tiles))


def _split(load: Load, spans: Sequence[WeightSpan], first_touch: bool) -> list[Load]:
    """The parts of a load; they lie in DRAM in the order absent, kept, streamed."""
    piece = load.n_bytes // load.repeats
    first, last = load.offset_bytes, load.offset_bytes + piece
    kept = streamed = covered = 0
    for span in spans:
        keep, stream = span.split(first, last)
        kept, streamed = kept + keep, streamed + stream
        covered += max(min(last, span.stop) - max(first, span.start), 0)
    streamed += piece - covered
    parts = []
    if kept and first_touch:
        at = last - streamed - kept
        once = load._replace(n_bytes=kept, held_for=0, kept=True, direct=False, repeats=1)
        parts.append(once._replace(offset_bytes=at))
    if streamed:
        n_bytes, at = streamed * load.repeats, last - streamed
        parts.append(load._replace(n_bytes=n_bytes, offset_bytes=at))
    return parts
