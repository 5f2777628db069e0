"""Sampling and grouping of points as operators: each traces as one layer of a program.

They are registered with the framework so that a trace sees one operator, and so that they
have a shape on the meta device, where points have no coordinates.
"""

from __future__ import annotations

import torch
from torch import Tensor


@torch.library.custom_op("points::farthest_point_sample", mutates_args=())
def farthest_point_sample(xyz: Tensor, n_samples: int) -> Tensor:
    """Indices of points chosen one by one, each the farthest from those chosen before.

    The first is point 0, so that the result depends on the points alone; equal distances go
    to the lowest index (arXiv 1706.02413, section 3.2).

    Args:
        xyz: (batch, 3, points).
        n_samples: how many to choose, at most the number of points.

    Returns:
        (batch, n_samples) indices into the points.
    """
    batch, _, n_points = xyz.shape
    chosen = torch.zeros(batch, n_samples, dtype=torch.int64, device=xyz.device)
    nearest = torch.full((batch, n_points), torch.inf, dtype=xyz.dtype, device=xyz.device)
    for step in range(1, n_samples):
        last = chosen[:, step - 1].view(batch, 1, 1).expand(-1, 3, 1)
        distance = (xyz - xyz.gather(2, last)).square().sum(1)
        nearest = torch.minimum(nearest, distance)
        chosen[:, step] = nearest.argmax(1)
    return chosen


@farthest_point_sample.register_fake
def _(xyz: Tensor, n_samples: int) -> Tensor:
    return xyz.new_empty((xyz.shape[0], n_samples), dtype=torch.int64)


@torch.library.custom_op("points::ball_query", mutates_args=())
def ball_query(xyz: Tensor, centroids: Tensor, radius: float, n_neighbours: int) -> Tensor:
    """Indices of the first `n_neighbours` points within `radius` of each centroid.

    In index order; where fewer lie in the ball the first one found is repeated. A centroid
    must be one of the points, so that no ball is empty (arXiv 1706.02413, section 3.2).

    Args:
        xyz: (batch, 3, points).
        centroids: (batch, 3, centroids).
        radius: ball radius in the units of xyz; a point at exactly that distance is inside.
        n_neighbours: neighbours kept, at most the number of points.

    Returns:
        (batch, centroids, n_neighbours) indices into the points.
    """
    n_points = xyz.shape[2]
    squared = xyz.new_zeros((xyz.shape[0], centroids.shape[2], n_points))
    for axis in range(3):
        squared += (centroids[:, axis, :, None] - xyz[:, axis, None, :]).square()
    order = torch.arange(n_points, device=xyz.device).expand_as(squared)
    inside = torch.where(squared <= radius * radius, order, n_points)
    first = inside.topk(n_neighbours, dim=2, largest=False, sorted=True).values
    return torch.where(first == n_points, first[:, :, :1], first)


@ball_query.register_fake
def _(xyz: Tensor, centroids: Tensor, radius: float, n_neighbours: int) -> Tensor:
    shape = (xyz.shape[0], centroids.shape[2], n_neighbours)
    return xyz.new_empty(shape, dtype=torch.int64)


def gather_points(values: Tensor, index: Tensor) -> Tensor:
    """The values at the given points: (batch, channels, points) by (batch, ...) indices."""
    batch, channels, _ = values.shape
    flat = index.reshape(batch, 1, -1).expand(-1, channels, -1)
    return values.gather(2, flat).view(batch, channels, *index.shape[1:])
