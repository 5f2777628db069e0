"""How sure a mean over a stream is, though its inputs are not independent: batch means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

BATCHES = 20
"""Law, Simulation Modeling and Analysis (5th ed.) 9.5.3: few long batches, not many short ones."""
STUDENT_T_19 = 2.093
"""Two-sided 95 % quantile of Student's t with 19 degrees of freedom (any table of it)."""


@dataclass(frozen=True)
class Interval:
    """A mean and half the width of its 95 % confidence interval."""

    mean: float
    half_width: float

    @property
    def low(self) -> float:
        """Lower end."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        """Upper end."""
        return self.mean + self.half_width


def batch_means(numerators: Sequence[float], denominators: Sequence[float]) -> Interval | None:
    """The ratio of two sums over consecutive windows, with its interval.

    The windows are put together to 20 batches of as equal a number as can be; None if there are
    fewer windows than that.
    """
    n = len(numerators)
    if n < BATCHES:
        return None
    edges = [n * batch // BATCHES for batch in range(BATCHES + 1)]
    ratios = [sum(numerators[a:b]) / sum(denominators[a:b]) for a, b in pairwise(edges)]
    mean = sum(ratios) / BATCHES
    variance = sum((ratio - mean) ** 2 for ratio in ratios) / (BATCHES - 1)
    ratio = sum(numerators) / sum(denominators)
    return Interval(ratio, STUDENT_T_19 * math.sqrt(variance / BATCHES))
