"""Intervals of means and percentiles of a queue, by resampling blocks of requests.

Waits of neighbouring requests are strongly correlated, so resampling single requests would give
intervals that are far too narrow. Whole blocks of consecutive requests are drawn instead, with
replacement (the non-overlapping block bootstrap: E. Carlstein, Annals of Statistics 14, 1986;
for queues, batching: L. Schruben, Operations Research 31, 1983), and the percentile interval of
the resampled statistics is taken (B. Efron, Annals of Statistics 7, 1979). It holds where blocks
are much longer than the queue's memory, which the correlation of neighbouring blocks shows. The
interval of a maximum is not given: no bootstrap of an extreme is consistent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from simulator.serving.digest import Digest

RESAMPLES = 1000
LEVEL_FRACTION = 0.95
BATCH = 50
"""Resamples computed at a time, which bounds the memory they take."""
MOST_VALUES = 8192
"""Values that resampled percentiles may take."""
LEAST_BLOCKS = 20
"""Fewer blocks give no interval."""


@dataclass(frozen=True)
class Intervals:
    """Lower and upper ends, of the mean and of each quantile by its fraction."""

    mean: tuple[float, float]
    quantiles: dict[float, tuple[float, float]] = field(default_factory=dict)


def block_intervals(
    blocks: Sequence[Digest], fractions: Sequence[float], seed: int
) -> Intervals | None:
    """The percentile intervals of block-resampled statistics; None where blocks are too few."""
    blocks = [block for block in blocks if block.count]
    if len(blocks) < LEAST_BLOCKS:
        return None
    generator = np.random.default_rng((seed, len(blocks)))
    even = np.full(len(blocks), 1 / len(blocks))
    draws = generator.multinomial(len(blocks), even, size=RESAMPLES).astype(np.float64)
    counts = np.array([block.count for block in blocks], dtype=np.float64)
    totals = np.array([float(block.total) for block in blocks])
    means = (draws @ totals) / (draws @ counts)
    if not fractions:
        return Intervals(_ends(means))
    pooled = Digest(MOST_VALUES)
    for block in blocks:
        pooled.merge(block)
    values = pooled.values
    table = np.zeros((len(blocks), len(values)))
    for row, block in zip(table, blocks, strict=True):
        np.add.at(row, np.searchsorted(values, pooled.rounded(block.values)), block.counts)
    below = np.cumsum(table, axis=1)
    found = np.empty((RESAMPLES, len(fractions)))
    for some in np.array_split(np.arange(RESAMPLES), RESAMPLES // BATCH):
        cumulative = draws[some] @ below
        ranks = np.maximum(np.ceil(np.round(np.outer(cumulative[:, -1], fractions), 6)), 1)
        for row, ordered, wanted in zip(some, cumulative, ranks, strict=True):
            found[row] = values[np.searchsorted(ordered, wanted)]
    quantiles = {fraction: _ends(found[:, n]) for n, fraction in enumerate(fractions)}
    return Intervals(_ends(means), quantiles)


def _ends(statistics: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, float]:
    tail = (1 - LEVEL_FRACTION) / 2
    low, high = np.quantile(statistics, (tail, 1 - tail))
    return float(low), float(high)
