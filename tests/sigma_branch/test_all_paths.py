import pytest
import torch

from simulator.errors import WorkloadError
from workloads.data.dataset import TensorSource
from workloads.sigma_branch.adapters import adapter_for
from workloads.sigma_branch.all_paths import evaluate_all_paths
from workloads.sigma_branch.distribute import DistributionConfig, distribute
from workloads.sigma_branch.evaluate import evaluate_hard
from workloads.sigma_branch.shape import TreeShape
from workloads.sigma_branch.shape_search import FixedShape


def test_all_paths_contain_the_hard_one_and_the_soft_ones(family, depth, dense, source):
    examples = source(family)
    config = DistributionConfig(rule=FixedShape(TreeShape.binary(depth)))
    tree = distribute(adapter_for(dense(family)), examples, config).tree
    found = evaluate_all_paths(tree, examples, batch_size=40)
    hard = evaluate_hard(tree, examples)
    shape = tree.shape
    with torch.no_grad():
        soft = tree(examples.inputs)
    # Soft routing's class of each leaf, and the product of its routers' probabilities.
    agree = (soft.logits.argmax(2) == found.predictions).float().mean()
    assert agree > 0.98  # sums in another order decide near ties
    for leaf in range(shape.n_leaves):
        product = torch.ones(len(examples), dtype=torch.float64)
        path = (0, *shape.ancestors(leaf))
        for level in range(depth):
            if shape.arities[level][path[level]] > 1:
                arm = path[level + 1] - shape.children(level, path[level]).start
                product *= found.probabilities[level, path[level]][:, arm]
        assert torch.allclose(product, soft.log_leaf[:, leaf].double().exp(), atol=1e-5)
    taken = torch.tensor(
        [sum(a << (depth - 1 - i) for i, a in enumerate(r.arms)) for r in hard.routes]
    )
    assert (taken == found.leaf).float().mean() > 0.98


def test_an_empty_source_is_refused(dense, source):
    tree = distribute(adapter_for(dense("basic")), source("basic"), DistributionConfig()).tree
    empty = TensorSource(torch.empty(0, 3, 16, 16), torch.empty(0, dtype=torch.int64), lambda x: x)
    with pytest.raises(WorkloadError, match="the data set is empty"):
        evaluate_all_paths(tree, empty)
