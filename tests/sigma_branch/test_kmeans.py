import pytest
import torch

from simulator.errors import WorkloadError
from workloads.sigma_branch.kmeans import nearest_centroid, random_clusters, spherical_kmeans


def bundles(sizes: list[int], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Directions around well separated axes, at very different lengths."""
    generator = torch.Generator().manual_seed(seed)
    axes = torch.eye(8)[: len(sizes)]
    labels = torch.cat([torch.full((n,), i) for i, n in enumerate(sizes)])
    noise = 0.1 * torch.randn(len(labels), 8, generator=generator)
    lengths = 0.1 + 10 * torch.rand(len(labels), 1, generator=generator)
    return (axes[labels] + noise) * lengths, labels


def test_separated_bundles_are_found_the_largest_first():
    latents, truth = bundles([20, 50, 30])
    found = spherical_kmeans(latents, 3, n_restarts=5, seed=0)
    assert found.sizes == [50, 30, 20]
    assert found.labels.tolist() == [{1: 0, 2: 1, 0: 2}[t] for t in truth.tolist()]
    assert torch.allclose(found.centroids.norm(dim=1), torch.ones(3))
    assert found.mean_cosine > 0.9


def test_centroids_are_the_mean_directions_of_their_samples():
    latents, _ = bundles([40, 25], seed=3)
    found = spherical_kmeans(latents, 2, n_restarts=5, seed=1)
    directions = torch.nn.functional.normalize(latents, dim=1)
    for cluster in range(2):
        mean = directions[found.labels == cluster].mean(0)
        assert torch.allclose(found.centroids[cluster], mean / mean.norm(), atol=1e-6)


def test_labels_are_the_routers_argmax():
    latents = torch.randn(500, 128, generator=torch.Generator().manual_seed(5))
    found = spherical_kmeans(latents, 2, n_restarts=2, seed=0)
    assert torch.equal(found.labels, nearest_centroid(latents, found.centroids))


def test_the_best_partition_of_a_small_set_is_found():
    latents = torch.randn(9, 3, generator=torch.Generator().manual_seed(8)).double()
    found = spherical_kmeans(latents, 2, n_restarts=20, seed=0)
    directions = torch.nn.functional.normalize(latents, dim=1)
    best = 0.0
    for code in range(1, 2**8):  # every split in two; sample 8 is always on side 0
        side = torch.tensor([(code >> i) & 1 for i in range(9)], dtype=torch.bool)
        best = max(best, float(sum(directions[s].sum(0).norm() for s in (side, ~side))) / 9)
    assert found.mean_cosine == pytest.approx(best)


def test_the_same_seed_gives_the_same_clusters():
    latents = torch.randn(200, 16, generator=torch.Generator().manual_seed(2))
    one, two = (spherical_kmeans(latents, 3, n_restarts=3, seed=9) for _ in range(2))
    assert torch.equal(one.centroids, two.centroids)


def test_clusters_are_never_empty_with_many_repeated_points():
    latents = torch.eye(4).repeat_interleave(torch.tensor([50, 1, 1, 1]), dim=0)
    assert sorted(spherical_kmeans(latents, 4, n_restarts=5, seed=0).sizes) == [1, 1, 1, 50]


@pytest.mark.parametrize(
    ("latents", "message"),
    [
        (torch.randn(1, 4), "1 samples for 2 clusters"),
        (torch.ones(10, 4), "fewer than 2 directions"),
        (torch.full((10, 4), torch.nan), "not finite"),
    ],
)
def test_what_cannot_be_clustered_says_why(latents, message):
    with pytest.raises(WorkloadError, match=message):
        spherical_kmeans(latents, 2, n_restarts=2, seed=0)


def test_random_clusters_are_equal_and_ignore_the_samples():
    latents, truth = bundles([40, 20])
    found = random_clusters(latents, 2, seed=4)
    assert found.sizes == [30, 30]
    assert torch.equal(found.labels, random_clusters(torch.randn(60, 8), 2, seed=4).labels)
    assert not torch.equal(found.labels, truth)
    with pytest.raises(WorkloadError, match="1 samples for 2"):
        random_clusters(latents[:1], 2, seed=0)
