"""Speculate on the likeliest arm alone."""

from __future__ import annotations

from simulator.mapping.case import Wants
from simulator.prefetch.branch_view import BranchView


def most_probable(view: BranchView) -> Wants:
    """The arm of the highest probability, the first among equals."""
    return Wants(view.ranking[:1])
