"""Which weight loads of an arm are the same whichever arm is taken: blocks that siblings share.

They can be fetched before the decision without a guess. The siblings must agree on where the
bytes belong, so a layer's blocks count as shared only where the arms up to it have layers of one
shape and tiling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from simulator.mapping.plan import GroupPlan, block_bytes
from simulator.mapping.tiles import Load, Tile, TiledGroup, TransferKind
from simulator.spec import AcceleratorSpec

Ranges = tuple[tuple[int, int], ...]


def tied_ranges(arms: Sequence[Sequence[GroupPlan]], spec: AcceleratorSpec) -> dict[str, Ranges]:
    """By group of any arm, the bytes [start, stop) of its weights that all arms name alike."""
    found: dict[str, Ranges] = {}
    for alike in zip(*arms, strict=False):
        first = alike[0]
        if any(other.signature != first.signature for other in alike):
            break
        ranges: list[tuple[int, int]] = []
        offset = 0
        names = [[block.name for block in plan.group.weights] for plan in alike]
        for nth, block in enumerate(first.group.weights):
            end = offset + block_bytes(block, spec)
            if all(own[nth : nth + 1] == [block.name] for own in names):
                ranges.append((offset, end))
            offset = end
        if ranges and first.shape.weight_bytes:
            found.update({plan.group.name: tuple(ranges) for plan in alike})
    return found


def split_ties(tiled: TiledGroup, ranges: Ranges) -> TiledGroup:
    """The group's tiles with every weight load split into its shared and its own bytes."""
    tiles = []
    for tile in tiled.tiles:
        loads: list[Load] = []
        for load in tile.loads:
            shared = _shared_bytes(load, ranges)
            if shared:
                loads.append(load._replace(n_bytes=shared, tied=True))
            if load.n_bytes > shared:
                loads.append(load._replace(n_bytes=load.n_bytes - shared))
        tiles.append(Tile(tile.pe_cycles, tile.vector_cycles, loads, tile.store_bytes))
    return replace(tiled, tiles=tuple(tiles))


def _shared_bytes(load: Load, ranges: Ranges) -> int:
    """How much of a load lies in the ranges; a load that is read repeatedly counts whole or not."""
    if load.kind is not TransferKind.WEIGHT or load.kept or load.direct or load.repeats > 1:
        return 0
    first, last = load.offset_bytes, load.offset_bytes + load.n_bytes
    return sum(max(min(last, stop) - max(first, start), 0) for start, stop in ranges)
