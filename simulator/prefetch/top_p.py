"""Speculate on the fewest arms that are likely enough together."""

from __future__ import annotations

from itertools import accumulate

from simulator.mapping.case import Wants
from simulator.prefetch.branch_view import BranchView

ROUNDING = 1e-9


def top_p(view: BranchView, p_fraction: float) -> Wants:
    """The likeliest arms, one after the other, until their probabilities sum to p."""
    ranking = view.ranking
    sums = list(accumulate(view.probabilities[arm] for arm in ranking))
    short = sum(reached < p_fraction - ROUNDING for reached in sums)
    return Wants(ranking[: short + 1])
