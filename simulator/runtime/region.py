"""The managed part of the scratchpad: which weights are in it, and what a new one displaces."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from simulator.runtime.itinerary import Arms, Itinerary
from simulator.runtime.replacement.policy import History, ReplacementPolicy


@dataclass(frozen=True)
class RegionState:
    """A copy of everything a region remembers."""

    held: tuple[int, ...]
    history: History


class Region:
    """Holds the first units of some nodes' weights, within a capacity, from input to input.

    `prefix_bytes` gives, by node, the bytes of its first 0, 1, 2 ... units. Of the units of a
    node the first `core_units` are worth more than the rest of any node: they displace those and
    are not displaced by them (the high bits of weights, where these are enough to run on).
    `barred` nodes are never taken in. `used_bytes` are resident in all.

    A load that finds everything in use is not taken in and streams through the ordinary buffers
    instead, so nothing ever waits for room here and no schedule can deadlock.
    """

    def __init__(
        self,
        capacity_bytes: int,
        prefix_bytes: Sequence[Sequence[int]],
        policy: ReplacementPolicy,
        barred: frozenset[int] = frozenset(),
        core_units: Sequence[int] | None = None,
    ) -> None:
        self.capacity_bytes = capacity_bytes
        self._core = core_units or [0] * len(prefix_bytes)
        self._barred = barred
        self._prefix = prefix_bytes
        self._policy = policy
        self._held = [0] * len(prefix_bytes)
        self.used_bytes = 0
        self._in_use: set[int] = set()
        self.history = History.of(len(prefix_bytes))

    def begin(self) -> None:
        """A new inference starts; nothing is in use."""
        self.history.inference += 1
        self._in_use.clear()

    def enter_leg(self, nodes: Sequence[int], reachable: frozenset[int]) -> None:
        """These nodes surely run: from now on to the end of the inference they are in use."""
        self.history.reachable = reachable
        self._in_use.update(nodes)

    def enter(self, node: int, take_in: bool = True) -> tuple[int, int]:
        """The inference needs a node now: its units resident before and after its loads.

        With `take_in` missing units are loaded to stay as far as the policy finds room.
        """
        self.history.enter(node)
        prefix, before = self._prefix[node], self._held[node]
        if not take_in or before == len(prefix) - 1 or not self._admits(node):
            return before, before
        victims: list[int] | None = None
        if prefix[-1] - prefix[before] > self.capacity_bytes - self.used_bytes:
            victims = self._victims(node)
        core = self._core[node]
        if before < core:
            self._take_in(node, core, victims, core_too=True)
        if self._held[node] >= core:
            self._take_in(node, len(prefix) - 1, victims, core_too=not core)
        return before, self._held[node]

    def pass_through(self, itinerary: Itinerary, arms: Arms) -> list[tuple[int, int, int]]:
        """One inference along a known route: (node, units resident before, after) in order."""
        self.begin()
        found = []
        for depth in range(len(arms) + 1):
            prefix = arms[:depth]
            nodes = itinerary.legs[prefix].nodes
            self.enter_leg(nodes, itinerary.reachable[prefix])
            found += [(node, *self.enter(node)) for node in nodes]
        return found

    def units(self, node: int) -> int:
        """Resident units of a node."""
        return self._held[node]

    def resident_bytes(self, nodes: Sequence[int]) -> int:
        """Resident bytes of some nodes."""
        return sum(self._bytes(node) for node in nodes)

    def save(self) -> RegionState:
        """Everything there is to restore."""
        return RegionState(tuple(self._held), self.history.copy())

    def restore(self, state: RegionState) -> None:
        """Return to a saved state, between two inferences."""
        self._held = list(state.held)
        self.used_bytes = self.resident_bytes(range(len(self._held)))
        self.history = state.history.copy()
        self._in_use.clear()

    def _admits(self, node: int) -> bool:
        return node not in self._barred and self._policy.admits(node)

    def _bytes(self, node: int) -> int:
        return self._prefix[node][self._held[node]]

    def _victims(self, node: int) -> list[int]:
        candidates = [
            other for other, held in enumerate(self._held) if held and other not in self._in_use
        ]
        if not candidates:
            return []
        return self._policy.order(candidates, self.history, self._policy.worth(node, self.history))

    def _take_in(self, node: int, upto: int, victims: Sequence[int] | None, core_too: bool) -> None:
        """Load units up to a number as far as there is room; None: there is room for all."""
        prefix = self._prefix[node]
        if victims is None:
            self._hold(node, upto)
            return
        base, free = self._bytes(node), self.capacity_bytes - self.used_bytes
        available = free + sum(self._bytes(v) - self._least_bytes(v, core_too) for v in victims)
        after = min(bisect_right(prefix, base + available) - 1, upto)
        needed = self._displace(victims, prefix[after] - base - free, core_too=False)
        if core_too:
            self._displace(victims, needed, core_too=True)
        self._hold(node, after)

    def _hold(self, node: int, units: int) -> None:
        self.used_bytes -= self._bytes(node)
        self._held[node] = units
        self.used_bytes += self._bytes(node)

    def _least_bytes(self, victim: int, core_too: bool) -> int:
        """What a victim keeps when it has given up all it can."""
        if core_too:
            return 0
        return self._prefix[victim][min(self._core[victim], self._held[victim])]

    def _displace(self, victims: Sequence[int], needed_bytes: int, core_too: bool) -> int:
        """Give up units, the last of each victim first, until enough is free; what still lacks."""
        for victim in victims:
            if needed_bytes <= 0:
                break
            prefix, have = self._prefix[victim], self._bytes(victim)
            keep = max(have - needed_bytes, self._least_bytes(victim, core_too))
            units = bisect_right(prefix, keep, hi=self._held[victim] + 1) - 1
            self._hold(victim, units)
            needed_bytes -= have - prefix[units]
        return needed_bytes
