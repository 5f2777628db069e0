"""A plain convolutional network as trunk, stages and classifier."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

from torch import Tensor, nn

from workloads.models.plain_cnn import ConvStage, PlainCNN
from workloads.sigma_branch.adapters.base import Adapter, Chosen, ImagePool, PooledLinear, scaled
from workloads.sigma_branch.channels import Channels, LayerCopy


class PlainCNNAdapter(Adapter[PlainCNN]):
    """A stage is two convolutions: the first one's filters play the planes' part."""

    def __init__(self, dense: PlainCNN) -> None:
        self.dense = dense
        self._stages: list[tuple[str, Any]] = list(dense.stages())
        self.n_stages = len(self._stages)
        self.max_depth = self.n_stages - 1

    def trunk(self, n_stages: int) -> nn.Module:
        return nn.Sequential(OrderedDict(copy.deepcopy(self._stages[:n_stages])))

    def pool(self, stage: int) -> nn.Module:
        return ImagePool()

    def width(self, stage: int, fraction: float) -> int:
        return scaled(self._stages[stage][1].conv2.out_channels, fraction)

    def specializers(self, stage: int, in_width: int, fraction: float, n: int) -> list[nn.Module]:
        planes = scaled(self._stages[stage][1].conv1.out_channels, fraction)
        with self.device:
            return [ConvStage(in_width, planes, self.width(stage, fraction)) for _ in range(n)]

    def head(self, in_width: int, fraction: float) -> nn.Module:
        with self.device:
            return PooledLinear(in_width, self.dense.fc.out_features)

    def dense_state(self, x: Tensor, stage: int) -> Tensor:
        for _, module in self._stages[: stage + 1]:
            x = module(x)
        return x

    def specializer_copies(
        self, stage: int, inputs: Channels, chosen: Chosen, fraction: float
    ) -> list[LayerCopy]:
        name = self._stages[stage][0]
        planes = self.planes(f"{name}.conv1", fraction)
        out = chosen["out"]
        return [
            LayerCopy("conv1", f"{name}.conv1", planes, inputs),
            LayerCopy("bn1", f"{name}.bn1", planes),
            LayerCopy("conv2", f"{name}.conv2", out, planes),
            LayerCopy("bn2", f"{name}.bn2", out),
        ]

    def head_copies(self, inputs: Channels, fraction: float) -> list[LayerCopy]:
        classes = Channels.every(self.dense.fc.out_features, self.device)
        return [LayerCopy("fc", "fc", classes, inputs)]
