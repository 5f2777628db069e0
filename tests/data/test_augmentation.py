"""Augmentations against the picture they should give, one image or cloud at a time."""

import numpy as np
import pytest
import torch

from workloads.data.augment_images import CropAndFlip, NormaliseImages
from workloads.data.augment_points import DisturbPoints


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def shifted_views(image: torch.Tensor, pad: int) -> list[torch.Tensor]:
    """Every crop of the black-bordered image, cut by plain slicing."""
    channels, height, width = image.shape
    bordered = torch.zeros(channels, height + 2 * pad, width + 2 * pad, dtype=image.dtype)
    bordered[:, pad : pad + height, pad : pad + width] = image
    return [
        bordered[:, top : top + height, left : left + width]
        for top in range(2 * pad + 1)
        for left in range(2 * pad + 1)
    ]


def test_crop_and_flip_gives_a_shifted_view_of_each_image_or_its_mirror() -> None:
    images = torch.randint(1, 256, (40, 3, 6, 5), dtype=torch.uint8, generator=generator())
    result = CropAndFlip(pad_px=2)(images, generator(1))
    used = set()
    for image, changed in zip(images, result, strict=True):
        views = shifted_views(image, 2)
        matches = [index for index, view in enumerate(views) if torch.equal(view, changed)]
        mirrored = [i for i, view in enumerate(views) if torch.equal(view.flip(-1), changed)]
        assert len(matches) + len(mirrored) == 1
        used.add((bool(mirrored), (matches + mirrored)[0]))
    # 40 draws of 50 views: well over ten different ones, both mirrored and not.
    assert len(used) > 10
    assert {mirror for mirror, _ in used} == {True, False}


def test_crop_and_flip_is_a_function_of_its_generator() -> None:
    images = torch.randint(0, 256, (8, 3, 6, 6), dtype=torch.uint8, generator=generator())
    augment = CropAndFlip()
    assert torch.equal(augment(images, generator(3)), augment(images, generator(3)))
    assert not torch.equal(augment(images, generator(3)), augment(images, generator(4)))


def test_measured_statistics_normalise_to_zero_mean_and_unit_deviation() -> None:
    images = torch.randint(0, 256, (5000, 3, 4, 4), dtype=torch.uint8, generator=generator())
    images[:, 1] //= 2
    # A reference in one pass of NumPy; `measured` rounds to four digits.
    reference = images.numpy().transpose(1, 0, 2, 3).reshape(3, -1) / 255
    view = NormaliseImages.measured(images)
    assert view.mean == pytest.approx(reference.mean(1), abs=5.1e-5)
    assert view.deviation == pytest.approx(reference.std(1), abs=5.1e-5)
    seen = view(images)
    assert seen.dtype == torch.float32
    assert seen.mean((0, 2, 3)).abs().max() < 1e-3
    assert (seen.std((0, 2, 3)) - 1).abs().max() < 1e-3


def test_normalise_by_hand() -> None:
    # (51 / 255 - 0.1) / 0.5 = (0.2 - 0.1) / 0.5 = 0.2
    view = NormaliseImages((0.1,), (0.5,))
    assert view(torch.full((1, 1, 1, 1), 51, dtype=torch.uint8)).item() == pytest.approx(0.2)


STILL = {"dropout": 0.0, "scale": (1.0, 1.0), "shift": 0.0, "jitter": 0.0}


def clouds(count: int = 16, points: int = 64) -> torch.Tensor:
    return torch.randn((count, points, 3), generator=generator())


def test_points_without_any_disturbance_stay() -> None:
    assert torch.equal(DisturbPoints(**STILL)(clouds(), generator()), clouds())


def test_dropped_points_become_the_first_one() -> None:
    result = DisturbPoints(**{**STILL, "dropout": 0.875})(clouds(64), generator())
    kept = (result == clouds(64)).all(-1)
    first = (result == clouds(64)[:, :1]).all(-1)
    assert (kept | first).all()
    # The share is uniform in 0 to 0.875, so 0.4375 on average over 64 clouds of 64 points.
    assert (~kept).float().mean().item() == pytest.approx(0.4375, abs=0.08)


def test_scale_and_shift_are_one_per_cloud_and_in_range() -> None:
    result = DisturbPoints(**{**STILL, "scale": (0.8, 1.25), "shift": 0.1})(clouds(), generator())
    centre, moved = clouds().mean(1), result.mean(1)
    factor = (result - moved[:, None]) / (clouds() - centre[:, None])
    torch.testing.assert_close(factor, factor[:, :1, :1].expand_as(factor), rtol=1e-3, atol=1e-3)
    assert factor.min() > 0.799
    assert factor.max() < 1.251
    assert len(factor[:, 0, 0].unique()) == 16
    offset = moved - factor[:, 0, :1] * centre
    assert offset.abs().max() < 0.101


def test_jitter_is_limited() -> None:
    change = DisturbPoints(**{**STILL, "jitter": 0.03})(clouds(), generator()) - clouds()
    assert change.abs().max() <= 0.05 + 1e-6
    assert change.std() > 0.02


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_turning_keeps_the_axis_and_all_distances(axis: int) -> None:
    result = DisturbPoints(**STILL, turn_axis=axis)(clouds(), generator())
    torch.testing.assert_close(result[..., axis], clouds()[..., axis])
    before, after = (part[:, :, None] - part[:, None] for part in (clouds(), result))
    torch.testing.assert_close(after.norm(dim=-1), before.norm(dim=-1), atol=1e-5, rtol=1e-5)
    # A proper rotation, not a reflection: the triple product of three points keeps its sign.
    volume, turned = (np.linalg.det(part[:, :3].numpy()) for part in (clouds(), result))
    assert turned == pytest.approx(volume, abs=1e-4)
    assert not torch.allclose(result, clouds())
