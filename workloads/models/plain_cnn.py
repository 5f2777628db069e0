"""A plain convolutional network without shortcuts, for small images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from torch import Tensor, nn


class ConvStage(nn.Module):
    """Two 3x3 convolutions with batch norm and ReLU, then a 2x2 max-pool.

    Maps (batch, in_width, h, w) to (batch, out_width, h / 2, w / 2); `planes` is the width
    between the convolutions.
    """

    def __init__(self, in_width: int, planes: int, out_width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_width, planes, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, out_width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_width)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        return self.pool(self.relu(self.bn2(self.conv2(x))))


class PlainCNN(nn.Module):
    """stage1 ... stageN, global average pooling, fc.

    Args:
        widths: output channels of each stage (also the width inside it).
        n_classes: classes of the head.
        in_channels: channels of the input images, whose side must be divisible by 2^N.
    """

    def __init__(self, widths: Sequence[int], n_classes: int, in_channels: int = 3) -> None:
        super().__init__()
        self.n_stages = len(widths)
        for index, (c, k) in enumerate(pairwise((in_channels, *widths))):
            self.add_module(f"stage{index + 1}", ConvStage(c, k, k))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(widths[-1], n_classes)

    def stages(self) -> Iterator[tuple[str, nn.Module]]:
        """The named stages, in order."""
        for index in range(self.n_stages):
            name = f"stage{index + 1}"
            yield name, self.get_submodule(name)

    def forward(self, x: Tensor) -> Tensor:
        for _, stage in self.stages():
            x = stage(x)
        return self.fc(self.avgpool(x).flatten(1))
