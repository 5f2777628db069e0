"""Fake quantisation of what layers read, with ranges measured on training inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from simulator.errors import WorkloadError
from workloads.data.dataset import Source
from workloads.quantisation.nodes import QUANTISED, node_names
from workloads.quantisation.weights import WIDTHS
from workloads.sigma_branch.all_paths import evaluate_all_paths
from workloads.sigma_branch.tree import SigmaBTree
from workloads.training.compute import Compute

CALIBRATION_INPUTS = 512
"""Training inputs whose least and largest activations set the ranges; assumed to be enough."""


@dataclass(frozen=True)
class ActivationRanges:
    """What convolutions and linear layers read: least and largest value by layer of the tree.

    Attributes:
        bits: width the inputs are rounded to.
        ranges: by the layer's path in the tree.
    """

    bits: int
    ranges: Mapping[str, tuple[float, float]]

    def round(self, layer: str, x: Tensor) -> Tensor:
        """An input in `bits` bits: unsigned where nothing negative was seen, else symmetric."""
        low, high = self.ranges[layer]
        if low >= 0:
            least, most, scale = 0, 2**self.bits - 1, high / (2**self.bits - 1)
        else:
            most = 2 ** (self.bits - 1) - 1
            least, scale = -most, max(-low, high) / most
        if scale == 0:
            return torch.zeros_like(x)
        return (x / scale).round().clamp(least, most) * scale

    def attach(self, node: nn.Module, path: str) -> None:
        """Make every layer of a node round what it reads, in place."""
        for name, layer in node.named_modules():
            if isinstance(layer, QUANTISED):
                layer.register_forward_pre_hook(_Rounding(self, f"{path}.{name}"))


class _Rounding:
    """A hook that rounds a layer's first input."""

    def __init__(self, ranges: ActivationRanges, layer: str) -> None:
        self.ranges, self.layer = ranges, layer

    def __call__(self, _: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self.ranges.round(self.layer, inputs[0]), *inputs[1:])


class _Watch:
    """A hook that remembers the least and the largest value a layer reads."""

    def __init__(self, seen: dict[str, tuple[float, float]], layer: str) -> None:
        self.seen, self.layer = seen, layer

    def __call__(self, _: nn.Module, inputs: tuple[Any, ...]) -> None:
        low, high = float(inputs[0].min()), float(inputs[0].max())
        before = self.seen.get(self.layer, (low, high))
        self.seen[self.layer] = (min(before[0], low), max(before[1], high))


class _First:
    """The first examples of a source."""

    def __init__(self, source: Source, count: int) -> None:
        self.source, self.count = source, min(count, len(source))

    @property
    def targets(self) -> Tensor:
        return self.source.targets[: self.count]

    def __len__(self) -> int:
        return self.count

    def batch(
        self, indices: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        return self.source.batch(indices, generator)


def calibrate(
    tree: SigmaBTree, source: Source, bits: int, compute: Compute | None = None
) -> ActivationRanges:
    """Run training inputs down every path of the tree as trained and watch what layers read.

    Raises:
        WorkloadError: a width that is none of `WIDTHS`, or an empty source.
    """
    if bits not in WIDTHS:
        widths = ", ".join(map(str, WIDTHS))
        raise WorkloadError(f"activation bits {bits}: must be one of {widths}")
    seen: dict[str, tuple[float, float]] = {}
    hooks = []
    for name in node_names(tree):
        for path, layer in tree.get_submodule(name).named_modules():
            if isinstance(layer, QUANTISED):
                watch = _Watch(seen, f"{name}.{path}")
                hooks.append(layer.register_forward_pre_hook(watch))
    try:
        evaluate_all_paths(tree, _First(source, CALIBRATION_INPUTS), compute)
    finally:
        for hook in hooks:
            hook.remove()
    return ActivationRanges(bits, seen)
