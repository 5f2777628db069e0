"""What a managed region takes off the DMA's hands, byte by byte."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.cost.energy import EventCounts
from simulator.mapping.managed import WeightSpan, manage_weights
from simulator.mapping.tiles import Load, Tile, TiledGroup, TransferKind


def tiled(*offsets_and_sizes: tuple[int, int]) -> TiledGroup:
    """One tile per weight load, as (offset, bytes)."""
    tiles = tuple(
        Tile(10, 0, [Load(TransferKind.WEIGHT, size, 0, offset), Load(TransferKind.IFMAP, 7, 2)])
        for offset, size in offsets_and_sizes
    )
    return TiledGroup(tiles, 0, 0, EventCounts())


def weights_of(group: TiledGroup) -> list[tuple[int, bool]]:
    """(bytes, kept) of every weight load, in order."""
    return [
        (load.n_bytes, load.kept)
        for tile in group.tiles
        for load in tile.loads
        if load.kind is TransferKind.WEIGHT
    ]


def test_without_spans_nothing_changes() -> None:
    group = tiled((0, 100), (100, 50))
    assert manage_weights(group, ()) is group


def test_resident_bytes_are_not_loaded() -> None:
    # Bytes 0 to 119 are on chip: all of the first piece, 20 of the second.
    managed = manage_weights(tiled((0, 100), (100, 50)), [WeightSpan(0, 120, absent=1)])
    assert weights_of(managed) == [(30, False)]


def test_kept_bytes_are_loaded_once_and_streamed_ones_every_time() -> None:
    # The same piece of 100 bytes is needed twice; the region takes in its first 60.
    managed = manage_weights(tiled((0, 100), (0, 100)), [WeightSpan(0, 60, kept=1)])
    assert weights_of(managed) == [(60, True), (40, False), (40, False)]


def test_a_bit_slice_is_a_share_of_every_byte() -> None:
    # The high one of two slices is on chip, the low one is taken in: half of each piece, rounded
    # so that the pieces sum to the whole: 3 = 1 + 2, then 3 = 2 + 1.
    span = WeightSpan(0, 6, absent=1, kept=1, slices=2)
    assert weights_of(manage_weights(tiled((0, 3), (3, 3)), [span])) == [(2, True), (1, True)]


def test_parts_are_fetched_from_where_they_lie() -> None:
    # Of bytes 100 to 199 the first 30 are on chip, 50 come to stay, the last 20 stream.
    spans = [WeightSpan(0, 130, absent=1), WeightSpan(130, 180, kept=1)]
    managed = manage_weights(tiled((100, 100)), spans)
    parts = [(load.offset_bytes, load.n_bytes) for load in managed.tiles[0].loads[:2]]
    assert parts == [(130, 50), (180, 20)]


def test_other_loads_stay() -> None:
    managed = manage_weights(tiled((0, 100)), [WeightSpan(0, 100, absent=1)])
    assert [load.kind for load in managed.tiles[0].loads] == [TransferKind.IFMAP]


@given(
    cuts=st.lists(st.integers(1, 99), unique=True, max_size=6),
    bounds=st.tuples(st.integers(0, 100), st.integers(0, 100)),
    slices=st.integers(1, 4),
    data=st.data(),
)
def test_every_byte_is_absent_kept_or_streamed(
    cuts: list[int], bounds: tuple[int, int], slices: int, data: st.DataObject
) -> None:
    edges = [0, *sorted(cuts), 100]
    pieces = [(a, b - a) for a, b in pairwise(edges)]
    start, stop = min(bounds), max(bounds)
    absent = data.draw(st.integers(0, slices))
    kept = data.draw(st.integers(0, slices - absent))
    span = WeightSpan(start, stop, absent, kept, slices)
    loads = weights_of(manage_weights(tiled(*pieces), [span]))
    size = stop - start
    # Rounding moves at most one byte across either edge of the span.
    assert sum(n for n, is_kept in loads if is_kept) == pytest.approx(size * kept / slices, abs=1)
    missing = 100 - sum(n for n, _ in loads)
    assert missing == pytest.approx(size * absent / slices, abs=1)
