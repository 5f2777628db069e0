"""Speculate on all arms of a branch at once."""

from __future__ import annotations

from simulator.mapping.case import Wants
from simulator.prefetch.branch_view import BranchView

SHARES = 8
"""Probabilities are rounded to eighths, so that alike predictions make alike schedules."""


def both_siblings(view: BranchView) -> Wants:
    """Every arm, the likeliest first, in turns of bytes in proportion to probability.

    No arm gets less than an eighth of an even share: each is fetched from the start.
    """
    ranking = view.ranking
    shares = tuple(max(round(view.probabilities[arm] * SHARES), 1) for arm in ranking)
    return Wants(ranking, shares)
