"""The best any policy could have done on a short stream: every choice tried, states merged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from simulator.errors import UserError
from simulator.runtime.itinerary import Arms, Itinerary

MOST_STATES = 20_000
"""More states of the region at once than this are refused: the search is for tiny cases."""

Held = tuple[int, ...]


def most_hit_bytes(
    itinerary: Itinerary,
    prefix_bytes: Sequence[Sequence[int]],
    capacity_bytes: int,
    stream: Sequence[Arms],
) -> int:
    """The most weight bytes that can be hit, the whole stream known, units as they are.

    Dynamic programming over what the region may hold after every node: any part of the missing
    units is taken in, any units of nodes not in use are given up for it. Where units differ in
    size this is what Belady's rule only approximates.

    Raises:
        UserError: too many states.
    """
    best: dict[Held, int] = {(0,) * len(prefix_bytes): 0}
    for arms in stream:
        in_use: set[int] = set()
        for depth in range(len(arms) + 1):
            nodes = itinerary.legs[arms[:depth]].nodes
            in_use |= set(nodes)
            for node in nodes:
                best = _enter(best, node, prefix_bytes, capacity_bytes, in_use)
                if len(best) > MOST_STATES:
                    raise UserError(
                        f"optimum: more than {MOST_STATES} states of the region: fewer or larger "
                        "units, or fewer nodes, are needed"
                    )
    return max(best.values())


def _enter(
    best: dict[Held, int],
    node: int,
    prefix_bytes: Sequence[Sequence[int]],
    capacity_bytes: int,
    in_use: set[int],
) -> dict[Held, int]:
    found: dict[Held, int] = {}
    for held, hit in best.items():
        gain = hit + prefix_bytes[node][held[node]]
        for after in _choices(held, node, prefix_bytes, capacity_bytes, in_use):
            if found.get(after, -1) < gain:
                found[after] = gain
    return found


def _choices(
    held: Held,
    node: int,
    prefix_bytes: Sequence[Sequence[int]],
    capacity_bytes: int,
    in_use: set[int],
) -> Iterator[Held]:
    """What may be held once a node was entered; units are given up only to take others in."""
    yield held
    options = [
        range(held[node] + 1, len(prefix_bytes[node]))
        if other == node
        else (units,)
        if other in in_use
        else range(units + 1)
        for other, units in enumerate(held)
    ]
    for after in product(*options):
        used = sum(prefix[units] for prefix, units in zip(prefix_bytes, after, strict=True))
        if used <= capacity_bytes:
            yield after
