"""The tree itself: a shared trunk, routers, specializers and a classifier per leaf."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from workloads.sigma_branch.router import Router
from workloads.sigma_branch.shape import TreeShape


@dataclass(frozen=True)
class SoftOutput:
    """What soft routing computes: every leaf runs for every input.

    Attributes:
        log_leaf: log of the probability of each leaf, (batch, leaves).
        logits: each leaf's class logits, (batch, leaves, classes).
    """

    log_leaf: Tensor
    logits: Tensor


class SigmaBTree(nn.Module):
    """A network rebuilt as a tree of specializers (arXiv 2606.09924, section III).

    Modules are named by what they are: `trunk`, `router1.0`, `level1.1`, `level2.3`, `head.3`.
    `router{l}.{i}` belongs to node i of level l - 1 and chooses among its children.

    Args:
        shape: children of every node.
        trunk: from the input to the state that the first level reads.
        routers: for each level, by node, the router that chooses among the node's children.
        levels: for each level its specializers, from state to state.
        heads: one classifier per leaf, from state to logits.
    """

    def __init__(
        self,
        shape: TreeShape,
        trunk: nn.Module,
        routers: Sequence[dict[int, Router]],
        levels: Sequence[Sequence[nn.Module]],
        heads: Sequence[nn.Module],
    ) -> None:
        super().__init__()
        self.shape = shape
        self.trunk = trunk
        for level in range(1, shape.depth + 1):
            by_node = {str(node): router for node, router in routers[level - 1].items()}
            self.add_module(f"router{level}", nn.ModuleDict(by_node))
            self.add_module(f"level{level}", nn.ModuleList(levels[level - 1]))
        self.head = nn.ModuleList(heads)

    def router(self, level: int, node: int) -> Router | None:
        """The router that chooses among the children of a node; None if it has one child."""
        if self.shape.arities[level][node] == 1:
            return None
        return cast(Router, self.get_submodule(f"router{level + 1}.{node}"))

    def specializer(self, level: int, node: int) -> nn.Module:
        """The specializer of a node of level 1 or below."""
        return self.specializers(level)[node]

    def specializers(self, level: int) -> list[nn.Module]:
        """All specializers of a level, in order."""
        return list(self.get_submodule(f"level{level}").children())

    @property
    def heads(self) -> list[nn.Module]:
        """The leaves' classifiers, in order."""
        return list(self.head)

    def forward(self, x: Tensor) -> SoftOutput:
        """Soft routing: all leaves' logits and the log-probability of each leaf.

        Sums log-softmax over the levels, which stays finite where the product of the
        probabilities would underflow.
        """
        states: list[Any] = [self.trunk(x)]
        log_nodes = [x.new_zeros(x.shape[0])]
        for level in range(self.shape.depth):
            below: list[Any] = []
            log_below: list[Tensor] = []
            for node, state in enumerate(states):
                router = self.router(level, node)
                logs = None if router is None else router(state).log_softmax(1)
                for index, child in enumerate(self.shape.children(level, node)):
                    step = 0.0 if logs is None else logs[:, index]
                    log_below.append(log_nodes[node] + step)
                    below.append(self.specializer(level + 1, child)(state))
            states, log_nodes = below, log_below
        logits = [head(state) for head, state in zip(self.head, states, strict=True)]
        return SoftOutput(torch.stack(log_nodes, 1), torch.stack(logits, 1))
