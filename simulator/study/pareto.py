"""What is worth choosing among points with several costs: the Pareto front and its hypervolume."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Costs = NDArray[np.float64]
"""Shape (points, objectives); less is better in all of them."""


def front(costs: Costs) -> NDArray[np.bool_]:
    """Which points no other dominates (no worse in any cost, better in one); equals all stay."""
    keeps = np.zeros(len(costs), dtype=np.bool_)
    best: Costs = np.empty((0, costs.shape[1]))
    for at in np.lexsort(costs.T[::-1]):  # whoever dominates a point stands before it
        point = costs[at]
        dominated = np.all(best <= point, axis=1) & np.any(best < point, axis=1)
        if not dominated.any():
            keeps[at] = True
            best = np.vstack([best, point])
    return keeps


def hypervolume(costs: Costs, reference: NDArray[np.float64]) -> float:
    """Volume between the front and a reference point that is worse in every cost.

    Points that are not better than the reference in all costs add nothing. Computed by slicing
    along the last cost (While et al., "A faster algorithm for calculating hypervolume", 2006),
    which is exact.
    """
    inside = costs[np.all(costs < reference, axis=1)]
    if not len(inside):
        return 0.0
    if costs.shape[1] == 1:
        return float(reference[0] - inside.min())
    inside = np.unique(inside[front(inside)], axis=0)
    if costs.shape[1] == 2:
        ordered = inside[np.argsort(inside[:, 0])]
        rights = np.append(ordered[1:, 0], reference[0])
        return float(np.sum((rights - ordered[:, 0]) * (reference[1] - ordered[:, 1])))
    ordered = inside[np.argsort(inside[:, -1])]
    tops = np.append(ordered[1:, -1], reference[-1])
    return float(
        sum(
            (top - ordered[at, -1]) * hypervolume(ordered[: at + 1, :-1], reference[:-1])
            for at, top in enumerate(tops)
            if top > ordered[at, -1]
        )
    )
