"""The interface of a replacement policy: a worth for every node, and whether it is let in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field

Worth = tuple[float, ...]


@dataclass
class History:
    """What has happened so far: all that an online policy may look at.

    Attributes:
        inference: number of the running inference, from 0.
        entries: how many nodes have been entered over all inferences.
        last_entry: by node, the count of entries when it was last entered; 0 for never.
        last_inference: by node, the inference that last entered it; -1 for never.
        uses: by node, how often it was entered.
        reachable: nodes that the running inference runs, ran on this leg, or may still run.
    """

    last_entry: list[int]
    last_inference: list[int]
    uses: list[int]
    inference: int = -1
    entries: int = 0
    reachable: frozenset[int] = field(default=frozenset())

    @classmethod
    def of(cls, n_nodes: int) -> History:
        """Before the first inference."""
        return cls([0] * n_nodes, [-1] * n_nodes, [0] * n_nodes)

    def enter(self, node: int) -> None:
        """The running inference needs a node's weights."""
        self.entries += 1
        self.last_entry[node] = self.entries
        self.last_inference[node] = self.inference
        self.uses[node] += 1

    def copy(self) -> History:
        """An independent copy."""
        return History(
            list(self.last_entry),
            list(self.last_inference),
            list(self.uses),
            self.inference,
            self.entries,
            self.reachable,
        )


class ReplacementPolicy(ABC):
    """Decides by what has happened which weights stay: a pure function of the history.

    Missing weights of the node just entered displace those of nodes worth less, the least worthy
    first, and nothing else. Nodes that the running inference has entered, or is known to enter,
    are never displaced, whatever they are worth.
    """

    @abstractmethod
    def worth(self, node: int, history: History) -> Worth:
        """How much a node's presence is worth, for comparison with other nodes now."""

    def admits(self, node: int) -> bool:
        """Whether a node may be taken in at all."""
        return True

    def order(self, nodes: Iterable[int], history: History, below: Worth) -> list[int]:
        """The nodes worth less than `below`, the least worthy first."""
        ranked = sorted((self.worth(node, history), node) for node in nodes)
        return [node for worth, node in ranked if worth < below]
