"""Residual networks for images: ResNet-50 v1.5 and small networks of basic blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import pairwise

from torch import Tensor, nn


class Stem(StrEnum):
    """What precedes the first stage: 7x7 stride 2 and max-pool, or 3x3 stride 1."""

    IMAGENET = "imagenet"
    CIFAR = "cifar"


def _shortcut(in_width: int, out_width: int, stride: int) -> nn.Sequential | None:
    """1x1 projection where the identity does not fit, else None."""
    if in_width == out_width and stride == 1:
        return None
    return nn.Sequential(
        nn.Conv2d(in_width, out_width, 1, stride=stride, bias=False), nn.BatchNorm2d(out_width)
    )


class Bottleneck(nn.Module):
    """1x1 to `planes`, 3x3 carrying the stride (v1.5), 1x1 to `out_width`, plus the shortcut.

    Maps (batch, in_width, h, w) to (batch, out_width, h / stride, w / stride).
    """

    def __init__(self, in_width: int, planes: int, out_width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv1 = nn.Conv2d(in_width, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, out_width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_width)
        self.relu = nn.ReLU()
        self.downsample = _shortcut(in_width, out_width, stride)

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        return self.relu(self.bn3(self.conv3(y)) + identity)


class BasicBlock(nn.Module):
    """3x3 to `planes` carrying the stride, 3x3 to `out_width`, plus the shortcut.

    Maps (batch, in_width, h, w) to (batch, out_width, h / stride, w / stride).
    """

    def __init__(self, in_width: int, planes: int, out_width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv1 = nn.Conv2d(in_width, planes, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, out_width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_width)
        self.relu = nn.ReLU()
        self.downsample = _shortcut(in_width, out_width, stride)

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + identity)


Block = Bottleneck | BasicBlock


def residual_stage(
    block: type[Block], in_width: int, planes: int, out_width: int, depth: int, stride: int
) -> nn.Sequential:
    """`depth` blocks in a row; the first changes the width and carries the stride."""
    first = block(in_width, planes, out_width, stride)
    rest = (block(out_width, planes, out_width, 1) for _ in range(depth - 1))
    return nn.Sequential(first, *rest)


class ResNet(nn.Module):
    """A residual network with the usual keys: conv1, bn1, layer1 ... layerN, fc.

    Args:
        block: Bottleneck (outputs four times its planes) or BasicBlock (outputs its planes).
        depths: number of blocks of each stage.
        planes: inner width of each stage's blocks.
        stem: ImageNet or CIFAR stem; its width is the first stage's planes.
        n_classes: classes of the head.
        in_channels: channels of the input images.
    """

    def __init__(
        self,
        block: type[Block],
        depths: Sequence[int],
        planes: Sequence[int],
        stem: Stem,
        n_classes: int,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        width = planes[0]
        if stem is Stem.IMAGENET:
            self.conv1 = nn.Conv2d(in_channels, width, 7, stride=2, padding=3, bias=False)
        else:
            self.conv1 = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if stem is Stem.IMAGENET else None
        expansion = 4 if block is Bottleneck else 1
        widths = [width, *(expansion * p for p in planes)]
        self.n_stages = len(depths)
        for index, (in_width, out_width) in enumerate(pairwise(widths)):
            stride = 1 if index == 0 else 2
            stage = residual_stage(block, in_width, planes[index], out_width, depths[index], stride)
            self.add_module(f"layer{index + 1}", stage)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(widths[-1], n_classes)

    def stem(self) -> Iterator[tuple[str, nn.Module]]:
        """The named modules before the first stage, in order."""
        yield from (("conv1", self.conv1), ("bn1", self.bn1), ("relu", self.relu))
        if self.maxpool is not None:
            yield "maxpool", self.maxpool

    def stages(self) -> Iterator[tuple[str, nn.Module]]:
        """The named residual stages, in order."""
        for index in range(self.n_stages):
            name = f"layer{index + 1}"
            yield name, self.get_submodule(name)

    def forward(self, x: Tensor) -> Tensor:
        for _, module in (*self.stem(), *self.stages()):
            x = module(x)
        return self.fc(self.avgpool(x).flatten(1))


def resnet50(n_classes: int, stem: Stem = Stem.IMAGENET) -> ResNet:
    """ResNet-50 v1.5 (arXiv 1512.03385, stride on the 3x3 convolution)."""
    return ResNet(Bottleneck, (3, 4, 6, 3), (64, 128, 256, 512), stem, n_classes)


def small_resnet(
    n_classes: int, blocks_per_stage: int = 2, width: int = 16, in_channels: int = 3
) -> ResNet:
    """Three-stage basic-block network for small images (arXiv 1512.03385, section 4.2)."""
    planes = (width, 2 * width, 4 * width)
    depths = (blocks_per_stage,) * 3
    return ResNet(BasicBlock, depths, planes, Stem.CIFAR, n_classes, in_channels)
