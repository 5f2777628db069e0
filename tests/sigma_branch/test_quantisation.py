import pytest
import torch
from torch import nn

from simulator.errors import WorkloadError
from simulator.steps import Steps
from workloads.quantisation.activations import ActivationRanges, calibrate
from workloads.quantisation.evaluate import Arithmetic, evaluate_widths
from workloads.quantisation.nodes import node_names, quantised_tree, tied_nodes
from workloads.quantisation.weights import WIDTHS, ScaleRule, fake_quantise
from workloads.sigma_branch.adapters import adapter_for
from workloads.sigma_branch.all_paths import evaluate_all_paths
from workloads.sigma_branch.distribute import DistributionConfig, distribute
from workloads.sigma_branch.shape import TreeShape
from workloads.sigma_branch.shape_search import FixedShape
from workloads.sigma_branch.ties import Tie


@pytest.fixture(scope="module", params=["basic", "pointnet2"])
def tree_and_examples(request):
    from tests.sigma_branch.conftest import FAMILIES, source_of, stirred

    generator = torch.Generator().manual_seed(11)
    shape = FAMILIES[request.param].input_shape
    examples = source_of(torch.randn(96, *shape, generator=generator))
    config = DistributionConfig(rule=FixedShape(TreeShape.binary(2)))
    adapter = adapter_for(stirred(request.param))
    return distribute(adapter, examples, config).tree.eval(), examples


def test_a_small_tensor_by_hand():
    weight = torch.tensor([[0.7, -0.26, 0.05], [-14.0, 7.1, 1.0], [0.0, 0.0, 0.0]])
    # 4 bits: integers -7..7. Row 0: scale 0.1, -2.6 rounds to -3, 0.5 to the even 0.
    # Row 1: scale 2, 7.1/2 = 3.55 to 4, 0.5 to 0. Row 2 stays zero.
    expected = torch.tensor([[0.7, -0.3, 0.0], [-14.0, 8.0, 0.0], [0.0, 0.0, 0.0]])
    assert torch.allclose(fake_quantise(weight, 4, ScaleRule.MAX_ABS), expected, atol=1e-6)


def test_a_convolutions_channels_have_their_own_scales():
    weight = torch.randn(5, 3, 3, 3) * torch.tensor([1e-3, 1e-2, 0.1, 1.0, 10.0]).view(5, 1, 1, 1)
    for bits in WIDTHS:
        error = (fake_quantise(weight, bits, ScaleRule.MAX_ABS) - weight).abs().amax((1, 2, 3))
        step = weight.abs().amax((1, 2, 3)) / (2 ** (bits - 1) - 1)
        assert (error <= step / 2 * 1.01).all()


@pytest.mark.parametrize("bits", WIDTHS)
def test_the_least_squares_scale_is_never_worse_and_at_most_as_many_values(bits):
    weight = torch.randn(8, 200, generator=torch.Generator().manual_seed(0))
    rounded = {rule: fake_quantise(weight, bits, rule) for rule in ScaleRule}
    errors = {rule: (found - weight).square().sum(1) for rule, found in rounded.items()}
    assert (errors[ScaleRule.MSE] <= errors[ScaleRule.MAX_ABS]).all()
    if bits == 4:  # normal values: clipping pays
        assert errors[ScaleRule.MSE].sum() < 0.95 * errors[ScaleRule.MAX_ABS].sum()
        assert all(len(row.unique()) <= 15 for row in rounded[ScaleRule.MSE])


def test_other_widths_are_refused():
    with pytest.raises(WorkloadError, match="weight bits 5: must be one of 16, 8, 6, 4, 32"):
        fake_quantise(torch.ones(2, 2), 5, ScaleRule.MAX_ABS)


