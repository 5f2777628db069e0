import pytest
import torch
from torch import nn

from simulator.counts import count_program
from simulator.ir import Branch
from workloads.catalogue import trace_workload
from workloads.models.resnet import resnet50
from workloads.sigma_branch.adapters import adapter_for
from workloads.sigma_branch.distribute import DistributionConfig, distribute
from workloads.sigma_branch.grow import build_tree
from workloads.sigma_branch.loss import SigmaBranchLoss
from workloads.sigma_branch.plan import tie_tree, untrained_plan
from workloads.sigma_branch.shape import TreeShape
from workloads.sigma_branch.shape_search import FixedShape
from workloads.sigma_branch.ties import Tie, TiedConv2d
from workloads.sigma_branch.tracing import Origin, tree_workload


def built(dense, source, family: str, tie: Tie, depth: int = 2):
    config = DistributionConfig(rule=FixedShape(TreeShape.binary(depth)), tie=tie)
    return distribute(adapter_for(dense(family)), source(family), config)


def sizes(tree: nn.Module) -> dict[int, int]:
    return {id(p): p.numel() for p in tree.parameters()}


@pytest.mark.parametrize("tie", Tie)
def test_ties_change_no_output(family, tie, dense, source):
    examples = source(family)
    free, tied = (built(dense, source, family, t).tree for t in (Tie.NONE, tie))
    with torch.no_grad():
        one, two = free(examples.inputs), tied(examples.inputs)
    assert torch.equal(one.logits, two.logits)
    assert torch.equal(one.log_leaf, two.log_leaf)


@pytest.mark.parametrize("tie", [Tie.SHARED_CHANNELS, Tie.PLANES_AND_SHARED])
def test_what_is_tied_is_stored_once(family, tie, dense, source):
    free = built(dense, source, family, Tie.NONE)
    tied = built(dense, source, family, tie)
    saved = sum(sizes(free.tree).values()) - sum(sizes(tied.tree).values())
    assert saved == tied.report.n_tied > 0  # pairs of siblings: one of two copies is saved


def test_resnet50_siblings_start_three_quarters_identical():
    with torch.device("meta"):
        adapter = adapter_for(resnet50(1000))
        shape = TreeShape.binary(2)
        plan = untrained_plan(adapter, shape, Tie.PLANES_AND_SHARED)
        tree = build_tree(adapter, shape)
        whole = [
            sum(p.numel() for p in tree.specializer(level, 0).parameters()) for level in (1, 2)
        ]
        tie_tree(tree, adapter, plan)
    tied = [
        sum(m.tied.numel() for m in tree.specializer(level, 0).modules() if hasattr(m, "tied"))
        for level in (1, 2)
    ]
    assert whole == [3_688_418, 4_018_176]
    # Convolutions only; batch norms stay each branch's own.
    assert tied == [2_767_852, 2_980_864]
    assert tree.heads[0].fc.tied.numel() == 512 * 1000


def test_tied_program_stores_one_block_for_both_arms():
    free, tied = (trace_workload(n).program for n in ("sigmab_resnet50", "sigmab_resnet50_tied"))
    saved = count_program(free, 8).params_total - count_program(tied, 8).params_total
    # One level-1 pair, two level-2 pairs, two pairs of heads.
    assert saved == 2_767_852 + 2 * 2_980_864 + 2 * 512_000
    routes = zip(count_program(free, 8).routes, count_program(tied, 8).routes, strict=True)
    assert all(a.params_active == b.params_active for a, b in routes)
    branch = next(step for step in tied.steps if isinstance(step, Branch))
    arms = [
        {b.name: b.params for layer in arm.steps[0].layers for b in layer.weights}
        for arm in branch.arms
    ]
    common = arms[0].keys() & arms[1].keys()
    assert sum(arms[0][name] for name in common) == 2_767_852
    assert all(name.endswith(".tied") for name in common)


def test_a_built_tied_tree_traces_with_its_measured_shares(dense, source):
    tree = built(dense, source, "basic", Tie.PLANES_AND_SHARED).tree
    origin = Origin("small tree", "seed 0", (0.4, 0.1, 0.2, 0.3), "random images")
    workload = tree_workload("small", tree, (1, 3, 16, 16), origin)
    assert workload.leaf_shares == (0.4, 0.1, 0.2, 0.3)
    counts = count_program(workload.program, 8)
    assert counts.params_total == sum(sizes(tree).values())


def test_tied_parts_stay_equal_through_training_and_own_parts_drift(dense, source):
    tree = built(dense, source, "basic", Tie.PLANES_AND_SHARED).tree.train()
    examples = source("basic")
    optimizer = torch.optim.SGD(tree.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    for _ in range(3):
        optimizer.zero_grad()
        SigmaBranchLoss()(tree, examples.inputs, examples.targets)[0].backward()
        optimizer.step()
    first, second = (tree.specializer(1, branch)[0].conv2 for branch in range(2))
    assert isinstance(first, TiedConv2d)
    assert first.tied is second.tied
    assert first.tied.grad.abs().sum() > 0
    assert not torch.equal(first.own_rows, second.own_rows)
    rows = [conv.row_order < len(conv.tied) for conv in (first, second)]
    assert torch.equal(first.weight()[rows[0]], second.weight()[rows[1]])


@pytest.mark.parametrize(
    ("rows", "columns"), [("1011", "111"), ("1111", "010"), ("0101", "110"), ("1111", "111")]
)
def test_a_weight_is_put_together_as_it_was(rows, columns):
    conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)
    masks = [torch.tensor([c == "1" for c in mask]) for mask in (rows, columns)]
    tied = TiedConv2d(conv, *masks)
    assert torch.equal(tied.weight(), conv.weight)
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(tied(x), conv(x))
    assert tied.tied.shape[:2] == (rows.count("1"), columns.count("1"))
