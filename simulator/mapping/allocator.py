"""Gives everything that lives in the scratchpad its addresses, for as long as it lives.

Time is counted in tiles, as the scheduler counts it: a load's buffer lives from the tile after the
one that releases it to the last tile that reads it, a resident tensor from the layer that writes
it to the last that reads it. Addresses are handed out in that order, each item at the smallest
hole that holds it. Where none does it is split over several holes: DMA descriptors and the array's
address generators address ranges, so a buffer need not be contiguous, but each piece costs one.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Set
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import pairwise
from typing import NamedTuple

from simulator.errors import Contributor, InfeasiblePlanError
from simulator.mapping.residency import resident_tensors, tensor_bytes
from simulator.mapping.schedule import NONE, Schedule
from simulator.mapping.tiles import TransferKind
from simulator.spec import AcceleratorSpec

Range = tuple[int, int]
"""Addresses from the first to before the second."""


class LiveRange(NamedTuple):
    """Something in the scratchpad: from the start of one tile to the end of another."""

    name: str
    first_tile: int
    last_tile: int
    n_bytes: int


class Placed(NamedTuple):
    """A live range and its addresses, in one piece or several."""

    live: LiveRange
    ranges: tuple[Range, ...]


@dataclass(frozen=True)
class Allocation:
    """Every placement of one schedule."""

    placed: tuple[Placed, ...]

    @property
    def most_pieces(self) -> int:
        """Pieces of the item that was split most."""
        return max((len(item.ranges) for item in self.placed), default=0)

    @property
    def highest_address(self) -> int:
        """Bytes of the scratchpad that are used at some time."""
        return max((stop for item in self.placed for _, stop in item.ranges), default=0)


def live_ranges(
    schedule: Schedule, in_dram: Set[str], spec: AcceleratorSpec
) -> tuple[LiveRange, ...]:
    """Everything that takes scratchpad space on a route without speculation, by first tile.

    A tensor that a layer writes over another takes over its place and prolongs its life.
    """
    found = [*_tensors(schedule, in_dram, spec), *_layer_buffers(schedule), *_loads(schedule)]
    return tuple(sorted(found, key=lambda live: (live.first_tile, -live.n_bytes, live.name)))


def allocate(schedule: Schedule, in_dram: Set[str], spec: AcceleratorSpec) -> Allocation:
    """Addresses for every live range of a schedule, within its budget.

    Raises:
        InfeasiblePlanError: at some tile more is alive than the budget holds.
    """
    holes = [(0, schedule.budget_bytes)]
    alive: list[tuple[int, int]] = []
    """A heap of last tiles and places in `placed`."""
    placed: list[Placed] = []
    for live in live_ranges(schedule, in_dram, spec):
        ended: list[Range] = []
        while alive and alive[0][0] < live.first_tile:
            ended += placed[heappop(alive)[1]].ranges
        if ended:
            holes = _merged([*holes, *ended])
        heappush(alive, (live.last_tile, len(placed)))
        placed.append(Placed(live, _take(holes, live, schedule.budget_bytes)))
    return Allocation(tuple(placed))


def _take(holes: list[Range], live: LiveRange, budget_bytes: int) -> tuple[Range, ...]:
    """Cut a live range's bytes out of the holes: the smallest that holds them, or the largest."""
    pieces: list[Range] = []
    wanted = live.n_bytes
    while wanted:
        fitting = [(stop - start, start) for start, stop in holes if stop - start >= wanted]
        if not fitting and not pieces:
            _check_room(holes, live, budget_bytes)
        size, start = min(fitting) if fitting else max((stop - at, at) for at, stop in holes)
        holes.remove((start, start + size))
        used = min(size, wanted)
        pieces.append((start, start + used))
        if used < size:
            insort(holes, (start + used, start + size))
        wanted -= used
    return tuple(pieces)


def _check_room(holes: list[Range], live: LiveRange, budget_bytes: int) -> None:
    """All holes together must hold a live range."""
    room = sum(stop - start for start, stop in holes)
    if room < live.n_bytes:
        raise InfeasiblePlanError(
            what=f"{live.name} at tile {live.first_tile}",
            resource="scratchpad",
            demand_bytes=budget_bytes - room + live.n_bytes,
            capacity_bytes=budget_bytes,
            contributors=(Contributor("alive", budget_bytes - room),),
        )


def _merged(ranges: list[Range]) -> list[Range]:
    """Neighbouring holes joined, in order of address."""
    joined: list[Range] = []
    for start, stop in sorted(ranges):
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined


def _tensors(schedule: Schedule, in_dram: Set[str], spec: AcceleratorSpec) -> Iterator[LiveRange]:
    """Resident tensors; those that share a place are one."""
    place: dict[str, str] = {}
    spans: dict[str, LiveRange] = {}
    for plan, (start, end) in zip(schedule.groups, pairwise(schedule.starts), strict=True):
        live = plan.live
        for tensor in resident_tensors(live, in_dram):
            name = place.get(tensor.name, tensor.name)
            first = spans[name].first_tile if name in spans else start
            spans[name] = LiveRange(name, first, end - 1, tensor_bytes(tensor, spec))
        if live.ofmap is not None and live.overwrites is not None:
            over = live.overwrites.name
            if over not in in_dram and live.ofmap.name not in in_dram:
                place[live.ofmap.name] = place.get(over, over)
    yield from spans.values()


def _layer_buffers(schedule: Schedule) -> Iterator[LiveRange]:
    """Partial sums, and output tiles on their way to DRAM, which may linger for one tile more."""
    tiled = zip(schedule.groups, schedule.tiled, pairwise(schedule.starts), strict=True)
    for g, (plan, tiles, (start, end)) in enumerate(tiled):
        name = plan.group.name
        if tiles.psum_bytes:
            yield LiveRange(f"partial sums of {name}", start, end - 1, tiles.psum_bytes)
        if tiles.ofmap_buffer_bytes:
            last = end - 1
            if g + 1 < len(schedule.groups):
                following, buffers = schedule.groups[g + 1], schedule.tiled[g + 1]
                own = following.resident_bytes + buffers.psum_bytes + buffers.ofmap_buffer_bytes
                last += schedule.fixed_bytes[end] > own
            yield LiveRange(f"outputs of {name}", start, last, tiles.ofmap_buffer_bytes)


def _loads(schedule: Schedule) -> Iterator[LiveRange]:
    """Buffers of weights and inputs; what is staged or kept has its space elsewhere."""
    commands = schedule.commands
    for j, kind in enumerate(commands.kind):
        if kind is TransferKind.OFMAP or commands.staged[j]:
            continue
        release = commands.release_tile[j]
        first = 0 if release == NONE else release + 1
        yield LiveRange(f"{kind.value} {j}", first, commands.free_tile[j], commands.n_bytes[j])
