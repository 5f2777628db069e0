"""Spherical k-means: clusters of directions, whose centroids can serve as a router's weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from simulator.errors import WorkloadError

MAX_ITERATIONS = 100


@dataclass(frozen=True)
class Clustering:
    """Clusters of directions, the largest first.

    Attributes:
        centroids: (k, width) unit vectors.
        labels: (samples,) the centroid with the largest inner product with the sample.
        mean_cosine: mean cosine between a sample and its centroid, at most 1.
    """

    centroids: Tensor
    labels: Tensor
    mean_cosine: float

    @property
    def sizes(self) -> list[int]:
        """Samples of each cluster."""
        return torch.bincount(self.labels, minlength=len(self.centroids)).tolist()


def spherical_kmeans(latents: Tensor, k: int, n_restarts: int, seed: int) -> Clustering:
    """The best of several k-means runs on the samples' directions.

    k-means++ start with cosine distance; an empty cluster is restarted at the sample farthest
    from its centroid. The same arguments give the same clusters.

    Args:
        latents: (samples, width); only their directions matter.
        k: number of clusters.
        n_restarts: runs with different starts, the one with the largest mean cosine wins.
        seed: of the starts.

    Raises:
        WorkloadError: fewer samples, or fewer distinct directions, than clusters; values that
            are not finite.
    """
    if not torch.isfinite(latents).all():
        raise WorkloadError("k-means: latents are not finite; is the dense network trained?")
    if len(latents) < k:
        raise WorkloadError(f"k-means: {len(latents)} samples for {k} clusters, need at least {k}")
    generator = torch.Generator().manual_seed(seed)
    directions = F.normalize(latents.double(), dim=1)
    runs = [_one_run(directions, k, generator) for _ in range(n_restarts)]
    centroids = max(runs, key=lambda found: _mean_cosine(directions, found))
    return _settled(latents, centroids.to(latents.dtype))


def random_clusters(latents: Tensor, k: int, seed: int) -> Clustering:
    """Samples dealt at random into k equal clusters, with their mean directions as centroids.

    The ablation "random partition" of arXiv 2606.09924, table VI: labels are those dealt, not
    those of the nearest centroid.

    Raises:
        WorkloadError: fewer samples than clusters.
    """
    n = len(latents)
    if n < k:
        raise WorkloadError(f"random partition: {n} samples for {k} clusters, need at least {k}")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    labels = torch.empty(n, dtype=torch.int64)
    labels[order] = torch.arange(n) % k
    labels = labels.to(latents.device)
    directions = F.normalize(latents.double(), dim=1)
    centroids = torch.stack([F.normalize(directions[labels == c].sum(0), dim=0) for c in range(k)])
    cosine = float((directions * centroids[labels]).sum(1).mean())
    return Clustering(centroids.to(latents.dtype), labels, cosine)


def nearest_centroid(latents: Tensor, centroids: Tensor) -> Tensor:
    """The arm a router with these centroids as weights takes, (samples,)."""
    return F.linear(latents, centroids).argmax(1)


def _one_run(directions: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """Centroids after Lloyd's iterations from one k-means++ start."""
    centroids = _start(directions, k, generator)
    labels = None
    for _ in range(MAX_ITERATIONS):
        cosines = directions @ centroids.T
        new_labels = cosines.argmax(1)
        for empty in set(range(k)) - set(new_labels.unique().tolist()):
            farthest = int(cosines.gather(1, new_labels[:, None]).argmin())
            new_labels[farthest] = empty
            cosines[farthest, empty] = 1.0
        if labels is not None and torch.equal(labels, new_labels):
            break
        labels = new_labels
        sums = torch.zeros_like(centroids).index_add_(0, labels, directions)
        centroids = F.normalize(sums, dim=1)
    return centroids


def _start(directions: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """k-means++: each next centroid drawn with probability proportional to cosine distance."""
    first = int(torch.randint(len(directions), (1,), generator=generator))
    chosen = [first]
    distance = 1.0 - directions @ directions[first]
    for _ in range(1, k):
        weight = distance.clamp_min(0.0)
        if float(weight.sum()) <= 1e-9 * len(weight):
            raise WorkloadError(
                f"k-means: the samples point in fewer than {k} directions; is the projection "
                "collapsed, or the same input repeated?"
            )
        pick = int(torch.multinomial(weight.cpu(), 1, generator=generator))
        chosen.append(pick)
        distance = torch.minimum(distance, 1.0 - directions @ directions[pick])
    return directions[chosen]


def _settled(latents: Tensor, centroids: Tensor) -> Clustering:
    """Number the clusters by size and label the samples as the router will."""
    labels = nearest_centroid(latents, centroids)
    sizes = torch.bincount(labels, minlength=len(centroids))
    if int(sizes.min()) == 0:
        raise WorkloadError(f"k-means: a cluster is empty, sizes {sizes.tolist()}")
    centroids = centroids[sizes.argsort(descending=True, stable=True)]
    return Clustering(
        centroids, nearest_centroid(latents, centroids), _mean_cosine(latents, centroids)
    )


def _mean_cosine(latents: Tensor, centroids: Tensor) -> float:
    cosines = F.normalize(latents, dim=1) @ centroids.T
    return float(cosines.amax(1).double().mean())
