"""Evaluates a tree in many combinations of widths, computing what they have in common once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from simulator.errors import WorkloadError
from simulator.steps import Steps
from workloads.data.dataset import Source
from workloads.quantisation.activations import ActivationRanges
from workloads.quantisation.nodes import Widths, check_widths, quantised_node
from workloads.quantisation.weights import UNQUANTISED, ScaleRule
from workloads.sigma_branch.all_paths import AllPaths, Place
from workloads.sigma_branch.tree import SigmaBTree
from workloads.training.compute import Compute

BATCH_SIZE = 256
_Key = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Arithmetic:
    """How values are rounded: the scales of weights, and the widths of activations if any."""

    rule: ScaleRule = ScaleRule.MAX_ABS
    activations: ActivationRanges | None = None


def evaluate_widths(
    tree: SigmaBTree,
    source: Source,
    combinations: Sequence[Widths],
    arithmetic: Arithmetic | None = None,
    compute: Compute | None = None,
    steps: Steps | None = None,
) -> list[AllPaths]:
    """Every path of the tree on every example, once per combination; the tree is left as it was.

    The state after a node depends on its own width and its ancestors' only, so it is computed
    once for all combinations that agree on these. A combination of a batch of inputs is one of
    the `steps`.

    Raises:
        WorkloadError: an empty source, or widths that do not fit the tree.
    """
    if len(source) == 0:
        raise WorkloadError("evaluation: the data set is empty")
    for widths in combinations:
        check_widths(tree, widths)
    compute = compute or Compute(next(tree.parameters()).device)
    variants = _Variants(tree, arithmetic or Arithmetic())
    parts: list[list[AllPaths]] = [[] for _ in combinations]
    steps = steps or Steps()
    starts = range(0, len(source), BATCH_SIZE)
    steps.restart(len(starts) * len(combinations))
    with torch.inference_mode(), compute.autocast():
        for start in starts:
            inputs, _ = source.batch(torch.arange(start, min(start + BATCH_SIZE, len(source))))
            batch = _Batch(variants, compute.take(inputs))
            for found, widths in zip(parts, combinations, strict=True):
                found.append(batch.all_paths(widths))
                steps.advance()
    return [_joined(found) for found in parts]


class _Variants:
    """Copies of the tree's nodes in the widths asked for."""

    def __init__(self, tree: SigmaBTree, arithmetic: Arithmetic) -> None:
        self.tree, self.arithmetic = tree, arithmetic
        self._nodes: dict[tuple[str, int], nn.Module] = {}

    def node(self, name: str, bits: int) -> nn.Module:
        """A node in a width, in evaluation mode."""
        known = self._nodes.get((name, bits))
        if known is None:
            source = self.tree.get_submodule(name)
            known = quantised_node(source, bits, self.arithmetic.rule).eval()
            if self.arithmetic.activations is not None:
                self.arithmetic.activations.attach(known, name)
            self._nodes[name, bits] = known
        return known


class _Batch:
    """One batch of inputs and what nodes in different widths make of it."""

    def __init__(self, variants: _Variants, inputs: Tensor) -> None:
        self.variants, self.inputs = variants, inputs
        self.known: dict[_Key, Any] = {}

    def output(self, name: str, above: _Key, state: Any, widths: Widths) -> tuple[_Key, Any]:
        """What a node puts out, and the widths that it depends on."""
        key = (*above, (name, widths.get(name, UNQUANTISED)))
        if key not in self.known:
            node: Any = self.variants.node(*key[-1])
            is_router = name.startswith("router")
            self.known[key] = node.decide(state) if is_router else node(state)
        return key, self.known[key]

    def all_paths(self, widths: Widths) -> AllPaths:
        """Level by level, as `sigma_branch.all_paths` does for one tree."""
        shape = self.variants.tree.shape
        states = [self.output("trunk", (), self.inputs, widths)]
        reached = torch.zeros(len(self.inputs), dtype=torch.int64, device=self.inputs.device)
        said: dict[Place, Tensor] = {}
        for level in range(shape.depth):
            below: list[tuple[_Key, Any]] = []
            chosen = torch.empty_like(reached)
            for node, (key, state) in enumerate(states):
                children = shape.children(level, node)
                arms = torch.zeros_like(reached)
                if self.variants.tree.router(level, node) is not None:
                    name = f"router{level + 1}.{node}"
                    _, (probabilities, arms) = self.output(name, key, state, widths)
                    said[level, node] = probabilities.double().cpu()
                chosen = torch.where(reached == node, children.start + arms, chosen)
                below += [
                    self.output(f"level{level + 1}.{child}", key, state, widths)
                    for child in children
                ]
            states, reached = below, chosen
        guesses = [
            self.output(f"head.{leaf}", key, state, widths)[1].argmax(1)
            for leaf, (key, state) in enumerate(states)
        ]
        return AllPaths(said, torch.stack(guesses, 1).cpu(), reached.cpu())


def _joined(parts: Sequence[AllPaths]) -> AllPaths:
    return AllPaths(
        {
            place: torch.cat([part.probabilities[place] for part in parts])
            for place in parts[0].probabilities
        },
        torch.cat([part.predictions for part in parts]),
        torch.cat([part.leaf for part in parts]),
    )


def right_of(paths: AllPaths, targets: Tensor) -> Tensor:
    """Which inputs are right at the leaf that hard routing takes them to."""
    taken = paths.predictions.gather(1, paths.leaf[:, None])[:, 0]
    return taken == targets
