"""One measured quantity over a run: its distribution, whole and by blocks of requests."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from simulator.serving.digest import Digest, Integers

MOST_VALUES, MOST_BLOCK_VALUES = 16384, 4096
"""Precisions: over the 7 octaves of a hundredfold range below 0.1 % and 1 %."""


class Series:
    """A quantity of a group of requests. Blocks are closed by whoever counts all requests."""

    def __init__(self, closed_blocks: int) -> None:
        self.whole = Digest(MOST_VALUES)
        self.blocks = [Digest(MOST_BLOCK_VALUES) for _ in range(closed_blocks)]
        self._open = Digest(MOST_BLOCK_VALUES)

    def add(self, values: Integers) -> None:
        """Count values of the open block."""
        self.whole.add(values)
        self._open.add(values)

    def close_block(self) -> None:
        """The values that follow belong to the next block."""
        self.blocks.append(self._open)
        self._open = Digest(MOST_BLOCK_VALUES)

    def merge_pairs(self) -> None:
        """Make one block of every two; their number must be even."""
        for first, second in zip(self.blocks[::2], self.blocks[1::2], strict=True):
            first.merge(second)
        self.blocks = self.blocks[::2]

    def block_correlation(self) -> float | None:
        """Correlation of the means of neighbouring blocks; None where there is none to speak of."""
        means = np.array([block.mean for block in self.blocks if block.count])
        if len(means) < 3:
            return None
        centred = means - means.mean()
        spread = float(centred @ centred)
        if not spread:
            return None
        products = [first * second for first, second in pairwise(centred.tolist())]
        return math.fsum(products) / spread
