"""The nodes of a tree as places that have a weight width of their own."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping

from torch import Tensor, nn

from simulator.errors import WorkloadError
from workloads.quantisation.weights import UNQUANTISED, ScaleRule, fake_quantise
from workloads.sigma_branch.ties import TiedLayer
from workloads.sigma_branch.tree import SigmaBTree

Widths = Mapping[str, int]
"""Weight bits by node; a node that is not named keeps its weights as trained."""

QUANTISED = (nn.Conv1d, nn.Conv2d, nn.Linear, TiedLayer)
"""Layers whose weights are quantised; norms, biases and embeddings stay as trained."""


def node_names(tree: SigmaBTree) -> tuple[str, ...]:
    """Every node with weights, depth first, routers before arms: the program's segments."""
    found: list[str] = ["trunk"]

    def walk(level: int, node: int) -> None:
        if level == tree.shape.depth:
            found.append(f"head.{node}")
            return
        if tree.router(level, node) is not None:
            found.append(f"router{level + 1}.{node}")
        for child in tree.shape.children(level, node):
            found.append(f"level{level + 1}.{child}")
            walk(level + 1, child)

    walk(0, 0)
    return tuple(name for name in found if list(weights_of(tree.get_submodule(name))))


def weights_of(module: nn.Module) -> Iterator[Tensor]:
    """The weights that are quantised, each as stored: a tied layer's parts one by one."""
    for layer in module.modules():
        if not isinstance(layer, QUANTISED):
            continue
        if isinstance(layer, TiedLayer):
            parts = (layer.tied, layer.own_columns, layer.own_rows)
            yield from (part for part in parts if part is not None)
        else:
            yield layer.weight


def tied_nodes(tree: SigmaBTree) -> tuple[tuple[str, ...], ...]:
    """The nodes, those that hold a weight in common together: it is stored in one width."""
    merged: dict[str, set[str]] = {name: {name} for name in node_names(tree)}
    holder: dict[int, str] = {}
    for name in merged:
        for weight in weights_of(tree.get_submodule(name)):
            first = holder.setdefault(id(weight), name)
            together = merged[first] | merged[name]
            for each in together:
                merged[each] = together
    return tuple(dict.fromkeys(tuple(n for n in merged if n in group) for group in merged.values()))


def check_widths(tree: SigmaBTree, widths: Widths) -> None:
    """Raise WorkloadError for a node the tree lacks, or one weight in two widths."""
    names = node_names(tree)
    for name in widths:
        if name not in names:
            raise WorkloadError(f"node {name!r}: the tree has none; nodes: {', '.join(names)}")
    for group in tied_nodes(tree):
        if len({widths.get(name, UNQUANTISED) for name in group}) > 1:
            raise WorkloadError(f"nodes {', '.join(group)}: hold weights in common: give one width")


def quantised_node(node: nn.Module, bits: int, rule: ScaleRule) -> nn.Module:
    """A copy of a node with its weights in `bits` bits."""
    changed = copy.deepcopy(node)
    for weight in weights_of(changed):
        weight.data.copy_(fake_quantise(weight.data, bits, rule))
    return changed


def quantised_tree(tree: SigmaBTree, widths: Widths, rule: ScaleRule) -> SigmaBTree:
    """A copy of a tree with every node in its width.

    Raises:
        WorkloadError: a node the tree lacks, or nodes with weights in common in two widths.
    """
    check_widths(tree, widths)
    changed = copy.deepcopy(tree)
    done: set[int] = set()
    for name, bits in widths.items():
        for weight in weights_of(changed.get_submodule(name)):
            if id(weight) not in done:
                done.add(id(weight))
                weight.data.copy_(fake_quantise(weight.data, bits, rule))
    return changed
