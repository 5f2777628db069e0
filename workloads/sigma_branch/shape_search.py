"""The tree's shape from data: how many children the samples of a node call for.

arXiv 2606.09924 fixes two levels of two and names the choice from data as open (section VI-D).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from simulator.errors import WorkloadError
from workloads.sigma_branch.kmeans import nearest_centroid, spherical_kmeans
from workloads.sigma_branch.shape import TreeShape

ParamsOf = Callable[[TreeShape], int]
"""Parameters of the whole tree with the levels chosen so far and single children below."""

MAX_SCORED = 2000
"""Samples scored per node; the silhouette compares every pair."""
N_REFERENCES = 10
"""Reference sets of the gap statistic."""


class Criterion(StrEnum):
    """What says how many clusters there are."""

    SILHOUETTE = "silhouette"
    GAP = "gap"


class ShapeRule(Protocol):
    """Decides the children of a level's nodes, given what their samples look like."""

    @property
    def depth(self) -> int:
        """Levels of the tree."""
        ...

    def arities(
        self, above: Sequence[tuple[int, ...]], latents: Sequence[Tensor], params_of: ParamsOf
    ) -> tuple[int, ...]:
        """Children of each node of a level.

        Args:
            above: children of the nodes of all levels above.
            latents: for each node of this level its samples' latents, (samples, width).
            params_of: counts the tree that a choice leads to.
        """
        ...


@dataclass(frozen=True)
class FixedShape:
    """The shape is given."""

    shape: TreeShape

    @property
    def depth(self) -> int:
        """Levels of the tree."""
        return self.shape.depth

    def arities(
        self, above: Sequence[tuple[int, ...]], latents: Sequence[Tensor], params_of: ParamsOf
    ) -> tuple[int, ...]:
        """The given children, whatever the samples."""
        return self.shape.arities[len(above)]


@dataclass(frozen=True)
class SearchedShape:
    """Each node gets as many children as its samples form clusters, within a budget.

    If the tree would hold more than `max_params`, the least clear splits of the level are
    taken back first.

    Attributes:
        depth: levels of the tree; nodes with one child have no router.
        criterion: silhouette or gap statistic.
        max_children: most children of a node.
        max_params: most parameters of the whole tree before any ties, or None.
        min_silhouette: least mean silhouette that justifies a split; up to 0.25 there is "no
            substantial structure" (Kaufman and Rousseeuw 1990, table 4).
        seed: of the clusterings and reference sets.
    """

    depth: int
    criterion: Criterion = Criterion.SILHOUETTE
    max_children: int = 3
    max_params: int | None = None
    min_silhouette: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        if self.max_children < 2 or self.depth < 1:
            raise WorkloadError(
                f"tree shape search: depth {self.depth}, max_children {self.max_children}: need "
                "at least 1 level and 2 children"
            )

    def arities(
        self, above: Sequence[tuple[int, ...]], latents: Sequence[Tensor], params_of: ParamsOf
    ) -> tuple[int, ...]:
        """The clusters found in each node's samples, fewer where the budget demands it."""
        wanted = [self.split(node) for node in latents]
        arities = [arity for arity, _ in wanted]
        by_clarity = sorted(range(len(wanted)), key=lambda node: wanted[node][1])
        for node in by_clarity:
            while arities[node] > 1 and not self._fits(above, arities, params_of):
                arities[node] -= 1
        if not self._fits(above, arities, params_of):
            least = params_of(TreeShape((*above, tuple(arities))))
            raise WorkloadError(
                f"tree shape search: max_params {self.max_params}: level {len(above) + 1} needs "
                f"at least {least} parameters even without a split"
            )
        return tuple(arities)

    def split(self, latents: Tensor) -> tuple[int, float]:
        """How many clusters the samples form, and how clearly (larger is clearer)."""
        sample = latents[_subset(len(latents), self.seed).to(latents.device)]
        most = min(self.max_children, len(sample) - 1)
        if most < 2:
            return 1, 0.0
        if self.criterion is Criterion.SILHOUETTE:
            scores = {k: self._silhouette(sample, k) for k in range(2, most + 1)}
            best = max(scores, key=lambda k: scores[k])
            return (best, scores[best]) if scores[best] >= self.min_silhouette else (1, 0.0)
        return self._gap(sample, most)

    def _fits(
        self, above: Sequence[tuple[int, ...]], arities: list[int], params_of: ParamsOf
    ) -> bool:
        if self.max_params is None:
            return True
        return params_of(TreeShape((*above, tuple(arities)))) <= self.max_params

    def _silhouette(self, sample: Tensor, k: int) -> float:
        found = spherical_kmeans(sample, k, n_restarts=3, seed=self.seed)
        return mean_silhouette(sample, found.labels)

    def _gap(self, sample: Tensor, most: int) -> tuple[int, float]:
        """Smallest k whose gap is within a standard error of the next (Tibshirani 2001)."""
        gaps, errors = [], []
        for k in range(1, most + 2):
            gap, error = gap_statistic(sample, k, self.seed)
            gaps.append(gap)
            errors.append(error)
        for index in range(most):
            if gaps[index] >= gaps[index + 1] - errors[index + 1]:
                return index + 1, gaps[index] - gaps[0]
        return most, gaps[most - 1] - gaps[0]


