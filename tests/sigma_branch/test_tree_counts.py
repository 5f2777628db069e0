"""P_total and P_active of built trees against closed forms written from the architecture."""

from math import sqrt

import pytest
from torch import nn

from simulator.counts import count_program
from workloads.sigma_branch.adapters import adapter_for
from workloads.sigma_branch.grow import build_tree
from workloads.sigma_branch.shape import TreeShape
from workloads.sigma_branch.tracing import trace_tree

CLASSES = 6


def size(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def router(width: int) -> int:
    """Linear to 128 with bias, layer norm, linear to 2 with bias."""
    return width * 128 + 128 + 2 * 128 + 128 * 2 + 2


def bottlenecks(c: int, p: int, k: int, depth: int) -> int:
    first = c * p + 2 * p + 9 * p * p + 2 * p + p * k + 2 * k + c * k + 2 * k
    return first + (depth - 1) * (k * p + 2 * p + 9 * p * p + 2 * p + p * k + 2 * k)


def basics(c: int, p: int, k: int, depth: int) -> int:
    first = 9 * c * p + 2 * p + 9 * p * k + 2 * k + c * k + 2 * k
    return first + (depth - 1) * (9 * k * p + 2 * p + 9 * p * k + 2 * k)


def feed_forward(width: int, hidden: int) -> int:
    return 2 * width + 2 * width * hidden + hidden + width


def attention(width: int) -> int:
    return 2 * width + 4 * (width * width + width)


def point_mlp(c: int, widths: tuple[int, ...]) -> int:
    return sum(a * b + 2 * b for a, b in zip((c + 3, *widths[:-1]), widths, strict=True))


def levels(family: str, depth: int) -> list[tuple[int, int, int]]:
    """For each level: width read by its routers, parameters per node, parameters shared."""
    found = []
    for level in range(1, depth + 1):
        shrink = sqrt(2**level)
        above = sqrt(2 ** (level - 1))
        stage = (
            4 - depth + level
            if family in ("bottleneck", "plain_cnn", "pointnet2")
            else (3 - depth + level)
        )
        if family == "bottleneck":
            planes, depths = {1: 4, 2: 8, 3: 12, 4: 16}, {1: 1, 2: 2, 3: 2, 4: 1}
            c = round(4 * planes[stage - 1] / above)
            p, k = round(planes[stage] / shrink), round(4 * planes[stage] / shrink)
            found.append((c, bottlenecks(c, p, k, depths[stage]), 0))
        elif family == "basic":
            width = {1: 8, 2: 16, 3: 32}
            c, k = round(width[stage - 1] / above), round(width[stage] / shrink)
            found.append((c, basics(c, k, k, 2), 0))
        elif family == "plain_cnn":
            width = {1: 8, 2: 12, 3: 16, 4: 20}
            c, k = round(width[stage - 1] / above), round(width[stage] / shrink)
            found.append((c, 9 * c * k + 2 * k + 9 * k * k + 2 * k, 0))
        elif family == "vit":
            blocks = {1: 1, 2: 2, 3: 1}[stage]
            own = blocks * feed_forward(24, round(48 / shrink))
            found.append((24, own, blocks * attention(24)))
        else:
            out = {1: 128, 2: 256, 3: 1024, 4: 512}
            c = out[stage - 1] // (1 if level == 1 else 2)
            inner = {2: (128, 64), 3: (256, 256)}
            k = out[stage] // 2
            own = c * k + k + 2 * k if stage == 4 else point_mlp(c, (*inner[stage], k))
            found.append((c, own, 0))
    return found


def head(family: str, depth: int) -> int:
    shrink = sqrt(2**depth)
    if family == "pointnet2":
        return 256 * 128 + 128 + 2 * 128 + 128 * CLASSES + CLASSES
    width = {"bottleneck": 64, "basic": 32, "plain_cnn": 20}
    if family == "vit":
        return 2 * 24 + 24 * CLASSES + CLASSES
    return round(width[family] / shrink) * CLASSES + CLASSES


def test_p_total_and_p_active_equal_the_closed_form(family, depth, dense, source):
    model = dense(family)
    tree = build_tree(adapter_for(model), TreeShape.binary(depth))
    trunk = size(tree.trunk)
    parts = levels(family, depth)
    total = trunk + sum(
        2 ** (level - 1) * router(width) + 2**level * own + shared
        for level, (width, own, shared) in enumerate(parts, start=1)
    )
    total += 2**depth * head(family, depth)
    without_routers = trunk + sum(own + shared for _, own, shared in parts) + head(family, depth)
    active = without_routers + sum(router(width) for width, _, _ in parts)
    counts = count_program(trace_tree(tree, source(family).inputs[:1].shape), 32)
    assert counts.params_total == total == size(tree)
    assert [r.params_active for r in counts.routes] == [active] * 2**depth
    assert [r.params_active_eq4 for r in counts.routes] == [without_routers] * 2**depth


def test_trunk_is_the_dense_networks_early_part(dense):
    model = dense("bottleneck")
    trunk = build_tree(adapter_for(model), TreeShape.binary(2)).trunk
    early = {
        k: v for k, v in model.state_dict().items() if not k.startswith(("layer3", "layer4", "fc"))
    }
    assert {k: v.tolist() for k, v in trunk.state_dict().items()} == {
        k: v.tolist() for k, v in early.items()
    }


@pytest.mark.parametrize(
    ("arities", "message"),
    [
        ((), "has no level"),
        (((2,), (2,)), "level 1: children .2,.: there must be 2"),
        (((2,), (2, 0)), "each at least 1"),
        (((2, 2),), "level 0"),
    ],
)
def test_a_shape_that_does_not_fit_together_is_refused(arities, message):
    from simulator.errors import WorkloadError

    with pytest.raises(WorkloadError, match=message):
        TreeShape(arities)


def test_nodes_of_a_shape():
    shape = TreeShape(((2,), (1, 3), (1, 1, 2, 1)))
    assert [shape.n_nodes(level) for level in range(4)] == [1, 2, 4, 5]
    assert list(shape.children(2, 2)) == [2, 3]
    assert shape.ancestors(3) == (1, 2, 3)
    assert [shape.leaf_name(leaf) for leaf in range(5)] == ["A1.1", "B1.1", "B2.1", "B2.2", "B3.1"]
    assert [TreeShape.binary(2).leaf_name(leaf) for leaf in range(4)] == ["A1", "A2", "B1", "B2"]
