"""Evaluates every path of a tree for every input: all routers, all leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from simulator.errors import WorkloadError
from workloads.data.dataset import Source
from workloads.sigma_branch.tree import SigmaBTree
from workloads.training.compute import Compute
from workloads.training.evaluate import evaluating

Place = tuple[int, int]
"""Level and node of a router's parent: (0, 0) is the trunk, whose router is `router1.0`."""


@dataclass(frozen=True)
class AllPaths:
    """What a tree says on every path.

    Attributes:
        probabilities: by place, (inputs, children): the router's of every node that has one.
        predictions: (inputs, leaves) the class each leaf takes the input for.
        leaf: (inputs,) the leaf that hard routing takes.
    """

    probabilities: dict[Place, Tensor]
    predictions: Tensor
    leaf: Tensor


def evaluate_all_paths(
    tree: SigmaBTree, source: Source, compute: Compute | None = None, batch_size: int = 256
) -> AllPaths:
    """Run every node of the tree on every example; the tree is left as it was.

    Raises:
        WorkloadError: an empty source.
    """
    if len(source) == 0:
        raise WorkloadError("evaluation: the data set is empty")
    compute = compute or Compute(next(tree.parameters()).device)
    parts: list[AllPaths] = []
    with evaluating(tree), torch.inference_mode(), compute.autocast():
        for start in range(0, len(source), batch_size):
            inputs, _ = source.batch(torch.arange(start, min(start + batch_size, len(source))))
            parts.append(_of_batch(tree, compute.take(inputs)))
    places = parts[0].probabilities
    return AllPaths(
        {place: torch.cat([part.probabilities[place] for part in parts]) for place in places},
        torch.cat([part.predictions for part in parts]),
        torch.cat([part.leaf for part in parts]),
    )


def _of_batch(tree: SigmaBTree, x: Tensor) -> AllPaths:
    """Level by level; `reached` follows hard routing along the way."""
    states: list[Any] = [tree.trunk(x)]
    reached = torch.zeros(len(x), dtype=torch.int64, device=x.device)
    probabilities: dict[Place, Tensor] = {}
    for level in range(tree.shape.depth):
        below: list[Any] = []
        chosen = torch.empty_like(reached)
        for node, state in enumerate(states):
            children = tree.shape.children(level, node)
            arms = torch.zeros_like(reached)
            router = tree.router(level, node)
            if router is not None:
                probabilities[level, node], arms = router.decide(state)
            chosen = torch.where(reached == node, children.start + arms, chosen)
            below += [tree.specializer(level + 1, child)(state) for child in children]
        states, reached = below, chosen
    guesses = [head(state).argmax(1) for head, state in zip(tree.heads, states, strict=True)]
    said = {place: each.double().cpu() for place, each in probabilities.items()}
    return AllPaths(said, torch.stack(guesses, 1).cpu(), reached.cpu())
