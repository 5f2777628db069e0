"""A node's weights cut into the units of residency, and what part of them means for the DMA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from simulator.mapping.managed import WeightSpan
from simulator.mapping.plan import Plan
from simulator.mapping.scheduler import Scheduler
from simulator.mapping.tiles import TransferKind
from simulator.runtime.granularity import Granularity
from simulator.runtime.itinerary import Node

Spans = dict[str, tuple[WeightSpan, ...]]


@dataclass(frozen=True)
class Piece:
    """Bytes [start, stop) of a layer group's weights, which the plan loads with one command."""

    group: str
    start: int
    stop: int


@dataclass(frozen=True)
class NodeCut:
    """One node in units, of which the first so many may be resident.

    Attributes:
        prefix_bytes: by number of units, the bytes they take together; starts with 0.
        pieces: what the units are made of, in execution order.
        slices: equal bit slices of a piece; the units are piece by piece, slice by slice.
        standin_units: how many units make the node complete in fewer bits; None without slices.
    """

    prefix_bytes: Sequence[int]
    pieces: tuple[Piece, ...]
    slices: int
    standin_units: int | None

    @property
    def n_units(self) -> int:
        """Number of units."""
        return len(self.prefix_bytes) - 1

    @property
    def n_bytes(self) -> int:
        """All the node's weights."""
        return self.prefix_bytes[-1]

    def spans(self, before: int, after: int, complete: bool = False) -> Spans:
        """What becomes of the node's weights, by group.

        The first `before` units are on chip, those up to `after` are loaded to stay, the rest
        streams; or nothing is loaded if the node counts as `complete`.
        """
        if complete:
            return self._by_bytes(self.n_bytes, self.n_bytes)
        if self.slices == 1:
            return self._by_bytes(self.prefix_bytes[before], self.prefix_bytes[after])
        return self._by_slices(before, after)

    def _by_bytes(self, resident: int, covered: int) -> Spans:
        found: Spans = {}
        done = 0
        sizes = {piece.group: piece.stop for piece in self.pieces}
        for group, size in sizes.items():
            have, take = (max(min(n - done, size), 0) for n in (resident, covered))
            spans = (WeightSpan(0, have, absent=1), WeightSpan(have, take, kept=1))
            found[group] = tuple(span for span in spans if span.start < span.stop)
            done += size
        return found

    def _by_slices(self, before: int, after: int) -> Spans:
        found: Spans = {}
        n = len(self.pieces)
        for i, piece in enumerate(self.pieces):
            absent, covered = (units // n + (i < units % n) for units in (before, after))
            mine = found.get(piece.group, ())
            if mine and (mine[-1].absent, mine[-1].kept) == (absent, covered - absent):
                start, mine = mine[-1].start, mine[:-1]
            else:
                start = piece.start
            span = WeightSpan(start, piece.stop, absent, covered - absent, self.slices)
            found[piece.group] = (*mine, span)
        return found


def cut_node(
    node: Node, plan: Plan, scheduler: Scheduler, granularity: Granularity, slices: int
) -> NodeCut:
    """Cut a node's weights as the plan loads them; `slices` matters to bit slices alone."""
    pieces = tuple(piece for group in node.groups for piece in _pieces(group.name, plan, scheduler))
    sizes = [piece.stop - piece.start for piece in pieces]
    total = sum(sizes)
    if granularity is Granularity.BYTE:
        return NodeCut(range(total + 1), pieces, 1, None)
    if granularity is Granularity.NODE:
        return NodeCut((0, total) if total else (0,), pieces, 1, None)
    if granularity is Granularity.TILE:
        return NodeCut(tuple(accumulate(sizes, initial=0)), pieces, 1, None)
    shares = [
        WeightSpan(p.start, p.stop, absent=s, kept=1, slices=slices).split(p.start, p.stop)[0]
        for s in range(slices)
        for p in pieces
    ]
    return NodeCut(tuple(accumulate(shares, initial=0)), pieces, slices, len(pieces))


def _pieces(group: str, plan: Plan, scheduler: Scheduler) -> list[Piece]:
    """The distinct weight loads of a group in the order they are first needed.

    The tiles deal a group's bytes out in that order, so the pieces lie one behind the other.
    """
    sizes: dict[int, int] = {}
    for tile in scheduler.tiled(plan.groups[group]).tiles:
        for load in tile.loads:
            if load.kind is TransferKind.WEIGHT:
                sizes.setdefault(load.offset_bytes, load.n_bytes // load.repeats)
    return [Piece(group, start, start + n_bytes) for start, n_bytes in sizes.items()]
