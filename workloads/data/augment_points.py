"""Random changes of training point clouds, on whole batches (N, points, 3) of float32."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class DisturbPoints:
    """The usual ModelNet40 augmentation: drop, turn, scale, shift and jitter.

    A dropped point takes the place of the cloud's first point, so that the shape stays the same;
    the share dropped is drawn for each cloud (PointNet++, arXiv 1706.02413, section 3.3).

    Attributes:
        dropout: largest share of points dropped.
        scale: smallest and largest factor, one per cloud.
        shift: largest displacement along each axis, one per cloud.
        jitter: standard deviation of each coordinate's error.
        jitter_limit: largest error.
        turn_axis: axis about which the cloud is turned by any angle, or None.
    """

    dropout: float = 0.875
    scale: tuple[float, float] = (0.8, 1.25)
    shift: float = 0.1
    jitter: float = 0.01
    jitter_limit: float = 0.05
    turn_axis: int | None = None

    def __call__(self, clouds: Tensor, generator: torch.Generator) -> Tensor:
        """A new batch of the same shape."""
        count, points, _ = clouds.shape
        share = self.dropout * torch.rand((count, 1), generator=generator)
        dropped = torch.rand((count, points), generator=generator) < share
        clouds = torch.where(dropped[..., None], clouds[:, :1], clouds)
        if self.turn_axis is not None:
            angle = 2 * torch.pi * torch.rand(count, generator=generator)
            clouds = clouds @ _turns(angle, self.turn_axis)
        low, high = self.scale
        factor = low + (high - low) * torch.rand((count, 1, 1), generator=generator)
        offset = self.shift * (2 * torch.rand((count, 1, 3), generator=generator) - 1)
        error = self.jitter * torch.randn(clouds.shape, generator=generator)
        return clouds * factor + offset + error.clamp(-self.jitter_limit, self.jitter_limit)


def _turns(angle: Tensor, axis: int) -> Tensor:
    """Rotation matrices (N, 3, 3) about one axis, for row vectors."""
    i, j = [other for other in range(3) if other != axis]
    matrix = torch.eye(3).repeat(len(angle), 1, 1)
    matrix[:, i, i] = matrix[:, j, j] = torch.cos(angle)
    matrix[:, i, j] = torch.sin(angle)
    matrix[:, j, i] = -torch.sin(angle)
    return matrix
