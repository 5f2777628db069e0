"""Batch-norm statistics measured anew, for layers whose inputs have changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from workloads.sigma_branch.infer import descend
from workloads.sigma_branch.samples import Samples
from workloads.sigma_branch.tree import SigmaBTree

BatchNorm = nn.modules.batchnorm._BatchNorm


@contextmanager
def fresh_statistics(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Forget the modules' batch-norm statistics; average those of the batches run inside.

    Inside, these norms normalise by the batch. Afterwards they are in eval mode.
    """
    norms = [m for module in modules for m in module.modules() if isinstance(m, BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()


def in_company(nodes: Tensor) -> Tensor:
    """Rows whose node has another row in the batch: one sample alone has no variance."""
    _, inverse, counts = nodes.unique(return_inverse=True, return_counts=True)
    return (counts[inverse] > 1).nonzero()[:, 0]


@torch.no_grad()
def recalibrate(tree: SigmaBTree, samples: Samples) -> None:
    """Measure a tree's batch-norm statistics on hard-routed samples, level by level, in place.

    Each part is measured on the samples that its routers send to it, behind parts already
    measured; the trunk keeps its statistics.
    """
    tree.eval()
    depth = tree.shape.depth
    for level in range(1, depth + 1):
        with fresh_statistics(tree.specializers(level)):
            for _, x in samples:
                descend(tree, x, level, smallest_group=2)
    with fresh_statistics(tree.heads):
        for _, x in samples:
            for leaf, group in descend(tree, x, depth, smallest_group=2).groups.items():
                tree.heads[leaf](group.state)
