import pytest
import torch
from sklearn.metrics import silhouette_score

from simulator.errors import WorkloadError
from workloads.data.dataset import TensorSource
from workloads.sigma_branch.adapters import adapter_for
from workloads.sigma_branch.distribute import DistributionConfig, distribute
from workloads.sigma_branch.shape import TreeShape
from workloads.sigma_branch.shape_search import (
    Criterion,
    SearchedShape,
    gap_statistic,
    mean_silhouette,
)


def bundles(n_bundles: int, per_bundle: int = 60, noise: float = 0.15) -> torch.Tensor:
    generator = torch.Generator().manual_seed(n_bundles)
    axes = torch.eye(16)[:n_bundles].repeat_interleave(per_bundle, 0)
    return axes + noise * torch.randn(axes.shape, generator=generator)


def test_silhouette_agrees_with_scikit_learn():
    latents = torch.randn(90, 5, generator=torch.Generator().manual_seed(0)).double()
    labels = torch.arange(90) % 3
    labels[0] = 3  # alone in its cluster
    expected = silhouette_score(latents.numpy(), labels.numpy(), metric="cosine")
    assert mean_silhouette(latents, labels) == pytest.approx(expected)


@pytest.mark.parametrize("criterion", Criterion)
@pytest.mark.parametrize("n_bundles", [2, 3, 4])
def test_the_number_of_bundles_is_found(criterion, n_bundles):
    search = SearchedShape(depth=1, criterion=criterion, max_children=5)
    assert search.split(bundles(n_bundles))[0] == n_bundles


@pytest.mark.parametrize("criterion", Criterion)
def test_one_bundle_is_not_split(criterion):
    search = SearchedShape(depth=1, criterion=criterion, max_children=4)
    assert search.split(bundles(1))[0] == 1


def test_gap_is_positive_where_there_is_structure():
    gap, error = gap_statistic(bundles(3), 3, seed=0)
    assert gap > 10 * error > 0


def test_too_few_samples_are_not_split():
    assert SearchedShape(depth=1).split(torch.randn(2, 16)) == (1, 0.0)


def test_the_least_clear_split_is_given_up_for_the_budget():
    clear, vague = bundles(2, noise=0.05), bundles(2, noise=0.25)

    def params_of(shape: TreeShape) -> int:
        return 100 * shape.n_leaves

    def chosen(budget: int | None) -> tuple[int, ...]:
        search = SearchedShape(depth=2, max_children=3, max_params=budget)
        return search.arities([(2,)], [vague, clear], params_of)

    assert chosen(None) == (2, 2)
    assert chosen(400) == (2, 2)
    assert chosen(399) == (1, 2)
    assert chosen(200) == (1, 1)
    with pytest.raises(WorkloadError, match="level 2 needs at least 200 parameters"):
        chosen(199)


def two_kinds() -> TensorSource:
    """Images of two kinds that any network tells apart: bright top, bright bottom."""
    images = 0.1 * torch.randn(60, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    images[:30, 0] += 3.0
    images[30:, 1:] -= 3.0
    return TensorSource(images, torch.arange(60) % 6, lambda x: x)


def test_the_tree_takes_the_shape_of_its_data(dense):
    adapter = adapter_for(dense("plain_cnn"))
    config = DistributionConfig(rule=SearchedShape(depth=2, max_children=3, min_silhouette=0.5))
    built = distribute(adapter, two_kinds(), config)
    assert built.plan.shape.arities[0] == (2,)
    assert built.report.nodes[0].n_samples == (30, 30)


def test_the_budget_counts_the_finished_tree(dense):
    adapter = adapter_for(dense("plain_cnn"))

    def total(budget: int | None) -> tuple[int, TreeShape]:
        rule = SearchedShape(depth=2, max_children=3, max_params=budget, min_silhouette=-1.0)
        built = distribute(adapter, two_kinds(), DistributionConfig(rule=rule))
        return sum(p.numel() for p in built.tree.parameters()), built.plan.shape

    largest, shape = total(None)
    fitting, smaller = total(largest - 1)
    assert fitting < largest
    assert smaller.n_leaves < shape.n_leaves


@pytest.mark.parametrize("settings", [{"depth": 0}, {"depth": 1, "max_children": 1}])
def test_a_search_without_choice_is_refused(settings):
    with pytest.raises(WorkloadError, match="at least 1 level and 2 children"):
        SearchedShape(**settings)
