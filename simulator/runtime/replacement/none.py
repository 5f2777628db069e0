"""Keeps nothing."""

from __future__ import annotations

from simulator.runtime.replacement.policy import History, ReplacementPolicy, Worth


class KeepNothing(ReplacementPolicy):
    """Every inference starts cold."""

    def admits(self, node: int) -> bool:
        return False

    def worth(self, node: int, history: History) -> Worth:
        return (0.0,)
