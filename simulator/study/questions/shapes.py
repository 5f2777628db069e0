"""`study shapes`: other trees on the same axes: depth, a shape from data, ViT, PointNet++."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.study.questions.lab import Lab, Point
from simulator.study.questions.question import Question, Row, distinct, number, percent, where
from simulator.study.questions.regime import RULE
from simulator.study.questions.saving import (
    COMMON_BLOCKS,
    COMPUTE_BOUND,
    DENSE,
    POLICY_NOTE,
    SAVING_COLUMNS,
    TREE,
    WEIGHT_BOUND,
    policies,
    realizable,
    savings,
)

ON_DEMAND, ORACLE = "on_demand", "oracle"
SEARCHED = "sigmab_resnet50_searched"
SHAPES = {
    "sigmab_resnet50_depth1": ("ResNet-50, 1 level", DENSE),
    TREE: ("ResNet-50, 2 levels", DENSE),
    "sigmab_resnet50_depth3": ("ResNet-50, 3 levels", DENSE),
    SEARCHED: ("ResNet-50, shape from data", DENSE),
    "sigmab_vit_small": ("ViT hybrid", "dense_vit_small"),
    "sigmab_pointnet2": ("PointNet++", "dense_pointnet2"),
}
"""Trees by workload: what they are called, and the dense network they came from."""
TIED = {
    "sigmab_resnet50_depth1": "sigmab_resnet50_depth1_tied",
    TREE: "sigmab_resnet50_tied",
    "sigmab_resnet50_depth3": "sigmab_resnet50_depth3_tied",
}
"""The same trees with siblings that hold weights in common, for the policy that fetches these."""
DEVICES = (WEIGHT_BOUND, COMPUTE_BOUND)
QUICK = (TREE,)
COLUMNS = ("device", "shape", "workload", "dense", "policy", *SAVING_COLUMNS)


def collect(lab: Lab, quick: bool) -> list[Row]:
    """Every shape under every policy on both devices."""
    devices = DEVICES[:1] if quick else DEVICES
    names = QUICK if quick else tuple(SHAPES)
    asked = [
        (device, name, policy)
        for device in devices
        for name in names
        for policy in policies()
        if policy != COMMON_BLOCKS or name in TIED
    ]
    dense = [Point(device, SHAPES[name][1]) for device, name, _ in asked]
    trees = [
        Point(device, TIED[name] if policy == COMMON_BLOCKS else name, policy)
        for device, name, policy in asked
    ]
    found = savings(lab, dense, trees)
    return [
        {
            "device": device.name,
            "shape": SHAPES[name][0],
            "workload": tree.workload,
            "dense": SHAPES[name][1],
            "policy": policy,
            **row,
        }
        for (device, name, policy), tree, row in zip(asked, trees, found, strict=True)
    ]


def claims(rows: Sequence[Row]) -> list[str]:
    """What each shape delivers of what it promises."""
    feasible = where(rows, reason="")
    texts = [
        _one(where(feasible, device=device, shape=shape))
        for device in distinct(feasible, "device")
        for shape in distinct(where(feasible, device=device), "shape")
    ]
    return [_headline(feasible), *texts]


def _headline(rows: Sequence[Row]) -> str:
    """The most and the least that arrives, over all shapes, with policies a device can follow."""
    parts = []
    for device in distinct(rows, "device"):
        best = [
            _best(where(rows, device=device, shape=s))
            for s in distinct(where(rows, device=device), "shape")
        ]
        best.sort(key=lambda row: -number(row, "latency_saving_percent"))
        most, least = best[0], best[-1]
        parts.append(
            f"on {device}, {most['shape']} saves most "
            f"({percent(number(most, 'latency_saving_percent'))} of latency, "
            f"{percent(number(most, 'active_parameter_saving_percent'))} promised) and "
            f"{least['shape']} least ({percent(number(least, 'latency_saving_percent'))}, "
            f"{percent(number(least, 'active_parameter_saving_percent'))} promised)"
        )
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _best(rows: Sequence[Row]) -> Row:
    """The fastest that a device can follow."""
    real = [row for row in rows if realizable(str(row["policy"]))]
    return max(real, key=lambda row: number(row, "latency_saving_percent"))


def _one(rows: Sequence[Row]) -> str:
    (demand,), best = where(rows, policy=ON_DEMAND), _best(rows)
    (oracle,) = where(rows, policy=ORACLE)
    guessed = f"{percent(number(best, 'latency_saving_percent'))} with {best['policy']}"
    if best["policy"] == ON_DEMAND:
        guessed = "no guess is faster"
    return (
        f"{demand['shape']} on {demand['device']} (dense is {demand['regime']}): "
        f"{percent(number(demand, 'active_parameter_saving_percent'))} fewer active parameters and "
        f"{percent(number(demand, 'mac_saving_percent'))} fewer MACs become "
        f"{percent(number(demand, 'latency_saving_percent'))} of latency on demand, "
        f"{guessed}, "
        f"{percent(number(oracle, 'latency_saving_percent'))} if the route were known; "
        f"{percent(number(demand, 'energy_saving_percent'))} of energy on demand."
    )


QUESTION = Question(
    name="shapes",
    title="Other trees on the same axes",
    asks="what trees of other depths, a shape found from data, a ViT hybrid and PointNet++ deliver",
    method=(
        "Each tree against the dense network it came from, on the two devices of the README. "
        "Trees of one and three levels follow the paper's widths at that depth. The shape from "
        "data is the one that the gap statistic finds for a small residual network on procedural "
        "images (its level-1 nodes have two and one children), and its leaf shares are those "
        "measured there: it shows what an irregular tree costs, not what ImageNet calls for. The "
        "ViT hybrid has dense attention and tree-structured feed-forward layers. None of the trees "
        "but the paper's is trained here, so accuracy is not weighed against cost. "
        f"{POLICY_NOTE}\n\n{RULE}"
    ),
    columns=COLUMNS,
    shown=(
        ("device", "device"),
        ("shape", "tree"),
        ("regime", "regime"),
        ("policy", "policy"),
        ("active_parameter_saving_percent", "fewer active %"),
        ("mac_saving_percent", "MACs saved %"),
        ("latency_saving_percent", "latency saved %"),
        ("energy_saving_percent", "energy saved %"),
        ("dense_latency_ms", "dense ms"),
        ("latency_ms", "tree ms"),
        ("reason", "infeasible because"),
    ),
    collect=collect,
    claims=claims,
)