def test_32_bits_are_the_tree_bit_for_bit_and_16_nearly(tree_and_examples):
    tree, examples = tree_and_examples
    names = node_names(tree)
    whole = [dict.fromkeys(names, 32), dict.fromkeys(names, 16)]
    steps = Steps()
    same, near = evaluate_widths(tree, examples, whole, steps=steps)
    assert steps.done == steps.total == 2 * -(-len(examples) // 256)
    plain = evaluate_all_paths(tree, examples)
    assert torch.equal(same.predictions, plain.predictions)
    assert torch.equal(same.leaf, plain.leaf)
    for place, said in plain.probabilities.items():
        assert torch.equal(same.probabilities[place], said)
        assert torch.allclose(near.probabilities[place], said, atol=5e-3)
    assert (near.predictions == plain.predictions).float().mean() > 0.97


def test_a_node_changes_only_what_lies_behind_it(tree_and_examples):
    tree, examples = tree_and_examples
    names = ("router1.0", "level1.1", "router2.0", "level2.2", "head.3")
    (plain,) = evaluate_widths(tree, examples, [{}])
    changed = dict(
        zip(names, evaluate_widths(tree, examples, [{n: 4} for n in names]), strict=True)
    )
    said = {
        name: {place for place in plain.probabilities
               if not torch.equal(found.probabilities[place], plain.probabilities[place])}
        for name, found in changed.items()
    }  # fmt: skip
    assert said == {
        "router1.0": {(0, 0)},
        "level1.1": {(1, 1)},
        "router2.0": {(1, 0)},
        "level2.2": set(),
        "head.3": set(),
    }
    behind = {"level1.1": {2, 3}, "level2.2": {2}, "head.3": {3}}
    for name, found in changed.items():
        same = (found.predictions == plain.predictions).all(0)
        assert all(same[leaf] for leaf in range(4) if leaf not in behind.get(name, set()))
    # A router of level 2 moves inputs between its own two leaves only.
    assert torch.equal(changed["router2.0"].leaf // 2, plain.leaf // 2)


@pytest.mark.parametrize("rule", ScaleRule)
def test_shared_evaluation_is_that_of_a_quantised_copy(tree_and_examples, rule):
    tree, examples = tree_and_examples
    names = node_names(tree)
    widths = {name: WIDTHS[at % 4] for at, name in enumerate(names)}
    before = {key: value.clone() for key, value in tree.state_dict().items()}
    others = [{}, dict.fromkeys(names, 4), widths]
    shared = evaluate_widths(tree, examples, others, Arithmetic(rule))[-1]
    copied = evaluate_all_paths(quantised_tree(tree, widths, rule), examples)
    assert torch.equal(shared.predictions, copied.predictions)
    assert torch.equal(shared.leaf, copied.leaf)
    assert all(torch.equal(before[key], value) for key, value in tree.state_dict().items())


def test_tied_siblings_have_one_width(dense, source):
    examples = source("basic")
    config = DistributionConfig(rule=FixedShape(TreeShape.binary(2)), tie=Tie.SHARED_CHANNELS)
    tree = distribute(adapter_for(dense("basic")), examples, config).tree.eval()
    groups = tied_nodes(tree)
    assert ("level1.0", "level1.1") in groups
    assert ("level2.2", "level2.3") in groups
    assert ("trunk",) in groups
    assert sorted(name for group in groups for name in group) == sorted(node_names(tree))
    with pytest.raises(WorkloadError, match=r"level1.0, level1.1: hold weights in common"):
        evaluate_widths(tree, examples, [{"level1.0": 4}])
    both = {"level1.0": 4, "level1.1": 4}
    (shared,) = evaluate_widths(tree, examples, [both])
    copied = evaluate_all_paths(quantised_tree(tree, both, ScaleRule.MAX_ABS), examples)
    assert torch.equal(shared.predictions, copied.predictions)


def test_transformers_siblings_share_their_attention(dense, source):
    config = DistributionConfig(rule=FixedShape(TreeShape.binary(2)))
    tree = distribute(adapter_for(dense("vit")), source("vit"), config).tree.eval()
    assert ("level2.0", "level2.1", "level2.2", "level2.3") in tied_nodes(tree)
    (found,) = evaluate_widths(tree, source("vit"), [dict.fromkeys(node_names(tree), 32)])
    assert torch.equal(found.predictions, evaluate_all_paths(tree, source("vit")).predictions)


def test_activations_are_rounded_to_the_range_seen():
    ranges = ActivationRanges(
        4, {"signed": (-1.4, 0.7), "unsigned": (0.0, 3.0), "dead": (0.0, 0.0)}
    )
    x = torch.tensor([-2.0, -0.3, 0.31, 9.0])
    # signed: -7..7 of 0.2; unsigned: 0..15 of 0.2; both clip what they have not seen
    assert torch.allclose(ranges.round("signed", x), torch.tensor([-1.4, -0.4, 0.4, 1.4]))
    assert torch.allclose(ranges.round("unsigned", x), torch.tensor([0.0, 0.0, 0.4, 3.0]))
    assert torch.equal(ranges.round("dead", x), torch.zeros(4))


def test_activation_ranges_are_what_every_layer_reads(tree_and_examples):
    tree, examples = tree_and_examples
    ranges = calibrate(tree, examples, 16)
    layers = {name for name, m in tree.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    assert set(ranges.ranges) == layers
    (near,) = evaluate_widths(tree, examples, [{}], Arithmetic(activations=ranges))
    plain = evaluate_all_paths(tree, examples)
    for place, said in plain.probabilities.items():
        assert torch.allclose(near.probabilities[place], said, atol=2e-2)
    (rough,) = evaluate_widths(
        tree, examples, [{}], Arithmetic(activations=ActivationRanges(4, ranges.ranges))
    )
    gap = [
        (rough.probabilities[place] - said).abs().mean()
        for place, said in plain.probabilities.items()
    ]
    assert max(gap) > 1e-4
    assert not any(m._forward_pre_hooks for m in tree.modules())
