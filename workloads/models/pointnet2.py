"""PointNet++ with single-scale grouping (arXiv 1706.02413) for point-cloud classification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workloads.models.point_ops import ball_query, farthest_point_sample, gather_points

PointState = tuple[Tensor, Tensor | None]
"""Coordinates (batch, 3, points) and features (batch, channels, points) or None."""


@dataclass(frozen=True)
class Grouping:
    """How a set-abstraction stage samples and groups: centroids, ball radius, neighbours."""

    n_centroids: int
    radius: float
    n_neighbours: int


@dataclass(frozen=True)
class PointGrid:
    """The groupings of the first and second stage; the third always groups all points."""

    first: Grouping
    second: Grouping


CANONICAL_GRID = PointGrid(Grouping(512, 0.2, 32), Grouping(128, 0.4, 64))
"""512 centroids of 32 neighbours, then 128 of 64 (arXiv 1706.02413, appendix B.1)."""

WIDE_GRID = PointGrid(Grouping(512, 0.2, 64), Grouping(256, 0.4, 32))
"""512 centroids of 64 neighbours, then 256 of 32: nearer to arXiv 2606.09924's FLOPs."""


class SetAbstraction(nn.Module):
    """Sample centroids, group their neighbours, run a shared MLP, keep the maximum.

    With a grouping: (xyz, features) to (centroids, features). Without one all points form
    one group and the result is the global feature, (batch, channels).

    Args:
        in_width: channels of the incoming features, 0 if there are none.
        widths: output channels of the MLP's 1x1 convolutions.
        grouping: None groups all points.
    """

    def __init__(self, in_width: int, widths: Sequence[int], grouping: Grouping | None) -> None:
        super().__init__()
        self.grouping = grouping
        self.widths = list(widths)
        columns = [in_width + 3, *widths[:-1]]
        self.mlp_convs = nn.ModuleList(
            nn.Conv2d(c, k, 1, bias=False) for c, k in zip(columns, widths, strict=True)
        )
        self.mlp_bns = nn.ModuleList(nn.BatchNorm2d(k) for k in widths)
        self.relu = nn.ReLU()

    def forward(self, state: PointState) -> PointState | Tensor:
        xyz, features = state
        if self.grouping is None:
            return self.mlp(_joined(xyz, features).unsqueeze(2)).amax(3).flatten(1)
        g = self.grouping
        centroids = gather_points(xyz, farthest_point_sample(xyz, g.n_centroids))
        near = ball_query(xyz, centroids, g.radius, g.n_neighbours)
        offsets = gather_points(xyz, near) - centroids.unsqueeze(3)
        grouped = None if features is None else gather_points(features, near)
        return centroids, self.mlp(_joined(offsets, grouped)).amax(3)

    def mlp(self, x: Tensor) -> Tensor:
        """The shared MLP on (batch, channels, groups, neighbours)."""
        for conv, norm in zip(self.mlp_convs, self.mlp_bns, strict=True):
            x = self.relu(norm(conv(x)))
        return x


def _joined(xyz: Tensor, features: Tensor | None) -> Tensor:
    """Coordinates before features along the channels."""
    return xyz if features is None else torch.cat((xyz, features), 1)


class PointNet2(nn.Module):
    """PointNet++ classifier: sa1, sa2, sa3 (group all), fc1, fc2, fc3.

    The input is (batch, 3, points), the output (batch, n_classes).

    Args:
        n_classes: classes of the head.
        grid: how the first two stages sample and group.
        divisor: of every width; 1 is the published network, 2 or 4 suit small sets.
        dropout: after each hidden layer.
    """

    def __init__(
        self,
        n_classes: int,
        grid: PointGrid = CANONICAL_GRID,
        divisor: int = 1,
        dropout: float = 0.4,
    ) -> None:
        super().__init__()
        unit = 64 // divisor
        self.sa1 = SetAbstraction(0, (unit, unit, 2 * unit), grid.first)
        self.sa2 = SetAbstraction(2 * unit, (2 * unit, 2 * unit, 4 * unit), grid.second)
        self.sa3 = SetAbstraction(4 * unit, (4 * unit, 8 * unit, 16 * unit), None)
        self.fc1 = nn.Linear(16 * unit, 8 * unit)
        self.bn1 = nn.BatchNorm1d(8 * unit)
        self.drop1 = nn.Dropout(dropout)
        self.fc2 = nn.Linear(8 * unit, 4 * unit)
        self.bn2 = nn.BatchNorm1d(4 * unit)
        self.drop2 = nn.Dropout(dropout)
        self.fc3 = nn.Linear(4 * unit, n_classes)
        self.relu = nn.ReLU()

    def forward(self, xyz: Tensor) -> Tensor:
        x = self.sa3(self.sa2(self.sa1((xyz, None))))
        x = self.drop1(self.relu(self.bn1(self.fc1(x))))
        x = self.drop2(self.relu(self.bn2(self.fc2(x))))
        return self.fc3(x)
