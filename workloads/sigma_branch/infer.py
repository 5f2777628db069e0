"""Hard inference: each input runs one path, and only that path is computed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from workloads.sigma_branch.states import Group
from workloads.sigma_branch.tree import SigmaBTree


@dataclass(frozen=True)
class Decision:
    """What one router said about the samples that reached it.

    Attributes:
        rows: (samples,) their positions in the batch.
        probabilities: (samples, children).
        arms: (samples,) the most probable child, numbered among its siblings.
    """

    rows: Tensor
    probabilities: Tensor
    arms: Tensor


@dataclass(frozen=True)
class Descent:
    """A batch part of the way down: who stands where, and every decision, top level first."""

    groups: dict[int, Group]
    decisions: list[Decision]


@dataclass(frozen=True)
class HardOutput:
    """What hard routing computes.

    Attributes:
        logits: (batch, classes), from the leaf each sample reached.
        leaf: (batch,) that leaf.
        decisions: of every router that ran, top level first.
    """

    logits: Tensor
    leaf: Tensor
    decisions: list[Decision]


def descend(tree: SigmaBTree, x: Tensor, level: int, smallest_group: int = 1) -> Descent:
    """Run a batch down to a level, samples grouped by the node they reach.

    Args:
        tree: in eval mode, unless statistics are being measured.
        x: network input.
        level: how far; 0 is the trunk alone.
        smallest_group: a specializer is not run for fewer samples than this; they drop out.
    """
    rows = torch.arange(len(x), device=x.device)
    groups = {0: Group(rows, tree.trunk(x))}
    decisions: list[Decision] = []
    for depth in range(level):
        below: dict[int, Group] = {}
        for node, group in groups.items():
            router = tree.router(depth, node)
            arms = torch.zeros_like(group.rows)
            if router is not None:
                probabilities, arms = router.decide(group.state)
                decisions.append(Decision(group.rows, probabilities, arms))
            for index, child in enumerate(tree.shape.children(depth, node)):
                here = (arms == index).nonzero()[:, 0]
                if len(here) >= smallest_group:
                    part = group.part(here)
                    state = tree.specializer(depth + 1, child)(part.state)
                    below[child] = Group(part.rows, state)
        groups = below
    return Descent(groups, decisions)


def infer(tree: SigmaBTree, x: Tensor) -> HardOutput:
    """Hard top-1 routing of a batch (arXiv 2606.09924, section III-E)."""
    descent = descend(tree, x, tree.shape.depth)
    leaf = torch.empty(len(x), dtype=torch.int64, device=x.device)
    logits: Tensor | None = None
    for node, group in descent.groups.items():
        leaf[group.rows] = node
        part = tree.heads[node](group.state)
        if logits is None:
            logits = part.new_empty(len(x), part.shape[1])
        logits[group.rows] = part
    if logits is None:
        logits = x.new_empty(0, 0)
    return HardOutput(logits, leaf, descent.decisions)
