"""A distribution of integers in bounded memory: exact while small, then to a known precision."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
EXACT_BITS = 62


class Digest:
    """Counts of non-negative values, kept as they are while there are at most `most_values`.

    Where there are more, values are rounded up to fewer significant bits until they fit, as in
    Gil Tene's HdrHistogram: a quantile is then too high by less than `error_fraction` of itself.
    Count, mean and largest value stay exact.
    """

    def __init__(self, most_values: int) -> None:
        self._most_values = most_values
        self._bits = EXACT_BITS
        self.values: Integers = np.empty(0, dtype=np.int64)
        self.counts: Integers = np.empty(0, dtype=np.int64)
        self.total = 0
        self.count = 0
        self.largest = 0

    @property
    def error_fraction(self) -> float:
        """By how much of itself a quantile may be too high; zero while nothing was rounded."""
        return 0.0 if self._bits == EXACT_BITS else 2.0 ** (1 - self._bits)

    @property
    def mean(self) -> float:
        """Exact mean; not a number where nothing was added."""
        return self.total / self.count if self.count else math.nan

    def add(self, values: Integers) -> None:
        """Count every value, each from 0 to 2^62."""
        if not len(values):
            return
        self.count += len(values)
        # Halves of 32 bits, for the sum of 64-bit values may need more than 64.
        self.total += (int((values >> 32).sum()) << 32) + int((values & 0xFFFFFFFF).sum())
        self.largest = max(self.largest, int(values.max()))
        found, counts = np.unique(self.rounded(values), return_counts=True)
        self._include(found, counts)

    def merge(self, other: Digest) -> None:
        """Count everything that another digest has."""
        self._bits = min(self._bits, other._bits)
        self.count += other.count
        self.total += other.total
        self.largest = max(self.largest, other.largest)
        self.values = self.rounded(self.values)
        self._include(self.rounded(other.values), other.counts)

    def quantile(self, fraction: float) -> int:
        """The smallest value that at least this fraction does not exceed, rounded up if rounded."""
        if not self.count:
            raise ValueError("a quantile needs a value")
        place = np.searchsorted(np.cumsum(self.counts), rank(fraction, self.count))
        return min(int(self.values[place]), self.largest)

    def _include(self, values: Integers, counts: Integers) -> None:
        self._combine(np.concatenate((self.values, values)), np.concatenate((self.counts, counts)))
        while len(self.values) > self._most_values:
            self._bits = min(self._bits - 1, self.largest.bit_length() - 1)
            self._combine(self.rounded(self.values), self.counts)

    def _combine(self, values: Integers, counts: Integers) -> None:
        """Keep each value once, with all its counts."""
        self.values, places = np.unique(values, return_inverse=True)
        self.counts = np.zeros(len(self.values), dtype=np.int64)
        np.add.at(self.counts, places, counts)

    def rounded(self, values: Integers) -> Integers:
        """Values rounded up to this digest's precision, as it rounds its own."""
        if self._bits == EXACT_BITS:
            return values
        exponents = np.frexp(values.astype(np.float64))[1].astype(np.int64)
        shifts = np.maximum(exponents - self._bits, 0)
        return ((values + (np.int64(1) << shifts) - 1) >> shifts) << shifts


def rank(fraction: float, count: int) -> int:
    """Which of so many values in order, from one, is the quantile of a fraction."""
    # A product such as 0.999 x 1000 may come out a little above the whole number it is.
    return max(math.ceil(round(fraction * count, 6)), 1)
