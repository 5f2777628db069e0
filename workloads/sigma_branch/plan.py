"""The choices that make a tree: enough to build it again before its weights are loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from workloads.sigma_branch.adapters.base import Adapter, Chosen
from workloads.sigma_branch.channels import Channels, LayerCopy
from workloads.sigma_branch.grow import TreeBuilder, build_tree
from workloads.sigma_branch.shape import TreeShape
from workloads.sigma_branch.ties import Tie, tie_siblings
from workloads.sigma_branch.tree import SigmaBTree


@dataclass(frozen=True)
class TreePlan:
    """What `distribute` decided.

    Attributes:
        shape: children of every node.
        fractions: width of each level's specializers as a share of the dense stage's.
        tie: how much siblings keep in common.
        chosen: for each level, for each node, the channels its specializer keeps.
    """

    shape: TreeShape
    fractions: tuple[float, ...]
    tie: Tie
    chosen: tuple[tuple[Chosen, ...], ...]

    def stage(self, adapter: Adapter[Any], level: int) -> int:
        """The dense stage that a level of the tree stands for."""
        return adapter.n_stages - self.shape.depth + level - 1

    def head_copies(self, adapter: Adapter[Any], leaf: int) -> list[LayerCopy]:
        """Where each layer of a leaf's head starts from."""
        stage = self.stage(adapter, self.shape.depth)
        inputs = adapter.outputs(stage, self.chosen[-1][leaf])
        return adapter.head_copies(inputs, self.fractions[-1])

    def specializer_copies(self, adapter: Adapter[Any], level: int, node: int) -> list[LayerCopy]:
        """Where each layer of a node's specializer starts from."""
        above = self.chosen[level - 2][self.shape.parent(level, node)] if level > 1 else None
        stage, chosen = self.stage(adapter, level), self.chosen[level - 1][node]
        inputs = inputs_of(adapter, stage, above)
        return adapter.specializer_copies(stage, inputs, chosen, self.fractions[level - 1])


def inputs_of(adapter: Adapter[Any], stage: int, above: Chosen | None) -> Channels:
    """The channels a stage's specializers read: all, or those their parent puts out."""
    if above is None:
        return Channels.every(adapter.width(stage - 1, 1.0), adapter.device)
    return adapter.outputs(stage - 1, above).for_children()


def tie_tree(tree: SigmaBTree, adapter: Adapter[Any], plan: TreePlan) -> int:
    """Tie all siblings of a tree as its plan says, in place; returns the parameters tied."""
    if plan.tie is Tie.NONE:
        return 0
    n_tied = 0
    for level in range(plan.shape.depth):
        for node in range(plan.shape.n_nodes(level)):
            children = plan.shape.children(level, node)
            if len(children) < 2:
                continue
            n_tied += tie_siblings(
                [tree.specializer(level + 1, child) for child in children],
                [plan.specializer_copies(adapter, level + 1, child) for child in children],
                plan.tie,
            )
            if level + 1 == plan.shape.depth:
                n_tied += tie_siblings(
                    [tree.heads[child] for child in children],
                    [plan.head_copies(adapter, child) for child in children],
                    plan.tie,
                )
    return n_tied


def rebuild(adapter: Adapter[Any], plan: TreePlan) -> SigmaBTree:
    """The tree of a plan, tied as it says, with untrained weights."""
    tree = build_tree(adapter, plan.shape, plan.fractions)
    tie_tree(tree, adapter, plan)
    return tree


def untrained_plan(
    adapter: Adapter[Any], shape: TreeShape, tie: Tie, shared_fraction: float = 0.5
) -> TreePlan:
    """A plan made without data: right in every size, with the first channels as the shared.

    The channels of a group are then the same in all branches; good for counting and tracing.
    """
    builder = TreeBuilder(adapter, shape.depth)
    for arities in shape.arities:
        builder.add_level(arities, {})
    chosen = []
    for level, fraction in enumerate(builder.fractions, start=1):
        widths = adapter.group_widths(builder.stage(level), fraction)
        choice = {group: _first(width, shared_fraction) for group, width in widths.items()}
        chosen.append((choice,) * shape.n_nodes(level))
    return TreePlan(shape, tuple(builder.fractions), tie, tuple(chosen))


def _first(keep: int, shared_fraction: float) -> Channels:
    index = torch.arange(keep, device="cpu")
    return Channels(index, index < int(shared_fraction * keep), by_branch=True)
