import pytest
import torch

from simulator.errors import UserError
from workloads.models.resnet import small_resnet
from workloads.sigma_branch.adapters import adapter_for
from workloads.sigma_branch.distribute import DistributionConfig, distribute
from workloads.sigma_branch.shape import TreeShape
from workloads.sigma_branch.shape_search import FixedShape
from workloads.sigma_branch.ties import Tie
from workloads.sigma_branch.tree_file import load_tree, save_tree


@pytest.fixture
def saved(dense, source, tmp_path):
    config = DistributionConfig(
        rule=FixedShape(TreeShape(((2,), (1, 2)))), tie=Tie.PLANES_AND_SHARED
    )
    built = distribute(adapter_for(dense("basic")), source("basic"), config)
    path = tmp_path / "tree.pt"
    save_tree(path, built.tree, built.plan, "ResNet")
    return path, built


def test_a_tree_comes_back_as_it_was(saved, source):
    path, built = saved
    tree, plan = load_tree(path, adapter_for(small_resnet(6, 2, 8)))
    x = source("basic").inputs
    with torch.no_grad():
        assert torch.equal(tree(x).logits, built.tree(x).logits)
    assert plan.shape == built.plan.shape
    assert tree.specializer(1, 0)[0].conv2.tied is tree.specializer(1, 1)[0].conv2.tied
    assert sum(p.numel() for p in tree.parameters()) == sum(
        p.numel() for p in built.tree.parameters()
    )


def edit(change):
    def apply(path):
        content = torch.load(path, weights_only=True)
        change(content)
        torch.save(content, path)

    return apply


def truncate(path):
    path.write_bytes(path.read_bytes()[:-300])


def drop_weight(content):
    del content["weights"]["head.0.fc.bias"]


def add_weight(content):
    content["weights"]["stray"] = torch.ones(1)


def spoil_weight(content):
    content["weights"]["head.0.fc.bias"] = torch.full((6,), torch.nan)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "cannot be read"),
        (truncate, "damaged"),
        (lambda path: path.write_text("not a checkpoint"), "damaged"),
        (edit(lambda c: c.update(format="other")), "format: is 'other'"),
        (edit(lambda c: c.update(version=9)), "version 9, expected"),
        (edit(lambda c: c.update(family="ViT")), "family: is 'ViT', expected 'ResNet'"),
        (edit(lambda c: c.update(arities=[[2], [2]])), "tree shape: level 1"),
        (edit(lambda c: c.pop("chosen")), "plan is incomplete or damaged"),
        (edit(drop_weight), "head.0.fc.bias is missing"),
        (edit(add_weight), "stray belongs to no part"),
        (edit(spoil_weight), "head.0.fc.bias holds values that are not finite"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(saved, damage, message):
    path, _ = saved
    damage(path)
    with pytest.raises(UserError, match=message) as caught:
        load_tree(path, adapter_for(small_resnet(6, 2, 8)))
    assert str(path) in str(caught.value) or "tree shape" in message
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("n_classes", "width"), [(7, 8), (6, 16)])
def test_a_network_of_another_size_is_refused(saved, n_classes, width):
    path, _ = saved
    with pytest.raises(UserError, match="number of classes"):
        load_tree(path, adapter_for(small_resnet(n_classes, 2, width)))
