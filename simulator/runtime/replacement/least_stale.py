"""Displaces what the running inference can no longer need, the longest unused first."""

from __future__ import annotations

from simulator.runtime.replacement.policy import History, ReplacementPolicy, Worth


class LeastStale(ReplacementPolicy):
    """Nodes that the running inference may still reach are worth more than those it has passed by.

    After Least-Stale of SpecMD (arXiv 2602.03921), which gives up experts of earlier passes before
    those of the running one because layers come in a known order; here a tree's decisions say
    which nodes the running inference has left behind. Among equals the one whose last inference
    is longer ago goes first, and of one inference the one it entered first.
    """

    def worth(self, node: int, history: History) -> Worth:
        still = float(node in history.reachable)
        return (still, history.last_inference[node], history.last_entry[node])
