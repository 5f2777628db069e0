import pytest
import torch

from simulator.errors import WorkloadError
from workloads.data.dataset import TensorSource
from workloads.sigma_branch.adapters import adapter_for
from workloads.sigma_branch.distribute import (
    Distribution,
    DistributionConfig,
    Partition,
    distribute,
)
from workloads.sigma_branch.evaluate import evaluate_hard
from workloads.sigma_branch.infer import infer
from workloads.sigma_branch.shape import TreeShape
from workloads.sigma_branch.shape_search import FixedShape
from workloads.sigma_branch.ties import Tie


def build(model, source, depth, **settings) -> Distribution:
    rule = FixedShape(TreeShape.binary(depth))
    return distribute(adapter_for(model), source, DistributionConfig(rule=rule, **settings))


@pytest.mark.parametrize("tie", Tie)
def test_at_full_width_every_leaf_is_the_dense_network_bit_for_bit(
    family, depth, tie, dense, source
):
    model, examples = dense(family), source(family)
    tree = build(model, examples, depth, fractions=(1.0,) * depth, tie=tie).tree
    with torch.no_grad():
        expected = model(examples.inputs)
        output = tree(examples.inputs)
    for leaf in range(2**depth):
        assert torch.equal(output.logits[:, leaf], expected)


@pytest.mark.parametrize("recalibrate", [False, True])
def test_the_initialised_routers_take_every_sample_where_k_means_put_it(
    family, depth, recalibrate, dense, source
):
    examples = source(family)
    built = build(dense(family), examples, depth, recalibrate_norms=recalibrate)
    with torch.no_grad():
        leaf = infer(built.tree, examples.inputs[built.indices]).leaf
    assert torch.equal(leaf, built.paths[:, -1])


def test_every_number_of_a_specializer_comes_from_the_dense_network(family, depth, dense, source):
    built = build(dense(family), source(family), depth)
    known = {value for p in dense(family).state_dict().values() for value in p.flatten().tolist()}
    for name, value in built.tree.state_dict().items():
        if not name.startswith("router"):
            assert set(value.flatten().tolist()) <= known, name


def test_the_dense_network_is_left_as_it_was(dense, source):
    model = dense("basic").train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    build(model, source("basic"), 2, recalibrate_norms=True)
    assert model.training
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_the_same_seed_gives_the_same_tree(dense, source):
    one, two = (build(dense("basic"), source("basic"), 2, seed=3).tree for _ in range(2))
    pairs = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_specific_channels_are_those_the_branchs_samples_excite(dense, source):
    model, examples = dense("plain_cnn"), source("plain_cnn")
    built = build(model, examples, 1)
    sent = built.paths[:, 0]
    with torch.no_grad():
        pooled = adapter_for(model).dense_state(examples.inputs, 3).mean((2, 3))
    means = torch.stack([pooled[sent == branch].mean(0) for branch in range(2)])
    group = built.report.nodes[0].groups[0]
    assert torch.allclose(group.means.float(), means, atol=1e-5)
    # 20 channels / sqrt 2 = 14 kept, 7 of them shared: those with the largest minimum.
    assert (group.n_kept, group.n_shared) == (14, 7)
    first = built.plan.chosen[0][0]["out"]
    shared = means.amin(0).argsort(descending=True)[:7]
    assert set(first.index[first.shared].tolist()) == set(shared.tolist())
    assert group.n_overlap == 14 + 14 - 7 - len(
        set(group.branches[0].index.tolist()) | set(group.branches[1].index.tolist())
    )


def test_level_2_statistics_come_from_the_samples_of_the_branch_alone(dense, source):
    model, examples = dense("plain_cnn"), source("plain_cnn")
    built = build(model, examples, 2)
    with torch.no_grad():
        pooled = adapter_for(model).dense_state(examples.inputs, 3).mean((2, 3))
    node = next(n for n in built.report.nodes if (n.level, n.node) == (1, 1))
    for branch in range(2):
        mine = pooled[built.paths[:, 1] == 2 + branch]
        assert len(mine) == node.n_samples[branch]
        assert torch.allclose(node.groups[0].means[branch].float(), mine.mean(0), atol=1e-5)
    assert sum(node.n_samples) == int((built.paths[:, 0] == 1).sum())


