"""One file per family of dense networks: how it is cut into trunk, stages and head."""

from __future__ import annotations

from typing import Any

from torch import nn

from simulator.errors import WorkloadError
from workloads.models.plain_cnn import PlainCNN
from workloads.models.pointnet2 import PointNet2
from workloads.models.resnet import ResNet
from workloads.models.vit import ViT
from workloads.sigma_branch.adapters.base import Adapter
from workloads.sigma_branch.adapters.plain_cnn import PlainCNNAdapter
from workloads.sigma_branch.adapters.pointnet2 import PointNet2Adapter
from workloads.sigma_branch.adapters.resnet import ResNetAdapter
from workloads.sigma_branch.adapters.vit import ViTAdapter

FAMILIES: dict[type[nn.Module], type[Adapter[Any]]] = {
    ResNet: ResNetAdapter,
    PointNet2: PointNet2Adapter,
    PlainCNN: PlainCNNAdapter,
    ViT: ViTAdapter,
}


def adapter_for(dense: nn.Module) -> Adapter[Any]:
    """The adapter of a dense network's family.

    Raises:
        WorkloadError: a network of no known family.
    """
    family = FAMILIES.get(type(dense))
    if family is None:
        known = ", ".join(model.__name__ for model in FAMILIES)
        raise WorkloadError(f"{type(dense).__name__}: cannot be rebuilt as a tree; known: {known}")
    return family(dense)
