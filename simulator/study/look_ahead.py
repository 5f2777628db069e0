"""Points that wait to be handed out, sorted by family: what shares plans goes out together."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator

from simulator.fast.designs import SHARED_FIELDS
from simulator.study.axis import Choices, Value

Point = tuple[int, Choices]
FamilyHint = tuple[tuple[str, Value], ...]
"""The choices that plans and schedules depend on: points of equal hints share them."""


def family_hint(choices: Choices) -> FamilyHint:
    """What of a point's choices its plans depend on; no spec has to be made for it."""
    return tuple(choice for choice in choices.items() if choice[0] not in SHARED_FIELDS)


class LookAhead:
    """Some points of a stream, so many at most, by family."""

    def __init__(self, points: Iterator[Point], most: int) -> None:
        self._points, self._most, self._waiting = points, most, 0
        self._families: dict[FamilyHint, deque[Point]] = {}

    def take(self, size: int, busy: Container[FamilyHint]) -> tuple[FamilyHint, list[Point]]:
        """Up to `size` points of the family seen first, of those not busy if there is one.

        No points are left if none are returned.
        """
        while self._waiting < self._most and (point := next(self._points, None)) is not None:
            self._families.setdefault(family_hint(point[1]), deque()).append(point)
            self._waiting += 1
        if not self._families:
            return (), []
        oldest = next(iter(self._families))
        family = next((each for each in self._families if each not in busy), oldest)
        waiting = self._families[family]
        taken = [waiting.popleft() for _ in range(min(size, len(waiting)))]
        if not waiting:
            del self._families[family]
        self._waiting -= len(taken)
        return family, taken