def test_recalibrated_statistics_are_those_of_the_samples_that_arrive(dense, source):
    model, examples = dense("plain_cnn"), source("plain_cnn")
    built = build(model, examples, 1, recalibrate_norms=True)
    for branch in range(2):
        rows = (built.paths[:, 0] == branch).nonzero()[:, 0]
        with torch.no_grad():
            stage = built.tree.specializer(1, branch)
            seen = stage.conv1(built.tree.trunk(examples.inputs[rows]))
        assert torch.allclose(stage.bn1.running_mean, seen.mean((0, 2, 3)), atol=1e-5)
        assert torch.allclose(stage.bn1.running_var, seen.var((0, 2, 3)), rtol=1e-4)
        assert stage.bn1.momentum == 0.1
        assert not stage.bn1.training


def test_random_partition_deals_samples_regardless_of_their_latents(dense, source):
    built = build(dense("basic"), source("basic"), 2, partition=Partition.RANDOM)
    assert built.report.nodes[0].n_samples == (48, 48)
    assert [n.n_samples for n in built.report.nodes[1:]] == [(24, 24), (24, 24)]
    with torch.no_grad():
        leaf = infer(built.tree, source("basic").inputs).leaf
    assert not torch.equal(leaf, built.paths[:, -1])


def test_at_most_max_samples_are_looked_at(dense, source):
    built = build(dense("basic"), source("basic"), 1, max_samples=20)
    assert built.report.n_samples == 20
    assert sum(built.report.nodes[0].n_samples) == 20
    assert len(set(built.indices.tolist())) == 20


def test_uneven_tree_has_routers_only_where_there_is_a_choice(dense, source):
    shape = TreeShape(((2,), (1, 3)))
    examples = source("basic")
    config = DistributionConfig(rule=FixedShape(shape))
    built = distribute(adapter_for(dense("basic")), examples, config)
    assert built.tree.router(1, 0) is None
    # 4 leaves: width 32 / sqrt 4 at level 2.
    assert built.plan.chosen[1][0]["out"].index.shape == (16,)
    found = evaluate_hard(built.tree, examples)
    by_length = {len(route.arms) for route in found.routes}
    assert by_length == {1, 2}
    assert all(route.arms[0] == 1 for route in found.routes if len(route.arms) == 2)
    assert [shape.leaf_name(leaf) for leaf in range(4)] == ["A1", "B1", "B2", "B3"]


def test_report_becomes_plain_json(dense, source):
    import json

    report = build(dense("vit"), source("vit"), 2).report
    text = json.dumps(report.as_dict())
    assert json.loads(text)["nodes"][0]["groups"][0]["name"] == "hidden0"


def broken(model):
    with torch.no_grad():
        next(model.parameters()).fill_(torch.nan)
    return model


@pytest.mark.parametrize(
    ("n_samples", "change", "settings", "message"),
    [
        (0, None, {}, "set is empty"),
        (1, None, {}, "level 1, node 0: k-means: 1 samples for 2 clusters"),
        (2, None, {}, "level 2, node 0: k-means: 1 samples for 2 clusters"),
        (9, broken, {}, "level 1, node 0: k-means: latents are not finite"),
        (9, None, {"fractions": (0.5,)}, "must be 2 numbers"),
        (9, None, {"fractions": (0.5, 1.5)}, "at most 1"),
        (9, None, {"shared_fraction": 1.2}, "shared_fraction: 1.2: must be from 0 to 1"),
        (9, None, {"n_restarts": 0}, "must be at least 1"),
    ],
)
def test_bad_input_is_one_clear_line(n_samples, change, settings, message, dense):
    examples = TensorSource(
        torch.randn(n_samples, 3, 16, 16), torch.zeros(n_samples, dtype=torch.int64), lambda x: x
    )
    model = dense("basic") if change is None else change(dense("basic"))
    with pytest.raises(WorkloadError, match=message) as caught:
        build(model, examples, 2, **settings)
    assert "\n" not in str(caught.value)


def test_identical_samples_cannot_be_divided(dense):
    examples = TensorSource(
        torch.ones(9, 3, 16, 16), torch.zeros(9, dtype=torch.int64), lambda x: x
    )
    with pytest.raises(WorkloadError, match="level 1, node 0: k-means: the samples point in few"):
        build(dense("basic"), examples, 1)


def test_a_tree_deeper_than_the_network_is_refused(dense, source):
    # Its first stage begins with an identity shortcut, so two stages can be replaced.
    with pytest.raises(WorkloadError, match="depth 3: ResNet carries 1 to 2 levels"):
        build(dense("basic"), source("basic"), 3)


def test_a_network_of_no_known_family_is_refused():
    with pytest.raises(WorkloadError, match="Linear: cannot be rebuilt as a tree; known: ResNet"):
        adapter_for(torch.nn.Linear(2, 2))
