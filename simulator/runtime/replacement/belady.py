"""Displaces what is needed the furthest in the future: it knows all routes to come.

Belady, "A study of replacement algorithms for a virtual-storage computer", IBM Systems Journal
5(2), 1966, with the choice not to take in what is needed later than all that is there. With units
of one size no policy has a higher byte hit rate on a tree, online or not: what an inference has
entered is never needed later than what it enters next, so the rule that it may not be displaced
costs nothing. With units of several sizes the best choice is hard to find (a knapsack) and this
is a heuristic; at the granularity of bytes all units have one size again, so `byte` bounds every
policy at every granularity.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable

from simulator.runtime.itinerary import Arms
from simulator.runtime.replacement.policy import History, ReplacementPolicy, Worth

NEVER = 1 << 62


class Belady(ReplacementPolicy):
    """A node is worth the more, the sooner it is needed again.

    It holds four bytes per node and inference of the whole stream.
    """

    def __init__(
        self, future: Iterable[Arms], path: Callable[[Arms], tuple[int, ...]], n_nodes: int
    ) -> None:
        self._uses = [array("I") for _ in range(n_nodes)]
        self._depth = [0] * n_nodes
        for index, arms in enumerate(future):
            for depth, node in enumerate(path(arms)):
                self._uses[node].append(index)
                self._depth[node] = depth

    def worth(self, node: int, history: History) -> Worth:
        uses = self._uses[node]
        now = history.inference
        entered = history.last_inference[node] == now
        at = bisect_right(uses, now if entered else now - 1)
        following = uses[at] if at < len(uses) else NEVER
        return (-following, -self._depth[node])
