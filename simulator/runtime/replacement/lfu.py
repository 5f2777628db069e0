"""Displaces what was used least often."""

from __future__ import annotations

from simulator.runtime.replacement.policy import History, ReplacementPolicy, Worth


class LeastFrequentlyUsed(ReplacementPolicy):
    """The more often a node was entered, the more it is worth; among equals the more recent.

    Counts are kept for nodes that are not resident too, so a rare node does not displace a
    frequent one.
    """

    def worth(self, node: int, history: History) -> Worth:
        return (history.uses[node], history.last_entry[node])