def mean_silhouette(latents: Tensor, labels: Tensor) -> float:
    """Mean over samples of (b - a) / max(a, b) with cosine distance (Rousseeuw 1987).

    a is the mean distance to the other samples of the own cluster, b the smallest mean
    distance to another cluster; a sample alone in its cluster counts 0.
    """
    directions = F.normalize(latents.double(), dim=1)
    distance = 1.0 - directions @ directions.T
    clusters = F.one_hot(labels).double()
    sizes = clusters.sum(0)
    own_size = sizes[labels]
    sums = distance @ clusters
    a = sums.gather(1, labels[:, None])[:, 0] / (own_size - 1).clamp_min(1)
    means = (sums / sizes).scatter(1, labels[:, None], torch.inf)
    b = means.amin(1)
    score = (b - a) / torch.maximum(a, b).clamp_min(1e-12)
    return float(score.masked_fill(own_size == 1, 0.0).mean())


def gap_statistic(latents: Tensor, k: int, seed: int) -> tuple[float, float]:
    """How much tighter k clusters are than in structureless data, and its standard error.

    The reference sets are uniform in the box along the samples' principal axes, brought back
    to unit length (Tibshirani, Walther, Hastie 2001, with cosine distance).
    """
    directions = F.normalize(latents.double(), dim=1)
    centre = directions.mean(0)
    axes = torch.linalg.svd(directions - centre, full_matrices=False).Vh
    turned = (directions - centre) @ axes.T
    low, high = turned.amin(0), turned.amax(0)
    generator = torch.Generator().manual_seed(seed)
    references = []
    for _ in range(N_REFERENCES):
        uniform = torch.rand(turned.shape, generator=generator, dtype=torch.float64)
        box = low + (high - low) * uniform.to(turned.device)
        references.append(_log_dispersion(F.normalize(box @ axes + centre, dim=1), k, seed))
    expected = torch.tensor(references, dtype=torch.float64)
    spread = float(expected.std(correction=0)) * (1 + 1 / N_REFERENCES) ** 0.5
    return float(expected.mean()) - _log_dispersion(directions, k, seed), spread


def _log_dispersion(directions: Tensor, k: int, seed: int) -> float:
    """Log of the mean cosine distance to the own centroid."""
    if k == 1:
        centroids = F.normalize(directions.mean(0, keepdim=True), dim=1)
    else:
        centroids = spherical_kmeans(directions, k, n_restarts=3, seed=seed).centroids
    labels = nearest_centroid(directions, centroids)
    distance = 1.0 - (directions * centroids[labels]).sum(1)
    return float(distance.mean().clamp_min(1e-12).log())


def _subset(count: int, seed: int) -> Tensor:
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    return order[:MAX_SCORED].sort().values
