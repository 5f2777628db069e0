import pytest
import torch

from workloads.models.point_ops import ball_query, farthest_point_sample, gather_points
from workloads.models.pointnet2 import CANONICAL_GRID, PointNet2


@pytest.fixture
def cloud() -> torch.Tensor:
    return torch.rand(2, 3, 60, generator=torch.Generator().manual_seed(3))


def squared(a: list[float], b: list[float]) -> float:
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def test_farthest_point_sample_matches_brute_force(cloud):
    indices = farthest_point_sample(cloud.double(), 12)
    for points, found in zip(cloud.double().transpose(1, 2).tolist(), indices, strict=True):
        chosen = [0]
        while len(chosen) < 12:
            gaps = [min(squared(p, points[c]) for c in chosen) for p in points]
            chosen.append(max(range(len(points)), key=gaps.__getitem__))
        assert found.tolist() == chosen


def test_farthest_points_of_a_line_are_its_ends_then_its_middle():
    xyz = torch.zeros(1, 3, 5)
    xyz[0, 0] = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0])
    assert farthest_point_sample(xyz, 3).tolist() == [[0, 4, 2]]


def test_ball_query_matches_brute_force(cloud):
    cloud = cloud.double()
    centroids = cloud[:, :, :9].contiguous()
    found = ball_query(cloud, centroids, 0.35, 8)
    for b in range(2):
        points = cloud[b].T.tolist()
        for i in range(9):
            inside = [j for j, p in enumerate(points) if squared(p, points[i]) <= 0.35 * 0.35]
            expected = (inside + [inside[0]] * 8)[:8]
            assert found[b, i].tolist() == expected


def test_a_lonely_centroid_repeats_itself():
    xyz = torch.tensor([[[0.0, 9.0, 9.1], [0, 0, 0], [0, 0, 0]]])
    assert ball_query(xyz, xyz[:, :, :1].contiguous(), 0.5, 3).tolist() == [[[0, 0, 0]]]


def test_gather_points_takes_whole_points():
    values = torch.arange(12.0).view(1, 2, 6)
    index = torch.tensor([[[0, 5], [3, 3]]])
    assert gather_points(values, index).tolist() == [[[[0, 5], [3, 3]], [[6, 11], [9, 9]]]]


def test_shapes_on_meta_are_the_shapes_on_real_points(cloud):
    meta = cloud.to("meta")
    assert farthest_point_sample(meta, 7).shape == farthest_point_sample(cloud, 7).shape
    near = ball_query(cloud, cloud[:, :, :7].contiguous(), 0.2, 5)
    assert ball_query(meta, meta[:, :, :7], 0.2, 5).shape == near.shape


def test_pointnet2_classifies_real_clouds_and_trains():
    torch.manual_seed(0)
    model = PointNet2(5, CANONICAL_GRID)
    logits = model(torch.randn(2, 3, 1024))
    assert logits.shape == (2, 5)
    logits.sum().backward()
    assert model.sa1.mlp_convs[0].weight.grad.abs().sum() > 0
