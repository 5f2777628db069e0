"""Residual networks as trunk, residual stages and classifier."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

from torch import Tensor, nn

from workloads.models.resnet import ResNet, residual_stage
from workloads.sigma_branch.adapters.base import Adapter, Chosen, ImagePool, PooledLinear, scaled
from workloads.sigma_branch.channels import Channels, LayerCopy


class ResNetAdapter(Adapter[ResNet]):
    """A stage is a residual stage: its output width and its blocks' planes shrink alike.

    One set of output channels per stage and branch, which the identity shortcuts force; the
    planes inside each block are its strongest filters. Only stages that begin with a
    projection shortcut can be replaced, since an identity shortcut would force the
    specializer to keep the width of what it reads.
    """

    def __init__(self, dense: ResNet) -> None:
        self.dense = dense
        self._stages: list[tuple[str, list[Any]]] = [
            (name, list(stage.children())) for name, stage in dense.stages()
        ]
        self.n_stages = len(self._stages)
        projected = [blocks[0].downsample is not None for _, blocks in reversed(self._stages)]
        self.max_depth = [*projected, False].index(False)

    def trunk(self, n_stages: int) -> nn.Module:
        stages = [(name, self.dense.get_submodule(name)) for name, _ in self._stages[:n_stages]]
        return nn.Sequential(OrderedDict(copy.deepcopy([*self.dense.stem(), *stages])))

    def pool(self, stage: int) -> nn.Module:
        return ImagePool()

    def width(self, stage: int, fraction: float) -> int:
        if stage < 0:
            return self.dense.conv1.out_channels
        return scaled(_convolutions(self._stages[stage][1][-1])[-1][1].out_channels, fraction)

    def specializers(self, stage: int, in_width: int, fraction: float, n: int) -> list[nn.Module]:
        blocks = self._stages[stage][1]
        first, planes = blocks[0], scaled(blocks[0].conv1.out_channels, fraction)
        width, depth = self.width(stage, fraction), len(blocks)
        with self.device:
            return [
                residual_stage(type(first), in_width, planes, width, depth, first.stride)
                for _ in range(n)
            ]

    def head(self, in_width: int, fraction: float) -> nn.Module:
        with self.device:
            return PooledLinear(in_width, self.dense.fc.out_features)

    def dense_state(self, x: Tensor, stage: int) -> Tensor:
        for _, module in self.dense.stem():
            x = module(x)
        for name, _ in self._stages[: stage + 1]:
            x = self.dense.get_submodule(name)(x)
        return x

    def specializer_copies(
        self, stage: int, inputs: Channels, chosen: Chosen, fraction: float
    ) -> list[LayerCopy]:
        name, blocks = self._stages[stage]
        out = chosen["out"]
        copies = []
        columns = inputs
        for index, block in enumerate(blocks):
            source = f"{name}.{index}"
            if block.downsample is not None:
                shortcut = f"{source}.downsample"
                copies.append(LayerCopy(f"{index}.downsample.0", f"{shortcut}.0", out, columns))
                copies.append(LayerCopy(f"{index}.downsample.1", f"{shortcut}.1", out))
            last = _convolutions(block)[-1][0]
            for conv, _ in _convolutions(block):
                rows = out if conv == last else self.planes(f"{source}.{conv}", fraction)
                norm = conv.replace("conv", "bn")
                copies.append(LayerCopy(f"{index}.{conv}", f"{source}.{conv}", rows, columns))
                copies.append(LayerCopy(f"{index}.{norm}", f"{source}.{norm}", rows))
                columns = rows
        return copies

    def head_copies(self, inputs: Channels, fraction: float) -> list[LayerCopy]:
        classes = Channels.every(self.dense.fc.out_features, self.device)
        return [LayerCopy("fc", "fc", classes, inputs)]


def _convolutions(block: Any) -> list[tuple[str, nn.Conv2d]]:
    """The named convolutions of a block's main path, in order."""
    return [(name, conv) for name, conv in block.named_children() if name.startswith("conv")]
