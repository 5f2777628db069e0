"""PointNet++ as trunk, set abstractions, a fully connected stage and classifier."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

from torch import Tensor, nn

from workloads.models.pointnet2 import PointNet2, PointState, SetAbstraction
from workloads.sigma_branch.adapters.base import Adapter, scaled

ABSTRACTIONS = ("sa1", "sa2", "sa3")
LEVEL_FRACTION = 0.5
"""Widths are halved at every level (arXiv 2606.09924, table III's PointNet++ totals)."""


class PointNet2Adapter(Adapter[PointNet2]):
    """The stages are sa1, sa2, sa3 and fc1; the classifier is fc2 and fc3.

    Inside a set abstraction the first convolution, which reads the coordinates, keeps its
    width; the other inner widths and the output shrink.
    """

    n_stages = 4
    max_depth = 3

    def __init__(self, dense: PointNet2) -> None:
        self.dense = dense
        self._device = dense.fc1.weight.device

    def level_fraction(self, n_nodes: int) -> float:
        return LEVEL_FRACTION

    def trunk(self, n_stages: int) -> nn.Module:
        names = ABSTRACTIONS[:n_stages]
        return PointTrunk(OrderedDict((n, copy.deepcopy(self._abstraction(n))) for n in names))

    def pool(self, stage: int) -> nn.Module:
        return PointPool() if stage < 2 else nn.Identity()

    def width(self, stage: int, fraction: float) -> int:
        if stage == 3:
            return scaled(self.dense.fc1.out_features, fraction)
        return scaled(self._widths(stage)[-1], fraction)

    def specializers(self, stage: int, in_width: int, fraction: float, n: int) -> list[nn.Module]:
        with self._device:
            if stage == 3:
                width, dropout = self.width(3, fraction), self.dense.drop1.p
                return [HiddenLayer(in_width, width, dropout) for _ in range(n)]
            first, *inner = self._widths(stage)
            widths = (first, *(scaled(w, fraction) for w in inner))
            grouping = self._abstraction(ABSTRACTIONS[stage]).grouping
            return [SetAbstraction(in_width, widths, grouping) for _ in range(n)]

    def head(self, in_width: int, fraction: float) -> nn.Module:
        hidden = scaled(self.dense.fc2.out_features, fraction)
        with self._device:
            return PointHead(in_width, hidden, self.dense.fc3.out_features, self.dense.drop2.p)

    def _abstraction(self, name: str) -> SetAbstraction:
        abstraction: SetAbstraction = getattr(self.dense, name)
        return abstraction

    def _widths(self, stage: int) -> list[int]:
        return self._abstraction(ABSTRACTIONS[stage]).widths


class PointTrunk(nn.Sequential):
    """Set abstractions in a row, from (batch, 3, points) to the state after the last."""

    def forward(self, xyz: Tensor) -> PointState | Tensor:
        state: Any = (xyz, None)
        for abstraction in self:
            state = abstraction(state)
        return state


class PointPool(nn.AdaptiveAvgPool1d):
    """Mean of the features over the points: (xyz, features) to (batch, channels)."""

    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, state: Any) -> Tensor:
        return super().forward(state[1]).flatten(1)


class HiddenLayer(nn.Module):
    """Linear with batch norm, ReLU and dropout, on (batch, in_width)."""

    def __init__(self, in_width: int, out_width: int, dropout: float) -> None:
        super().__init__()
        self.fc = nn.Linear(in_width, out_width)
        self.bn = nn.BatchNorm1d(out_width)
        self.relu = nn.ReLU()
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.drop(self.relu(self.bn(self.fc(x))))


class PointHead(nn.Module):
    """A leaf's classifier: one hidden layer, then the logits."""

    def __init__(self, in_width: int, hidden: int, n_classes: int, dropout: float) -> None:
        super().__init__()
        self.hidden = HiddenLayer(in_width, hidden, dropout)
        self.fc = nn.Linear(hidden, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.hidden(x))
