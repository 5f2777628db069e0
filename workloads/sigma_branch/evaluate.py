"""Hard evaluation over a data set: accuracy, use of the leaves, and the routes taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor, nn

from simulator.errors import WorkloadError
from simulator.ir import Route
from workloads.data.dataset import Source
from workloads.sigma_branch.infer import HardOutput, infer
from workloads.sigma_branch.tree import SigmaBTree
from workloads.training.compute import Compute
from workloads.training.evaluate import evaluating

PROBABILITY_DIGITS = 6


@dataclass(frozen=True)
class HardEvaluation:
    """What hard routing gives on a data set.

    Attributes:
        top1_fraction: share of inputs whose class has the largest logit.
        top5_fraction: share whose class is among the five largest (all, below five classes).
        class_by_leaf: (classes, leaves) how many inputs of each class ended in each leaf.
        routes: for each input, in the data set's order, the arms taken and the routers'
            probabilities.
    """

    top1_fraction: float
    top5_fraction: float
    class_by_leaf: Tensor
    routes: tuple[Route, ...]

    @property
    def leaf_shares(self) -> tuple[float, ...]:
        """Share of the inputs that ended in each leaf."""
        counts = self.class_by_leaf.sum(0).double()
        return tuple((counts / counts.sum()).tolist())

    @property
    def balance(self) -> float:
        """Entropy of the leaf shares over its maximum: 1 where all leaves are used alike."""
        return balance(self.leaf_shares)


def balance(shares: tuple[float, ...]) -> float:
    """Entropy of a distribution over its maximum (arXiv 2606.09924, table VI)."""
    if len(shares) < 2:
        return 1.0
    return sum(p * -log(p) for p in shares if p > 0.0) / log(len(shares)) + 0.0


def evaluate_hard(
    tree: SigmaBTree, source: Source, compute: Compute | None = None, batch_size: int = 256
) -> HardEvaluation:
    """Route every example of a source and see where it ends and what it is taken for.

    The tree is left as it was.

    Raises:
        WorkloadError: an empty source, or classes the tree's heads do not have.
    """
    if len(source) == 0:
        raise WorkloadError("evaluation: the data set is empty")
    compute = compute or Compute(next(tree.parameters()).device)
    with evaluating(tree), torch.inference_mode(), compute.autocast():
        return _evaluated(tree, source, compute, batch_size)


def measure_tree(model: nn.Module, source: Source, compute: Compute) -> Mapping[str, float]:
    """Accuracy and balance of hard routing, as the training loop records them."""
    if not isinstance(model, SigmaBTree):
        raise WorkloadError(f"evaluation: a {type(model).__name__} is no tree")
    found = evaluate_hard(model, source, compute)
    return {
        "top1_fraction": found.top1_fraction,
        "top5_fraction": found.top5_fraction,
        "balance_fraction": found.balance,
    }


def _evaluated(
    tree: SigmaBTree, source: Source, compute: Compute, batch_size: int
) -> HardEvaluation:
    hits = torch.zeros(2)
    routes: list[Route] = []
    leaves = torch.empty(len(source), dtype=torch.int64)
    n_classes = 0
    for start in range(0, len(source), batch_size):
        indices = torch.arange(start, min(start + batch_size, len(source)))
        inputs, targets = source.batch(indices)
        output = infer(tree, compute.take(inputs))
        n_classes = output.logits.shape[1]
        _check_classes(source, n_classes)
        top5 = output.logits.topk(min(5, n_classes), dim=1).indices.cpu() == targets[:, None]
        hits += torch.stack((top5[:, 0].sum(), top5.any(1).sum()))
        leaves[indices] = output.leaf.cpu()
        routes += routes_of(output)
    cells = source.targets * tree.shape.n_leaves + leaves
    counts = torch.bincount(cells, minlength=n_classes * tree.shape.n_leaves)
    return HardEvaluation(
        top1_fraction=float(hits[0]) / len(source),
        top5_fraction=float(hits[1]) / len(source),
        class_by_leaf=counts.view(n_classes, tree.shape.n_leaves),
        routes=tuple(routes),
    )


def routes_of(output: HardOutput) -> list[Route]:
    """The route of each sample of a batch, with the routers' probabilities."""
    arms: list[list[int]] = [[] for _ in output.leaf]
    said: list[list[tuple[float, ...]]] = [[] for _ in output.leaf]
    for decision in output.decisions:
        columns = (decision.rows, decision.arms, decision.probabilities.double())
        for row, arm, probabilities in zip(*(c.tolist() for c in columns), strict=True):
            arms[row].append(arm)
            said[row].append(tuple(round(p, PROBABILITY_DIGITS) for p in probabilities))
    return [
        Route(arms=tuple(taken), probabilities=tuple(distributions))
        for taken, distributions in zip(arms, said, strict=True)
    ]


def _check_classes(source: Source, n_classes: int) -> None:
    largest = int(source.targets.max())
    if largest >= n_classes:
        raise WorkloadError(
            f"evaluation: the data set has class {largest}, the tree's heads know 0 to "
            f"{n_classes - 1}"
        )
