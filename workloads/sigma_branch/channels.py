"""Which channels of the dense network a branch keeps, and how their weights are copied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm)


@dataclass(frozen=True)
class Channels:
    """The channels of a dense layer that a built layer keeps, in ascending order.

    Attributes:
        index: (kept,) the dense layer's channel behind each kept one.
        shared: (kept,) whether every sibling branch keeps this channel for the same purpose;
            always on the CPU, so that what is tied is known where weights have no values.
        by_branch: whether siblings choose these channels separately; planes and the channels
            of the common parent are the same for all.
    """

    index: Tensor
    shared: Tensor
    by_branch: bool

    @classmethod
    def common(cls, index: Tensor) -> Self:
        """Channels that all siblings keep alike."""
        return cls(index, torch.ones(len(index), dtype=torch.bool, device="cpu"), by_branch=False)

    @classmethod
    def every(cls, width: int, device: torch.device | None = None) -> Self:
        """All channels of a layer."""
        return cls.common(torch.arange(width, device=device))

    def for_children(self) -> Self:
        """The same channels seen from below: whoever reads them has them in common."""
        return type(self).common(self.index)

    def after(self, n_leading: int) -> Self:
        """With `n_leading` channels in front that are always kept."""
        leading = self.common(torch.arange(n_leading, device=self.index.device))
        index = torch.cat((leading.index, self.index + n_leading))
        return type(self)(index, torch.cat((leading.shared, self.shared)), self.by_branch)


@dataclass(frozen=True)
class LayerCopy:
    """One layer of a specializer or head and the part of the dense layer it starts from.

    Attributes:
        target: the layer's path in the new module.
        source: the layer's path in the dense network.
        rows: output channels kept.
        columns: input channels kept; None for layers without (norms).
    """

    target: str
    source: str
    rows: Channels
    columns: Channels | None = None


def select_channels(means: Tensor, keep: int, shared_fraction: float) -> list[Channels]:
    """Shared and branch-specific channels of sibling branches (arXiv 2606.09924, alg. 1, phase 2).

    Shared are the ``floor(shared_fraction * keep)`` channels with the largest smallest mean
    activation over the clusters. To these each branch adds, of the rest, those whose mean
    activation exceeds the other clusters' largest by most; two branches may add the same.

    Args:
        means: (clusters, width) mean activation of each channel in each cluster.
        keep: channels each branch keeps, at most the width.
        shared_fraction: kappa, from 0 to 1.
    """
    n_clusters, width = means.shape
    n_shared = int(shared_fraction * keep)
    shared = _largest(means.amin(0), n_shared)
    is_shared = torch.zeros(width, dtype=torch.bool, device=means.device)
    is_shared[shared] = True
    branches = []
    for cluster in range(n_clusters):
        others = torch.cat((means[:cluster], means[cluster + 1 :]))
        contrast = means[cluster] - others.amax(0) if len(others) else means[cluster]
        specific = _largest(contrast.masked_fill(is_shared, -torch.inf), keep - n_shared)
        index = torch.cat((shared, specific)).sort().values
        branches.append(Channels(index, is_shared[index].cpu(), by_branch=True))
    return branches


def strongest_filters(weight: Tensor, keep: int) -> Channels:
    """The filters with the largest L1 norm, the same for every branch (section III-C)."""
    norms = weight.detach().abs().flatten(1).double().sum(1)
    return Channels.common(_largest(norms, keep).sort().values)


def overlap(branches: Sequence[Channels]) -> int:
    """How many channels at least two branches chose as their own."""
    specific = torch.cat([branch.index.cpu()[~branch.shared] for branch in branches])
    return int((specific.unique(return_counts=True)[1] > 1).sum())


def copy_layer(target: nn.Module, source: nn.Module, copy: LayerCopy) -> None:
    """Start a layer from the rows and columns of a dense layer, statistics included."""
    rows = copy.rows.index
    with torch.no_grad():
        for name in ("weight", "bias", "running_mean", "running_var"):
            dense: Any = getattr(source, name, None)
            if dense is None:
                continue
            kept = dense.index_select(0, rows)
            if name == "weight" and copy.columns is not None:
                kept = kept.index_select(1, copy.columns.index)
            getattr(target, name).copy_(kept)
        tracked: Any = getattr(source, "num_batches_tracked", None)
        if tracked is not None:
            target.num_batches_tracked.copy_(tracked)  # type: ignore[operator]


def _largest(score: Tensor, count: int) -> Tensor:
    """Indices of the largest values; the lower index where values are equal."""
    return score.argsort(descending=True, stable=True)[:count]
