"""The shipped workloads by name: how each is built and where its figures come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from simulator.errors import WorkloadError
from simulator.ir import Workload
from simulator.validation import nearest
from workloads.models.pointnet2 import CANONICAL_GRID, WIDE_GRID, PointGrid, PointNet2
from workloads.models.resnet import Stem, resnet50
from workloads.models.vit import ViT, ViTShape
from workloads.sigma_branch.adapters import adapter_for
from workloads.sigma_branch.grow import build_tree
from workloads.sigma_branch.plan import rebuild, untrained_plan
from workloads.sigma_branch.shape import TreeShape
from workloads.sigma_branch.ties import Tie
from workloads.sigma_branch.tracing import trace_tree
from workloads.sigma_branch.tree import SigmaBTree
from workloads.trace import trace_dense

PAPER = "arXiv 2606.09924v1"


@dataclass(frozen=True)
class Entry:
    """One shipped workload.

    Attributes:
        description: what it is, for people.
        source: where its architecture is defined.
        input_shape: batch of one.
        build: creates the module (on the device that is current when called).
        leaf_shares_percent: how often each leaf is taken, as published.
        leaf_shares_source: where that is published, or that it is assumed.
    """

    description: str
    source: str
    input_shape: tuple[int, ...]
    build: Callable[[], nn.Module]
    leaf_shares_percent: tuple[float, ...] = (100.0,)
    leaf_shares_source: str = "a single path"


def _sigmab_resnet50(n_classes: int, stem: Stem) -> SigmaBTree:
    return build_tree(adapter_for(resnet50(n_classes, stem)), TreeShape.binary(2))


def _resnet50_tree(shape: TreeShape) -> SigmaBTree:
    return build_tree(adapter_for(resnet50(1000, Stem.IMAGENET)), shape)


def _tied_resnet50(tie: Tie, depth: int = 2) -> SigmaBTree:
    """The ImageNet tree with tied siblings; which channels are shared changes no size."""
    adapter = adapter_for(resnet50(1000, Stem.IMAGENET))
    shape = TreeShape.binary(depth)
    return rebuild(adapter, untrained_plan(adapter, shape, tie))


def _sigmab_pointnet2(grid: PointGrid) -> SigmaBTree:
    return build_tree(adapter_for(PointNet2(40, grid)), TreeShape.binary(2))


def _sigmab_vit() -> SigmaBTree:
    return build_tree(adapter_for(ViT(_VIT_SMALL, 1000)), TreeShape.binary(2))


def _even(n_leaves: int) -> tuple[float, ...]:
    return (100.0 / n_leaves,) * n_leaves


_VIT_SMALL = ViTShape(224, 16, 3, 384, 6, (4, 4, 4), 1536)
_VIT_SOURCE = "sizes of ViT-S/16 (arXiv 2012.12877), mean over tokens instead of a class token"
_POINTS = (1, 3, 1024)
_IMAGENET_SHARES = (16.6, 30.8, 17.6, 35.1)
_IMAGENET_SHARES_SOURCE = f"{PAPER} table VI, default; printed shares sum to 100.1 %, normalised"
_IMAGE = (1, 3, 224, 224)
_OTHER_DEPTH = f"{PAPER} section III, widths at any depth; not a shape the paper evaluates"
_UNTRAINED = "assumed: uniform, not trained"
_SEARCHED_BY = "build --model resnet_small --data shapes --size small --shape-from-data gap"
_UNIFORM = (25.0, 25.0, 25.0, 25.0)
_ASSUMED = f"assumed: uniform, {PAPER} prints no leaf use for ModelNet40"
_WIDE = "the grid 512x64, 256x32, within 1.2 % of the FLOPs printed in table III"

CATALOGUE: dict[str, Entry] = {
    "dense_resnet50": Entry(
        "ResNet-50 v1.5 for ImageNet-1K, 224x224",
        "arXiv 1512.03385, stride on the 3x3 convolution",
        (1, 3, 224, 224),
        lambda: resnet50(1000, Stem.IMAGENET),
    ),
    "sigmab_resnet50": Entry(
        "SigmaB-Net of ResNet-50 for ImageNet-1K, 224x224, 2 levels, 4 leaves",
        f"{PAPER} section III, table III",
        (1, 3, 224, 224),
        lambda: _sigmab_resnet50(1000, Stem.IMAGENET),
        _IMAGENET_SHARES,
        _IMAGENET_SHARES_SOURCE,
    ),
    "sigmab_resnet50_tied_channels": Entry(
        "sigmab_resnet50 whose siblings hold the weights of their shared channels in common",
        f"{PAPER} section III, table III; ties are this project's",
        (1, 3, 224, 224),
        lambda: _tied_resnet50(Tie.SHARED_CHANNELS),
        _IMAGENET_SHARES,
        _IMAGENET_SHARES_SOURCE,
    ),
    "sigmab_resnet50_tied": Entry(
        "sigmab_resnet50 whose siblings hold shared channels and planes in common",
        f"{PAPER} section III, table III; ties are this project's",
        (1, 3, 224, 224),
        lambda: _tied_resnet50(Tie.PLANES_AND_SHARED),
        _IMAGENET_SHARES,
        _IMAGENET_SHARES_SOURCE,
    ),
    "sigmab_resnet50_depth1": Entry(
        "SigmaB-Net of ResNet-50 for ImageNet-1K, 224x224, 1 level, 2 leaves",
        _OTHER_DEPTH,
        _IMAGE,
        lambda: _resnet50_tree(TreeShape.binary(1)),
        _even(2),
        _UNTRAINED,
    ),
    "sigmab_resnet50_depth1_tied": Entry(
        "sigmab_resnet50_depth1 whose siblings hold shared channels and planes in common",
        f"{_OTHER_DEPTH}; ties are this project's",
        _IMAGE,
        lambda: _tied_resnet50(Tie.PLANES_AND_SHARED, 1),
        _even(2),
        _UNTRAINED,
    ),
    "sigmab_resnet50_depth3": Entry(
        "SigmaB-Net of ResNet-50 for ImageNet-1K, 224x224, 3 levels, 8 leaves",
        _OTHER_DEPTH,
        _IMAGE,
        lambda: _resnet50_tree(TreeShape.binary(3)),
        _even(8),
        _UNTRAINED,
    ),
    "sigmab_resnet50_depth3_tied": Entry(
        "sigmab_resnet50_depth3 whose siblings hold shared channels and planes in common",
        f"{_OTHER_DEPTH}; ties are this project's",
        _IMAGE,
        lambda: _tied_resnet50(Tie.PLANES_AND_SHARED, 3),
        _even(8),
        _UNTRAINED,
    ),
    "sigmab_resnet50_searched": Entry(
        "SigmaB-Net of ResNet-50 for ImageNet-1K, 224x224, 2 levels, 3 leaves: as many children "
        "as the gap statistic finds",
        f"{PAPER} section VI-D names the direction; {_SEARCHED_BY}",
        _IMAGE,
        lambda: _resnet50_tree(TreeShape(((2,), (2, 1)))),
        (33.35, 66.65, 0.0),
        f"measured on another network: {_SEARCHED_BY}",
    ),
    "dense_resnet50_cifar100": Entry(
        "ResNet-50 v1.5 with the CIFAR stem for CIFAR-100, 32x32",
        f"{PAPER} table III",
        (1, 3, 32, 32),
        lambda: resnet50(100, Stem.CIFAR),
    ),
    "sigmab_resnet50_cifar100": Entry(
        "SigmaB-Net of ResNet-50 for CIFAR-100, 32x32, 2 levels, 4 leaves",
        f"{PAPER} section III, table III",
        (1, 3, 32, 32),
        lambda: _sigmab_resnet50(100, Stem.CIFAR),
        (20.0, 23.6, 13.9, 42.6),
        f"{PAPER}, CIFAR-100 leaf use; printed shares sum to 100.1 %, normalised",
    ),
    "dense_pointnet2": Entry(
        "PointNet++ (single-scale grouping, 512x32, 128x64) for ModelNet40, 1,024 points",
        "arXiv 1706.02413 appendix B.1",
        _POINTS,
        lambda: PointNet2(40, CANONICAL_GRID),
    ),
    "sigmab_pointnet2": Entry(
        "SigmaB-Net of PointNet++ (512x32, 128x64) for ModelNet40, 1,024 points",
        f"{PAPER} section III, table III",
        _POINTS,
        lambda: _sigmab_pointnet2(CANONICAL_GRID),
        _UNIFORM,
        _ASSUMED,
    ),
    "dense_pointnet2_wide": Entry(
        f"PointNet++ for ModelNet40 with {_WIDE}",
        "arXiv 1706.02413 appendix B.1, other grid",
        _POINTS,
        lambda: PointNet2(40, WIDE_GRID),
    ),
    "sigmab_pointnet2_wide": Entry(
        f"SigmaB-Net of PointNet++ for ModelNet40 with {_WIDE}",
        f"{PAPER} section III, table III, other grid",
        _POINTS,
        lambda: _sigmab_pointnet2(WIDE_GRID),
        _UNIFORM,
        _ASSUMED,
    ),
    "dense_vit_small": Entry(
        "vision transformer for ImageNet-1K, 224x224, patches of 16, 12 blocks of width 384",
        _VIT_SOURCE,
        (1, 3, 224, 224),
        lambda: ViT(_VIT_SMALL, 1000),
    ),
    "sigmab_vit_small": Entry(
        "dense_vit_small with dense attention and tree-structured feed-forward layers, "
        "2 levels of 4 blocks",
        f"{_VIT_SOURCE}; {PAPER} section VI-D names the direction",
        (1, 3, 224, 224),
        _sigmab_vit,
        _UNIFORM,
        _UNTRAINED,
    ),
}


def trace_workload(name: str) -> Workload:
    """Build the named network without weights and trace it.

    Raises:
        WorkloadError: no shipped workload has that name.
    """
    entry = CATALOGUE.get(name)
    if entry is None:
        raise WorkloadError(
            f"workload {name!r}: unknown{nearest(name, CATALOGUE)}; shipped: {', '.join(CATALOGUE)}"
        )
    with torch.device("meta"):
        model = entry.build()
    if isinstance(model, SigmaBTree):
        program = trace_tree(model, entry.input_shape)
    else:
        program = trace_dense(model, entry.input_shape)
    total = sum(entry.leaf_shares_percent)
    return Workload(
        name=name,
        description=entry.description,
        source=entry.source,
        leaf_shares=tuple(share / total for share in entry.leaf_shares_percent),
        leaf_shares_source=entry.leaf_shares_source,
        program=program,
    )
