"""What the method needs to know of a dense network to rebuild it as a tree."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from math import sqrt
from typing import Any, Generic, Self, TypeVar

import torch
from torch import Tensor, nn

from workloads.sigma_branch.channels import Channels, LayerCopy, strongest_filters
from workloads.sigma_branch.router import PROJECTION_WIDTH
from workloads.trace import meta_copy

Dense = TypeVar("Dense", bound=nn.Module)
Chosen = Mapping[str, Channels]
"""Channels a branch keeps, by the name of the group they were chosen from."""


class Adapter(ABC, Generic[Dense]):
    """Cuts one dense network into a trunk, a run of stages and a classifier, at any width.

    Stages are numbered from 0; a tree of depth L replaces the last L of them, level l by
    stage ``n_stages - L + l - 1``. What flows between stages (the state) is a tensor or a
    tuple of tensors, samples first.

    A branch chooses among the channels of one or more groups of a stage: its output channels,
    or inner channels where the output must stay whole.

    Attributes:
        dense: the network; new modules are created on its device.
        n_stages: number of stages.
        max_depth: how many of the last stages can be replaced.
    """

    dense: Dense
    n_stages: int
    max_depth: int

    @abstractmethod
    def __init__(self, dense: Dense) -> None: ...

    @property
    def device(self) -> torch.device:
        """Where the dense network lives."""
        return next(self.dense.parameters()).device

    def level_fraction(self, n_nodes: int) -> float:
        """Width of a level's specializers as a share of the dense stage's (section III-B)."""
        return 1.0 / sqrt(n_nodes)

    @property
    def projection_width(self) -> int:
        """Width of the routers' projections."""
        return PROJECTION_WIDTH

    @abstractmethod
    def trunk(self, n_stages: int) -> nn.Module:
        """A copy of everything before stage `n_stages`, as one module from input to state."""

    @abstractmethod
    def pool(self, stage: int) -> nn.Module:
        """A module from the state after a stage to (batch, width); -1 is before stage 0."""

    @abstractmethod
    def width(self, stage: int, fraction: float) -> int:
        """Channels after a stage built at a fraction of its width; -1 is before stage 0."""

    @abstractmethod
    def specializers(self, stage: int, in_width: int, fraction: float, n: int) -> list[nn.Module]:
        """The `n` modules of a level: the stage at a fraction of its width, untrained."""

    @abstractmethod
    def head(self, in_width: int, fraction: float) -> nn.Module:
        """A leaf's classifier from the last stage's state to logits, untrained."""

    @abstractmethod
    def dense_state(self, x: Tensor, stage: int) -> Any:
        """The dense network's state after a stage."""

    @abstractmethod
    def specializer_copies(
        self, stage: int, inputs: Channels, chosen: Chosen, fraction: float
    ) -> list[LayerCopy]:
        """Where each layer of a specializer starts from.

        Args:
            stage: the dense stage it replaces.
            inputs: channels it reads, of those the dense stage reads.
            chosen: channels it keeps, by group.
            fraction: share of the planes it keeps.
        """

    @abstractmethod
    def head_copies(self, inputs: Channels, fraction: float) -> list[LayerCopy]:
        """Where each layer of a leaf's head starts from."""

    def group_widths(self, stage: int, fraction: float) -> dict[str, int]:
        """How many channels of each group a branch keeps."""
        return {"out": self.width(stage, fraction)}

    def channel_means(self, x: Tensor, stage: int) -> dict[str, Tensor]:
        """Each sample's pooled dense activations of each group, (batch, group's width)."""
        return {"out": self.pool(stage)(self.dense_state(x, stage))}

    def outputs(self, stage: int, chosen: Chosen) -> Channels:
        """The channels after a stage that a branch with these choices puts out."""
        return chosen["out"]

    def on_meta(self) -> Self:
        """The same adapter of a network without values, for counting."""
        return type(self)(meta_copy(self.dense))

    def planes(self, layer: str, fraction: float) -> Channels:
        """The strongest filters of a dense layer, the same for all branches."""
        weight: Any = self.dense.get_submodule(layer).weight
        return strongest_filters(weight, scaled(len(weight), fraction))


def scaled(width: int, fraction: float) -> int:
    """A width times a fraction, rounded, at least 1."""
    return max(1, round(width * fraction))


class ImagePool(nn.AdaptiveAvgPool2d):
    """Mean over the pixels: (batch, channels, rows, columns) to (batch, channels)."""

    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).flatten(1)


class PooledLinear(nn.Module):
    """The classifier of image networks: mean over the pixels, then a linear layer."""

    def __init__(self, in_width: int, n_classes: int) -> None:
        super().__init__()
        self.avgpool = ImagePool()
        self.fc = nn.Linear(in_width, n_classes)

    def forward(self, state: Tensor) -> Tensor:
        return self.fc(self.avgpool(state))
