"""PointNet++ as trunk, set abstractions, a fully connected stage and classifier."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

from torch import Tensor, nn

from workloads.models.pointnet2 import PointNet2, PointState, SetAbstraction
from workloads.sigma_branch.adapters.base import Adapter, Chosen, scaled
from workloads.sigma_branch.channels import Channels, LayerCopy

ABSTRACTIONS = ("sa1", "sa2", "sa3")
LEVEL_FRACTION = 0.5
"""Widths are halved at every level (arXiv 2606.09924, table III's PointNet++ totals)."""


class PointNet2Adapter(Adapter[PointNet2]):
    """The stages are sa1, sa2, sa3 and fc1; the classifier is fc2 and fc3.

    Inside a set abstraction the first convolution, which reads the coordinates, keeps its
    width; the other inner widths and the output shrink. The inner layers and fc2 keep their
    strongest filters, as the planes of residual blocks do; the columns of the coordinates
    are always kept.
    """

    n_stages = 4
    max_depth = 3

    def __init__(self, dense: PointNet2) -> None:
        self.dense = dense

    def level_fraction(self, n_nodes: int) -> float:
        return LEVEL_FRACTION

    @property
    def projection_width(self) -> int:
        """Half of what sa2 puts out: 128 at the widths of arXiv 2606.09924, less in thinner ones.

        Routers of full width would be a quarter of a network of a quarter of the widths.
        """
        return self._widths(1)[-1] // 2

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
        with self.device:
            if stage == 3:
                width, dropout = self.width(3, fraction), self.dense.drop1.p
                return [HiddenLayer(in_width, width, dropout) for _ in range(n)]
            first, *inner = self._widths(stage)
            widths = (first, *(scaled(w, fraction) for w in inner))
            grouping = self._abstraction(ABSTRACTIONS[stage]).grouping
            return [SetAbstraction(in_width, widths, grouping) for _ in range(n)]

    def head(self, in_width: int, fraction: float) -> nn.Module:
        hidden = scaled(self.dense.fc2.out_features, fraction)
        with self.device:
            return PointHead(in_width, hidden, self.dense.fc3.out_features, self.dense.drop2.p)

    def dense_state(self, x: Tensor, stage: int) -> Any:
        dense = self.dense
        state: Any = (x, None)
        for name in ABSTRACTIONS[: stage + 1]:
            state = self._abstraction(name)(state)
        return dense.drop1(dense.relu(dense.bn1(dense.fc1(state)))) if stage == 3 else state

    def specializer_copies(
        self, stage: int, inputs: Channels, chosen: Chosen, fraction: float
    ) -> list[LayerCopy]:
        out = chosen["out"]
        if stage == 3:
            return [LayerCopy("fc", "fc1", out, inputs), LayerCopy("bn", "bn1", out)]
        name = ABSTRACTIONS[stage]
        n_layers = len(self._widths(stage))
        columns = inputs.after(3)
        copies = []
        for layer in range(n_layers):
            conv, norm = f"mlp_convs.{layer}", f"mlp_bns.{layer}"
            share = 1.0 if layer == 0 else fraction
            rows = out if layer == n_layers - 1 else self.planes(f"{name}.{conv}", share)
            copies.append(LayerCopy(conv, f"{name}.{conv}", rows, columns))
            copies.append(LayerCopy(norm, f"{name}.{norm}", rows))
            columns = rows
        return copies

    def head_copies(self, inputs: Channels, fraction: float) -> list[LayerCopy]:
        hidden = self.planes("fc2", fraction)
        classes = Channels.every(self.dense.fc3.out_features, self.device)
        return [
            LayerCopy("hidden.fc", "fc2", hidden, inputs),
            LayerCopy("hidden.bn", "bn2", hidden),
            LayerCopy("fc", "fc3", classes, hidden),
        ]

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
