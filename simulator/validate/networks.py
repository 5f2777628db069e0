"""Networks that the references ran, as an int8 compiler leaves them.

Normalisation and activation are folded into the layer before; padding is not stored. The Edge TPU
stores weights with the input channels rounded up to whole array rows (what the ladders of
arXiv 2503.01025 report as memory used), which `channel_grain` expresses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from simulator.ir import Dims, Layer, Op, Program, Segment, Tensor, WeightBlock, Workload
from simulator.units import ceil_div

IMAGE_CHANNELS = 3
RESNET50_STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))
VGG16_STAGES = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
VGG19_STAGES = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))
MOBILENET_V1_BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)
MOBILENET_V2_BLOCKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, output channels, repeats and stride of the first (arXiv 1801.04381, table 2)."""


@dataclass
class _Writer:
    """Adds layers one by one; every method returns the tensor it writes."""

    name: str
    channel_grain: int = 1
    layers: list[Layer] = field(default_factory=list)

    def conv(self, x: Tensor, k: int, r: int, stride: int = 1, groups: int = 1) -> Tensor:
        """A convolution padded to keep the size, but for its stride."""
        _, c, height, width = x.shape
        p, q = ceil_div(height, stride), ceil_div(width, stride)
        dims = Dims(k=k, c=c, p=p, q=q, r=r, s=r, groups=groups, stride=(stride, stride))
        params = k * self._stored(c // groups) * r * r
        return self._add(Op.CONV2D, dims, (x,), (1, k, p, q), params)

    def linear(self, x: Tensor, k: int) -> Tensor:
        c = prod(x.shape)
        return self._add(Op.LINEAR, Dims(k=k, c=c), (x,), (1, k), k * self._stored(c))

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        _, c, p, q = x.shape
        return self._add(Op.ADD, Dims(k=c, c=c, p=p, q=q), (x, y), x.shape)

    def max_pool(self, x: Tensor, r: int) -> Tensor:
        """A pooling of stride 2."""
        _, c, height, width = x.shape
        p, q = ceil_div(height, 2), ceil_div(width, 2)
        dims = Dims(k=c, c=c, p=p, q=q, r=r, s=r, stride=(2, 2))
        return self._add(Op.MAX_POOL, dims, (x,), (1, c, p, q))

    def average(self, x: Tensor) -> Tensor:
        c = x.shape[1]
        dims = Dims(k=c, c=c, r=prod(x.shape[2:]))
        return self._add(Op.ADAPTIVE_AVG_POOL, dims, (x,), (1, c))

    def workload(self, x: Tensor, source: str) -> Workload:
        """The finished network that reads x."""
        segment = Segment(name=self.name, layers=tuple(self.layers))
        return Workload(
            name=self.name,
            description=f"{len(self.layers)} layers, normalisation and activation folded",
            source=source,
            program=Program(inputs=(x,), steps=(segment,)),
        )

    def _stored(self, channels: int) -> int:
        """Input channels as stored; images and depthwise filters are packed."""
        if channels <= IMAGE_CHANNELS:
            return channels
        return ceil_div(channels, self.channel_grain) * self.channel_grain

    def _add(
        self,
        op: Op,
        dims: Dims,
        ifmaps: tuple[Tensor, ...],
        shape: tuple[int, ...],
        params: int = 0,
    ) -> Tensor:
        name = f"{len(self.layers)}.{op.value}"
        weights = (WeightBlock(name=f"{name}.weight", params=params),) if params else ()
        ofmap = Tensor(name=name, shape=shape)
        self.layers.append(
            Layer(name=name, op=op, dims=dims, ifmaps=ifmaps, ofmap=ofmap, weights=weights)
        )
        return ofmap


def perceptron(widths: tuple[int, ...], channel_grain: int = 1) -> Workload:
    """Fully-connected layers of the given widths, input first."""
    net = _Writer("perceptron", channel_grain)
    start = x = Tensor(name="input", shape=(1, widths[0]))
    for width in widths[1:]:
        x = net.linear(x, width)
    return net.workload(start, "arXiv 2503.01025")


def convolutions(filters: int, channel_grain: int = 1) -> Workload:
    """Five 3x3 convolutions of so many filters on a 64x64 image."""
    net = _Writer("convolutions", channel_grain)
    start = x = _image(64)
    for _ in range(5):
        x = net.conv(x, filters, 3)
    return net.workload(start, "arXiv 2503.01025")


def vgg(stages: tuple[tuple[int, int], ...], channel_grain: int = 1) -> Workload:
    """VGG on 224 pixels (arXiv 1409.1556)."""
    net = _Writer("vgg", channel_grain)
    start = x = _image(224)
    for depth, channels in stages:
        for _ in range(depth):
            x = net.conv(x, channels, 3)
        x = net.max_pool(x, 2)
    for width in (4096, 4096, 1000):
        x = net.linear(x, width)
    return net.workload(start, "arXiv 1409.1556")


def resnet50(
    pixels: int,
    classes: int,
    channel_grain: int = 1,
    width_fraction: float = 1.0,
    small_stem: bool = False,
) -> Workload:
    """ResNet-50 (arXiv 1512.03385), stride in the 3x3 convolutions.

    `width_fraction` thins every layer alike; `small_stem` is the 3x3 stem of stride 1 without
    pooling that is used for CIFAR images.
    """
    net = _Writer("resnet50", channel_grain)
    start = _image(pixels)

    def thin(channels: int) -> int:
        return max(round(channels * width_fraction), 1)

    if small_stem:
        x = net.conv(start, thin(64), 3)
    else:
        x = net.max_pool(net.conv(start, thin(64), 7, stride=2), 3)
    for stage, (depth, channels) in enumerate(RESNET50_STAGES):
        for block in range(depth):
            stride = 2 if block == 0 and stage > 0 else 1
            shortcut = net.conv(x, thin(4 * channels), 1, stride) if block == 0 else x
            y = net.conv(x, thin(channels), 1)
            y = net.conv(y, thin(channels), 3, stride)
            x = net.add(net.conv(y, thin(4 * channels), 1), shortcut)
    net.linear(net.average(x), classes)
    return net.workload(start, "arXiv 1512.03385")


def mobilenet_v1(channel_grain: int = 1) -> Workload:
    """MobileNet v1 of full width on 224 pixels (arXiv 1704.04861)."""
    net = _Writer("mobilenet_v1", channel_grain)
    start = _image(224)
    x = net.conv(start, 32, 3, stride=2)
    for channels, stride in MOBILENET_V1_BLOCKS:
        x = net.conv(x, x.shape[1], 3, stride, groups=x.shape[1])
        x = net.conv(x, channels, 1)
    net.linear(net.average(x), 1000)
    return net.workload(start, "arXiv 1704.04861")


def mobilenet_v2(channel_grain: int = 1) -> Workload:
    """MobileNet v2 of full width on 224 pixels (arXiv 1801.04381)."""
    net = _Writer("mobilenet_v2", channel_grain)
    start = _image(224)
    x = net.conv(start, 32, 3, stride=2)
    for expansion, channels, repeats, first_stride in MOBILENET_V2_BLOCKS:
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            wide = expansion * x.shape[1]
            y = net.conv(x, wide, 1) if expansion > 1 else x
            y = net.conv(y, wide, 3, stride, groups=wide)
            y = net.conv(y, channels, 1)
            x = net.add(y, x) if repeat else y
    x = net.conv(x, 1280, 1)
    net.linear(net.average(x), 1000)
    return net.workload(start, "arXiv 1801.04381")


def _image(pixels: int) -> Tensor:
    return Tensor(name="input", shape=(1, IMAGE_CHANNELS, pixels, pixels))
