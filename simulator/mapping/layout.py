"""Places the weights of a tree in DRAM: which address each byte of a group's weights has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from simulator.cost.dram import DramModel
from simulator.cost.dram_address import Transfer
from simulator.mapping.groups import GroupedBranch, GroupedStep, LayerGroup, all_groups
from simulator.mapping.plan import block_bytes
from simulator.spec import AcceleratorSpec
from simulator.spec_dram import Alignment, Layout
from simulator.units import ceil_div

Node = list[LayerGroup]
"""Groups that run one after another without a branch between them; a branch's router ends one."""


@dataclass(frozen=True)
class Region:
    """Addresses that hold consecutive bytes in pieces of `piece_bytes`, `stride_bytes` apart.

    One piece without end where `piece_bytes` is 0.
    """

    base: int
    piece_bytes: int = 0
    stride_bytes: int = 0

    def transfers(self, first: int, n_bytes: int) -> Iterator[Transfer]:
        """What reads bytes first..first+n_bytes-1: the ends of cut pieces, whole ones as one."""
        if not self.piece_bytes:
            yield Transfer(self.base + first, n_bytes)
            return
        piece, inside = divmod(first, self.piece_bytes)
        if inside:
            count = min(self.piece_bytes - inside, n_bytes)
            yield Transfer(self.base + piece * self.stride_bytes + inside, count)
            piece, n_bytes = piece + 1, n_bytes - count
        whole, rest = divmod(n_bytes, self.piece_bytes)
        address = self.base + piece * self.stride_bytes
        if whole:
            pieces = (whole, self.stride_bytes) if whole > 1 else (1, 0)
            yield Transfer(address, self.piece_bytes, False, *pieces)
        if rest:
            yield Transfer(address + whole * self.stride_bytes, rest)

    def phase(self, first: int, dram: DramModel) -> tuple[int, ...]:
        """What the cost of bytes from `first` on depends on: within a row it is the place alone."""
        if not self.piece_bytes:
            return ((self.base + first) % dram.row_set_bytes,)
        return (self.base % dram.period_bytes, self.piece_bytes, self.stride_bytes, first)


@dataclass(frozen=True)
class Span:
    """Bytes `start` to `stop` of a group's weights lie in a region, from its byte `first` on."""

    start: int
    stop: int
    region: Region
    first: int


@dataclass(frozen=True)
class WeightMap:
    """Where weights lie.

    Attributes:
        spans: by group, in the order of its weights, without gaps.
        weight_bytes: of all distinct weights.
        stored_bytes: with the copies a layout makes.
        extent_bytes: of addresses from the first to the last byte, padding included.
    """

    spans: dict[str, tuple[Span, ...]]
    weight_bytes: int
    stored_bytes: int
    extent_bytes: int

    @property
    def padding_bytes(self) -> int:
        """Addresses that hold nothing."""
        return self.extent_bytes - self.stored_bytes

    def transfers(self, group: str, offset: int, n_bytes: int) -> Iterator[Transfer]:
        """What reads n_bytes of a group's weights."""
        stop = offset + n_bytes
        for span in self.spans[group]:
            first, last = max(offset, span.start), min(stop, span.stop)
            if first < last:
                yield from span.region.transfers(span.first + first - span.start, last - first)

    def phase(self, group: str, dram: DramModel) -> tuple[object, ...]:
        """What the cost of a group's transfers depends on: equal phases cost the same."""
        return tuple(
            (span.start, span.stop, *span.region.phase(span.first, dram))
            for span in self.spans.get(group, ())
        )


def place_weights(
    steps: Sequence[GroupedStep], spec: AcceleratorSpec, dram: DramModel
) -> WeightMap:
    """Addresses by the spec's layout and alignment, from 0 on.

    A weight block that several groups share is stored once, with the first of them in order;
    `path_major_duplicated` stores every path from the root to a leaf whole, and reads what
    several paths hold from the first of them, which is all that is known before the decisions.
    """
    place = _Place(spec, dram)
    layout = spec.dram.weight_layout
    match layout:
        case Layout.PATH_MAJOR:
            place.in_order(all_groups(tuple(steps)))
        case Layout.PATH_MAJOR_DUPLICATED:
            for path in _paths(steps, []):
                place.copy_of(path)
        case _:
            for level in _levels(steps):
                _place_level(place, layout, level)
    return place.finish(all_groups(tuple(steps)))


def _place_level(place: _Place, layout: Layout, level: list[list[Node]]) -> None:
    """Store the nodes of one depth: families of siblings."""
    if layout is Layout.LAYER_MAJOR:
        place.in_order(_by_layer([node for family in level for node in family]))
        return
    for family in level:
        if layout is Layout.BANK_PARTITIONED and len(family) > 1:
            place.in_banks(family)
        elif layout is Layout.CHANNEL_INTERLEAVED and len(family) > 1:
            for siblings in zip_longest(*family):
                place.interleaved([group for group in siblings if group is not None])
        else:
            place.in_order([group for node in family for group in node])


def _by_layer(nodes: list[Node]) -> list[LayerGroup]:
    """The first groups of all nodes, then the second, and so on."""
    rows = zip_longest(*nodes)
    return [group for row in rows for group in row if group is not None]


def _straight(steps: Iterable[GroupedStep]) -> Node:
    node: Node = []
    for step in steps:
        node += [step] if isinstance(step, LayerGroup) else step.router
    return node


def _levels(steps: Sequence[GroupedStep]) -> Iterator[list[list[Node]]]:
    """By depth, the families of sibling nodes."""
    level: list[list[Sequence[GroupedStep]]] = [[steps]]
    while level:
        yield [[_straight(each) for each in family] for family in level]
        level = [
            list(step.arms)
            for family in level
            for each in family
            for step in each
            if isinstance(step, GroupedBranch)
        ]


