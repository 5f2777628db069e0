from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from workloads.data.dataset import TensorSource
from workloads.models.plain_cnn import PlainCNN
from workloads.models.pointnet2 import Grouping, PointGrid, PointNet2
from workloads.models.resnet import Bottleneck, ResNet, Stem, small_resnet
from workloads.models.vit import ViT, ViTShape

N_CLASSES = 6
N_SAMPLES = 96


@dataclass(frozen=True)
class Family:
    """A small network of one family, with the shape of its inputs."""

    make: Callable[[], nn.Module]
    input_shape: tuple[int, ...]
    depths: tuple[int, ...]


IMAGE = (3, 16, 16)
GRID = PointGrid(Grouping(32, 0.4, 8), Grouping(16, 0.8, 8))
FAMILIES = {
    "bottleneck": Family(
        lambda: ResNet(Bottleneck, (1, 2, 2, 1), (4, 8, 12, 16), Stem.CIFAR, N_CLASSES),
        IMAGE,
        (1, 2, 3),
    ),
    "basic": Family(lambda: small_resnet(N_CLASSES, 2, 8), IMAGE, (1, 2)),
    "plain_cnn": Family(lambda: PlainCNN((8, 12, 16, 20), N_CLASSES), IMAGE, (1, 2, 3)),
    "pointnet2": Family(lambda: PointNet2(N_CLASSES, GRID), (3, 64), (1, 2, 3)),
    "vit": Family(
        lambda: ViT(ViTShape(16, 4, 3, 24, 3, (1, 2, 1), 48), N_CLASSES), IMAGE, (1, 2, 3)
    ),
}
CASES = [(name, depth) for name, family in FAMILIES.items() for depth in family.depths]


def stirred(name: str) -> nn.Module:
    """The family's network in eval mode, with norms as different as training leaves them."""
    torch.manual_seed(7)
    model = FAMILIES[name].make().eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0.0, 0.1)
                module.running_mean.normal_(0.0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
    return model


def source_of(inputs: Tensor) -> TensorSource:
    return TensorSource(inputs, torch.arange(len(inputs)) % N_CLASSES, lambda stored: stored)


@pytest.fixture
def dense():
    """Makes a stirred network by family name."""
    return stirred


@pytest.fixture
def source():
    """Makes examples for a family by name."""

    def make(name: str, n_samples: int = N_SAMPLES) -> TensorSource:
        generator = torch.Generator().manual_seed(11)
        return source_of(torch.randn(n_samples, *FAMILIES[name].input_shape, generator=generator))

    return make


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `family` and `depth` runs on every family at every depth."""
    if {"family", "depth"} <= set(metafunc.fixturenames):
        metafunc.parametrize(("family", "depth"), CASES, ids=lambda value: str(value))
    elif "family" in metafunc.fixturenames:
        metafunc.parametrize("family", FAMILIES)
