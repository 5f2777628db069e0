"""Residual networks as trunk, residual stages and classifier."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

from torch import nn

from workloads.models.resnet import ResNet, residual_stage
from workloads.sigma_branch.adapters.base import Adapter, ImagePool, PooledLinear, scaled


class ResNetAdapter(Adapter[ResNet]):
    """A stage is a residual stage: its output width and its blocks' planes shrink alike.

    Only stages that begin with a projection shortcut can be replaced, since an identity
    shortcut would force the specializer to keep the width of what it reads.
    """

    def __init__(self, dense: ResNet) -> None:
        self.dense = dense
        self._stages: list[tuple[str, list[Any]]] = [
            (name, list(stage.children())) for name, stage in dense.stages()
        ]
        self.n_stages = len(self._stages)
        projected = [blocks[0].downsample is not None for _, blocks in reversed(self._stages)]
        self.max_depth = [*projected, False].index(False)
        self._device = dense.conv1.weight.device

    def trunk(self, n_stages: int) -> nn.Module:
        stages = [(name, self.dense.get_submodule(name)) for name, _ in self._stages[:n_stages]]
        return nn.Sequential(OrderedDict(copy.deepcopy([*self.dense.stem(), *stages])))

    def pool(self, stage: int) -> nn.Module:
        return ImagePool()

    def width(self, stage: int, fraction: float) -> int:
        if stage < 0:
            return self.dense.conv1.out_channels
        block = self._stages[stage][1][-1]
        last = block.conv3 if hasattr(block, "conv3") else block.conv2
        return scaled(last.out_channels, fraction)

    def specializers(self, stage: int, in_width: int, fraction: float, n: int) -> list[nn.Module]:
        blocks = self._stages[stage][1]
        planes = scaled(blocks[0].conv1.out_channels, fraction)
        out_width = self.width(stage, fraction)
        with self._device:
            return [
                residual_stage(
                    type(blocks[0]), in_width, planes, out_width, len(blocks), blocks[0].stride
                )
                for _ in range(n)
            ]

    def head(self, in_width: int, fraction: float) -> nn.Module:
        with self._device:
            return PooledLinear(in_width, self.dense.fc.out_features)