def _paths(steps: Sequence[GroupedStep], before: Node) -> Iterator[Node]:
    """Root to leaf; arms that join again lie one after another, as no leaf is behind them alone."""
    path = list(before)
    for position, step in enumerate(steps):
        if isinstance(step, LayerGroup):
            path.append(step)
            continue
        path += step.router
        if position == len(steps) - 1:
            for arm in step.arms:
                yield from _paths(arm, path)
            return
        path += [group for arm in step.arms for group in all_groups(arm)]
    yield path


class _Place:
    """Hands out addresses in order and remembers where each weight block lies."""

    def __init__(self, spec: AcceleratorSpec, dram: DramModel) -> None:
        self._spec = spec
        self._lap_bytes, self._row_bytes = dram.bank_set_bytes, dram.row_set_bytes
        self._align_bytes = {
            Alignment.BURST: spec.dram.burst_bytes,
            Alignment.ROW: dram.row_set_bytes,
            Alignment.BANK: dram.bank_set_bytes,
        }[spec.dram.weight_alignment]
        self._blocks: dict[str, tuple[Region, int, int]] = {}
        self._end = 0
        self._stored_bytes = 0

    def in_order(self, groups: Iterable[LayerGroup], known: set[str] | None = None) -> None:
        """One group after another, each aligned; blocks stored before are left out."""
        for group in groups:
            n_bytes = self._own_bytes(group, known)
            if n_bytes:
                base = self._aligned(self._end)
                self._store(group, Region(base), 0, known)
                self._end = base + n_bytes

    def copy_of(self, path: Node) -> None:
        """A whole path once more; what was stored before keeps its address."""
        self.in_order(path, known=set())

    def interleaved(self, siblings: list[LayerGroup]) -> None:
        """Siblings' layers of one size by turns, an output channel each; others in order."""
        sizes = {self._own_bytes(group) for group in siblings}
        channels = {group.main.dims.k for group in siblings}
        size, k = max(sizes), max(channels)
        shares = any(self._own_bytes(g) < self._whole_bytes(g) for g in siblings)
        if len(siblings) < 2 or len(sizes) > 1 or len(channels) > 1 or size % k or shares:
            self.in_order(siblings)
            return
        if not size:
            return
        base, piece = self._aligned(self._end), size // k
        for i, group in enumerate(siblings):
            region = Region(base + i * piece, piece, piece * len(siblings))
            self._store(group, region, 0)
        self._end = base + size * len(siblings)

    def in_banks(self, family: list[Node]) -> None:
        """Each sibling in banks of its own, as far as there are banks; aligned within them."""
        slots = 1 << (len(family) - 1).bit_length()
        slots = min(slots, self._lap_bytes // self._row_bytes)
        piece = self._lap_bytes // slots
        for first in range(0, len(family), slots):
            base = ceil_div(self._end, self._lap_bytes) * self._lap_bytes
            for slot, node in enumerate(family[first : first + slots]):
                region = Region(base + slot * piece, piece, self._lap_bytes)
                end = 0
                for group in node:
                    n_bytes = self._own_bytes(group)
                    if n_bytes:
                        grain = min(self._align_bytes, piece)
                        start = ceil_div(end, grain) * grain
                        self._store(group, region, start)
                        end = start + n_bytes
                        last = list(region.transfers(start, n_bytes))[-1]
                        reach = last.address + (last.pieces - 1) * last.stride_bytes
                        self._end = max(self._end, reach + last.n_bytes)

    def finish(self, groups: Iterable[LayerGroup]) -> WeightMap:
        """Every group's spans, neighbouring blocks joined."""
        spans = {group.name: tuple(self._spans(group)) for group in groups}
        distinct = sum(n_bytes for _, _, n_bytes in self._blocks.values())
        return WeightMap(spans, distinct, self._stored_bytes, self._end)

    def _spans(self, group: LayerGroup) -> Iterator[Span]:
        start = 0
        open_span: Span | None = None
        for block in group.weights:
            region, first, n_bytes = self._blocks[block.name]
            span = Span(start, start + n_bytes, region, first)
            start += n_bytes
            if open_span is not None:
                length = open_span.stop - open_span.start
                if open_span.region == region and open_span.first + length == first:
                    open_span = Span(open_span.start, span.stop, region, open_span.first)
                    continue
                yield open_span
            open_span = span
        if open_span is not None:
            yield open_span

    def _own_bytes(self, group: LayerGroup, known: set[str] | None = None) -> int:
        """Bytes of the group's blocks that are not stored yet (of `known` ones, in this copy)."""
        stored = self._blocks.keys() if known is None else known
        own = {block.name: block for block in group.weights if block.name not in stored}
        return sum(block_bytes(block, self._spec) for block in own.values())

    def _whole_bytes(self, group: LayerGroup) -> int:
        return sum(block_bytes(block, self._spec) for block in group.weights)

    def _store(
        self, group: LayerGroup, region: Region, first: int, known: set[str] | None = None
    ) -> None:
        """Note where the group's own blocks lie, one behind the other; the first place counts."""
        for block in group.weights:
            if block.name in (self._blocks if known is None else known):
                continue
            n_bytes = block_bytes(block, self._spec)
            self._blocks.setdefault(block.name, (region, first, n_bytes))
            if known is not None:
                known.add(block.name)
            first += n_bytes
            self._stored_bytes += n_bytes

    def _aligned(self, address: int) -> int:
        return ceil_div(address, self._align_bytes) * self._align_bytes
