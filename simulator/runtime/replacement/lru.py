"""Displaces what was used the longest ago."""

from __future__ import annotations

from simulator.runtime.replacement.policy import History, ReplacementPolicy, Worth


class LeastRecentlyUsed(ReplacementPolicy):
    """The more recently a node was entered, the more it is worth."""

    def worth(self, node: int, history: History) -> Worth:
        return (history.last_entry[node],)
