"""Front and hypervolume against definitions and a count of cells."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.study.pareto import front, hypervolume

GRID = 6
POINTS = st.integers(1, 4).flatmap(
    lambda width: st.lists(
        st.lists(st.integers(0, GRID), min_size=width, max_size=width), min_size=1, max_size=14
    )
)


@given(POINTS)
def test_the_front_is_what_nothing_dominates(points):
    costs = np.array(points, dtype=float)
    for at, kept in enumerate(front(costs)):
        dominated = any(
            all(other <= mine) and any(other < mine)
            for other, mine in ((costs[o], costs[at]) for o in range(len(costs)))
        )
        assert kept == (not dominated)


@given(POINTS)
def test_hypervolume_counts_the_cells_that_some_point_dominates(points):
    costs = np.array(points, dtype=float)
    cells = np.indices((GRID,) * costs.shape[1]).reshape(costs.shape[1], -1).T
    covered = np.any(np.all(costs[None] <= cells[:, None], axis=2), axis=1)
    reference = np.full(costs.shape[1], float(GRID))
    assert hypervolume(costs, reference) == pytest.approx(covered.sum())


def test_hypervolume_by_hand():
    # Boxes to (4, 4): (1, 3) gives 3 x 1, (2, 1) gives 2 x 3, of which 2 x 1 are shared.
    assert hypervolume(np.array([[1.0, 3.0], [2.0, 1.0]]), np.array([4.0, 4.0])) == 3 + 6 - 2
