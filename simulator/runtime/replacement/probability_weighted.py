"""Displaces what is least likely to be needed, by the leaf shares known beforehand."""

from __future__ import annotations

from simulator.runtime.replacement.policy import History, ReplacementPolicy, Worth


class ProbabilityWeighted(ReplacementPolicy):
    """A node is worth the share of inputs that pass it; among equals the more recent."""

    def __init__(self, probabilities: tuple[float, ...]) -> None:
        self._probabilities = probabilities

    def worth(self, node: int, history: History) -> Worth:
        return (self._probabilities[node], history.last_entry[node])
