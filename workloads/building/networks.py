"""The dense networks that can be built by name, each fitted to a data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import nn

from simulator.errors import WorkloadError
from simulator.validation import nearest
from workloads.data.dataset import Dataset
from workloads.data.seeds import Stream, derive_seed
from workloads.models.plain_cnn import PlainCNN
from workloads.models.pointnet2 import (
    CANONICAL_GRID,
    WIDE_GRID,
    Grouping,
    PointGrid,
    PointNet2,
)
from workloads.models.resnet import Stem, resnet50, small_resnet
from workloads.models.vit import ViT, ViTShape

SMALL_GRID = PointGrid(Grouping(64, 0.3, 16), Grouping(16, 0.6, 16))
"""For clouds of a few hundred points: an eighth of the canonical centroids."""
_CIFAR_LARGEST_PX = 64


class InputKind(StrEnum):
    """What one example is."""

    IMAGE = "images"
    CLOUD = "point clouds"


@dataclass(frozen=True)
class Network:
    """A dense network by name.

    Attributes:
        kind: what it reads.
        fewest_points: least points of a cloud it can group, 1 for images.
        make: builds it for a number of classes and the shape of one input.
    """

    kind: InputKind
    make: Callable[[int, tuple[int, ...]], nn.Module]
    fewest_points: int = 1


def _resnet50(n_classes: int, shape: tuple[int, ...]) -> nn.Module:
    return resnet50(n_classes, Stem.CIFAR if shape[1] <= _CIFAR_LARGEST_PX else Stem.IMAGENET)


def _vit_small(n_classes: int, shape: tuple[int, ...]) -> nn.Module:
    try:
        return ViT(ViTShape(image_size=shape[1], in_channels=shape[0]), n_classes)
    except ValueError as error:
        raise WorkloadError(f"model 'vit_small': {error}") from None


NETWORKS: dict[str, Network] = {
    "resnet50": Network(InputKind.IMAGE, _resnet50),
    "resnet_small": Network(InputKind.IMAGE, lambda n, s: small_resnet(n, in_channels=s[0])),
    "resnet_tiny": Network(InputKind.IMAGE, lambda n, s: small_resnet(n, 1, 8, s[0])),
    "plain_cnn": Network(InputKind.IMAGE, lambda n, s: PlainCNN((16, 32, 64), n, s[0])),
    "vit_small": Network(InputKind.IMAGE, _vit_small),
    "pointnet2": Network(InputKind.CLOUD, lambda n, _: PointNet2(n, CANONICAL_GRID), 512),
    "pointnet2_wide": Network(InputKind.CLOUD, lambda n, _: PointNet2(n, WIDE_GRID), 512),
    "pointnet2_small": Network(
        InputKind.CLOUD, lambda n, _: PointNet2(n, SMALL_GRID, divisor=4, dropout=0.2), 64
    ),
}


def make_network(name: str, dataset: Dataset, seed: int) -> nn.Module:
    """The named network for a data set's inputs and classes; same seed, same weights.

    Raises:
        WorkloadError: no network of that name, or one that cannot read such inputs.
    """
    network = NETWORKS.get(name)
    if network is None:
        raise WorkloadError(
            f"model {name!r}: unknown{nearest(name, NETWORKS)}; there are {', '.join(NETWORKS)}"
        )
    shape = dataset.input_shape
    kind = InputKind.IMAGE if len(shape) == 3 else InputKind.CLOUD
    if kind is not network.kind:
        raise WorkloadError(f"model {name!r} reads {network.kind}, {dataset.name!r} holds {kind}")
    if kind is InputKind.CLOUD and shape[1] < network.fewest_points:
        raise WorkloadError(
            f"model {name!r} groups {network.fewest_points} points or more, {dataset.name!r} has "
            f"clouds of {shape[1]}; take a larger size or 'pointnet2_small'"
        )
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(seed, Stream.MODEL))
        return network.make(dataset.n_classes, shape)
