"""What a node has computed after each of its blocks, pooled, and what its router then decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from simulator.steps import Steps
from workloads.data.dataset import Source
from workloads.quantisation.nodes import weights_of
from workloads.sigma_branch.all_paths import Place
from workloads.sigma_branch.router import Router
from workloads.sigma_branch.tree import SigmaBTree
from workloads.training.compute import Compute
from workloads.training.evaluate import evaluating

BATCH_SIZE = 256


@dataclass(frozen=True)
class Block:
    """Some modules of a node in a row, after which one tensor is all that the rest needs.

    Attributes:
        name: path of its last module with weights, as the program's layers begin with it.
        modules: in order.
    """

    name: str
    modules: tuple[nn.Module, ...]

    def __call__(self, state: Any) -> Any:
        for module in self.modules:
            state = module(state)
        return state


def blocks_of(node: nn.Module, name: str) -> list[Block]:
    """A node's blocks: the members of its sequences, norms and activations with what they follow.

    A node that is no plain sequence is one block.
    """
    found: list[Block] = []
    for path, module in _flat(node, name):
        if found and not list(weights_of(module)):
            found[-1] = Block(found[-1].name, (*found[-1].modules, module))
        else:
            found.append(Block(path, (module,)))
    return found


def _flat(module: nn.Module, name: str) -> list[tuple[str, nn.Module]]:
    if type(module) is not nn.Sequential or not len(module):
        return [(name, module)]
    return [
        pair for key, child in module.named_children() for pair in _flat(child, f"{name}.{key}")
    ]


@dataclass(frozen=True)
class BranchView:
    """Everything about one branch over a data set.

    Attributes:
        blocks: names of the blocks of the node before it, in order.
        features: after each block, (inputs, channels).
        logits: (inputs, arms) the router's.
        met: (inputs,) whether hard routing leads here.
        better: (inputs,) the arm that gives the input's class the larger probability if hard
            routing goes on from there.
    """

    blocks: tuple[str, ...]
    features: tuple[Tensor, ...]
    logits: Tensor
    met: Tensor
    better: Tensor

    @property
    def decided(self) -> Tensor:
        """(inputs,) the router's arm."""
        return self.logits.argmax(1)


def view_branches(
    tree: SigmaBTree, source: Source, compute: Compute | None = None, steps: Steps | None = None
) -> dict[Place, BranchView]:
    """Run every node of the tree on every example, unaugmented; the tree is left as it was.

    Batches, `n_batches` of them, are the `steps`.
    """
    steps = steps or Steps()
    compute = compute or Compute(next(tree.parameters()).device)
    parts: list[dict[Place, BranchView]] = []
    with evaluating(tree), torch.inference_mode(), compute.autocast():
        for start in range(0, len(source), BATCH_SIZE):
            indices = torch.arange(start, min(start + BATCH_SIZE, len(source)))
            inputs, targets = source.batch(indices)
            parts.append(_of_batch(tree, compute.take(inputs), compute.take(targets)))
            steps.advance()
    return {place: _joined([part[place] for part in parts]) for place in parts[0]}


def n_batches(source: Source) -> int:
    """In how many batches a source's examples are run."""
    return -(-len(source) // BATCH_SIZE)


def _of_batch(tree: SigmaBTree, x: Tensor, targets: Tensor) -> dict[Place, BranchView]:
    found: dict[Place, BranchView] = {}

    def walk(level: int, node: int, state: Any, met: Tensor) -> Tensor:
        """Log-probability of the true class under hard routing from a node on."""
        name = f"level{level}.{node}" if level else "trunk"
        router = tree.router(level, node) if level < tree.shape.depth else None
        blocks = blocks_of(tree.get_submodule(name), name)
        features = []
        for block in blocks:
            state = block(state)
            if router is not None:
                features.append(router.pool(state).float().cpu())
        if level == tree.shape.depth:
            logs = tree.heads[node](state).float().log_softmax(1)
            return logs.gather(1, targets[:, None])[:, 0]
        children = tree.shape.children(level, node)
        if router is None:
            return walk(level + 1, children.start, state, met)
        logits = router(state).float()
        decided = logits.argmax(1)
        values = torch.stack(
            [
                walk(level + 1, child, state, met & (decided == index))
                for index, child in enumerate(children)
            ],
            1,
        )
        found[level, node] = BranchView(
            tuple(block.name for block in blocks),
            tuple(features),
            logits.cpu(),
            met.cpu(),
            values.argmax(1).cpu(),
        )
        return values.gather(1, decided[:, None])[:, 0]

    walk(0, 0, x, torch.ones(len(x), dtype=torch.bool, device=x.device))
    return dict(sorted(found.items()))


def _joined(parts: Sequence[BranchView]) -> BranchView:
    return BranchView(
        parts[0].blocks,
        tuple(torch.cat(columns) for columns in zip(*(p.features for p in parts), strict=True)),
        torch.cat([p.logits for p in parts]),
        torch.cat([p.met for p in parts]),
        torch.cat([p.better for p in parts]),
    )


def router_of(tree: SigmaBTree, place: Place) -> Router:
    """The router at a place that has one."""
    router = tree.router(*place)
    assert router is not None  # noqa: S101  (places are those of routers)
    return router
