"""Counts of values: percentiles of a stream of any length in bounded memory."""

from __future__ import annotations

import math

MOST_DISTINCT = 65_536
"""Up to so many distinct values all are kept as they are."""
RESOLUTION = 1e-3
"""Beyond that, values are rounded up to powers of 1 + this: percentiles are high by less."""


class Tally:
    """How often each value (zero or more) occurred; weights may stand for repetitions.

    Percentiles are exact while there are at most `most_distinct` different values, as with a
    device whose latencies follow from route and state. After that every value counts as the next
    power of 1.001, so a percentile may be too high by 0.1 %, and memory stays bounded (some 44,000
    values up to 10^19). The sum, and so the mean, is exact always.
    """

    def __init__(self, most_distinct: int = MOST_DISTINCT) -> None:
        self._most = most_distinct
        self._counts: dict[int, int] = {}
        self.exact = True
        self.count = 0
        self.total = 0

    def add(self, value: int, weight: int = 1) -> None:
        """Count a value."""
        self.count += weight
        self.total += value * weight
        key = value if self.exact else _rounded_up(value)
        self._counts[key] = self._counts.get(key, 0) + weight
        if self.exact and len(self._counts) > self._most:
            self._coarsen()

    def percentile(self, percent: float) -> int:
        """The smallest value that at least this percentage does not exceed; 0 of nothing."""
        rank = max(math.ceil(self.count * percent / 100), 1)
        seen = 0
        for value in sorted(self._counts):
            seen += self._counts[value]
            if seen >= rank:
                return value
        return 0

    @property
    def mean(self) -> float:
        """Mean of the values; 0 of nothing."""
        return self.total / self.count if self.count else 0.0

    @property
    def distinct(self) -> int:
        """How many different values are told apart."""
        return len(self._counts)

    def items(self) -> list[tuple[int, int]]:
        """Values and how often they occurred, in order of value."""
        return sorted(self._counts.items())

    def _coarsen(self) -> None:
        fine, self._counts, self.exact = self._counts, {}, False
        for value, weight in fine.items():
            key = _rounded_up(value)
            self._counts[key] = self._counts.get(key, 0) + weight


def _rounded_up(value: int) -> int:
    """The next power of 1 + RESOLUTION, as an integer no smaller than the value."""
    if value <= 1 / RESOLUTION:
        return value
    power = math.ceil(math.log(value) / math.log1p(RESOLUTION) - 1e-9)
    return max(math.ceil(math.exp(power * math.log1p(RESOLUTION))), value)
