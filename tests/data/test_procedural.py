"""The bundled procedural sets: reproducible, balanced, and classes that are what they say."""

import numpy as np
import pytest
import torch

from workloads.data import shapes, solids
from workloads.data.errors import DataError
from workloads.data.registry import BUNDLED, DatasetName, load_dataset
from workloads.data.seeds import Stream
from workloads.data.shape_fields import OUTLINES, TEXTURES
from workloads.data.solid_curves import PROFILES, SECTIONS

TINY_SHAPES, TINY_SOLIDS = shapes.SIZES["tiny"], solids.SIZES["tiny"]


@pytest.mark.parametrize("name", ["shapes", "solids"])
def test_same_seed_same_bytes_other_seed_other_bytes(name: str) -> None:
    first, again, other = (load_dataset(name, seed=seed, size="tiny") for seed in (3, 3, 4))
    everything = torch.arange(len(first.test))
    assert torch.equal(first.test.batch(everything)[0], again.test.batch(everything)[0])
    assert not torch.equal(first.test.batch(everything)[0], other.test.batch(everything)[0])
    assert first.provenance == again.provenance != other.provenance


@pytest.mark.parametrize("name", ["shapes", "solids"])
@pytest.mark.parametrize("size", ["tiny", "small"])
def test_classes_are_balanced_and_named(name: str, size: str) -> None:
    dataset = load_dataset(name, size=size)
    for source in (dataset.train, dataset.test):
        counts = torch.bincount(source.targets, minlength=dataset.n_classes)
        assert counts.unique().numel() == 1
        # Shuffled: the order of the examples says nothing about their class.
        assert not torch.equal(source.targets, source.targets.sort().values)
    assert len(set(dataset.class_names)) == dataset.n_classes == len(dataset.superclasses)
    for class_name, superclass in zip(dataset.class_names, dataset.superclasses, strict=True):
        assert dataset.superclass_names[superclass] in class_name.split()


@pytest.mark.parametrize("name", list(BUNDLED))
def test_batches_have_the_stated_form(name: str) -> None:
    dataset = load_dataset(name, size="full" if name == DatasetName.DIGITS else "tiny")
    indices = torch.tensor([5, 0, 5])
    for generator in (None, torch.Generator().manual_seed(0)):
        inputs, targets = dataset.train.batch(indices, generator)
        assert inputs.shape == (3, *dataset.input_shape)
        assert inputs.dtype == torch.float32
        assert torch.equal(targets, dataset.train.targets[indices])
        assert inputs.isfinite().all()
    seen = dataset.train.batch(indices)[0]
    assert torch.equal(seen[0], seen[2])
    changed = dataset.train.batch(indices, torch.Generator().manual_seed(0))[0]
    assert not torch.equal(changed[0], changed[2])


def test_test_examples_are_never_augmented() -> None:
    source = load_dataset("shapes", size="tiny").test
    indices = torch.arange(8)
    plain, _ = source.batch(indices)
    with_generator, _ = source.batch(indices, torch.Generator().manual_seed(0))
    assert torch.equal(plain, with_generator)


def test_training_and_test_examples_differ() -> None:
    train, _ = shapes.make_shapes(TINY_SHAPES, 0, Stream.TRAIN_SET)
    test, _ = shapes.make_shapes(TINY_SHAPES, 0, Stream.TEST_SET)
    assert not {image.tobytes() for image in train} & {image.tobytes() for image in test}


def test_outlines_have_the_areas_their_formulas_say() -> None:
    axis = (np.arange(800, dtype=np.float32) + 0.5) / 400 - 1
    u, v = np.meshgrid(axis, axis)
    area = {name: float((outline(u, v) < 0).mean() * 4) for name, outline in OUTLINES.items()}
    assert area["disc"] == pytest.approx(np.pi * 0.85**2, rel=0.01)
    # (0.66 + 0.27)^2 - (0.66 - 0.27)^2 = 4 * 0.66 * 0.27
    assert area["ring"] == pytest.approx(np.pi * 4 * 0.66 * 0.27, rel=0.01)
    assert area["square"] == pytest.approx((2 * 0.76) ** 2, rel=0.01)
    assert area["bar"] == pytest.approx(2 * 2 * 0.48, rel=0.01)
    # Equilateral with inradius 0.5: 3 sqrt(3) r^2.
    assert area["triangle"] == pytest.approx(3 * np.sqrt(3) * 0.25, rel=0.01)
    # Ten triangles between radius 1 and 0.45 at 36 degrees: 10 * sin(36) * 0.45 / 2.
    assert area["star"] == pytest.approx(5 * np.sin(np.pi / 5) * 0.45, rel=0.01)
    # Two arms of 2 x 0.64 less the square they share.
    assert area["cross"] == pytest.approx(2 * 2 * 0.64 - 0.64**2, rel=0.01)
    # Half the integral of (0.68 + 0.3 cos 3t)^2 over a turn: pi (0.68^2 + 0.3^2 / 2).
    assert area["trefoil"] == pytest.approx(np.pi * (0.68**2 + 0.045), rel=0.01)
    assert all(0.9 < value < 2.6 for value in area.values()), area


def test_textures_stay_in_range_and_differ_from_each_other() -> None:
    axis = np.linspace(-1, 1, 64, dtype=np.float32)
    u, v = np.meshgrid(axis, axis)
    values = {name: texture(u, v) for name, texture in TEXTURES.items()}
    for value in values.values():
        assert value.min() >= 0
        assert value.max() <= 1
    names = list(values)
    for index, first in enumerate(names):
        for second in names[index + 1 :]:
            assert np.abs(values[first] - values[second]).mean() > 0.1, (first, second)


def test_images_show_the_object_of_their_class() -> None:
    # Without nuisances a disc is the same image up to colour; a ring has the background inside.
    plain = shapes.Difficulty(0, (0.9, 0.9), contrast=0.6, clutter=0, occlusion=0, noise=0)
    size = shapes.ShapesSize(32, ("disc", "ring"), ("plain",), 8, 1, plain)
    images, targets = shapes.make_shapes(size, 0, Stream.TRAIN_SET)
    for image, target in zip(images.astype(int), targets, strict=True):
        corner, middle = image[:, 1, 1], image[:, 16, 16]
        on_ring = image[:, 16, 16 + round(0.66 * 0.9 * 16)]
        # A colour ramp moves the background by up to 0.3 * 255; the contrast is 0.6 * 255.
        assert np.linalg.norm(on_ring - corner) > 25
        assert (np.linalg.norm(middle - on_ring) < 25) == (target == 0)


@pytest.mark.parametrize("profile", PROFILES)
def test_profiles_are_curves_about_the_size_of_the_unit_square(profile: str) -> None:
    p, q = (np.linspace(0, 1, 7, dtype=np.float32) for _ in range(2))
    corners = PROFILES[profile](p, q[::-1].copy())
    assert corners.shape[0] == 7
    assert corners.shape[2] == 2
    assert corners[..., 0].min() >= 0
    assert np.abs(corners).max() <= 1.001
    assert len(np.unique(corners, axis=0)) > 1, "the shape parameters change nothing"


@pytest.mark.parametrize("section", SECTIONS)
def test_cross_sections_fit_the_unit_circle(section: str) -> None:
    rho = SECTIONS[section](np.linspace(0, 2 * np.pi, 361, dtype=np.float32))
    assert rho.max() == pytest.approx(1, abs=1e-3)
    assert rho.min() > 0.4


STILL = {"stretch": (1.0, 1.0), "tilt": 0.0, "missing": 0.0, "stray": 0.0, "noise": 0.0}


def test_points_of_a_ball_are_uniform_in_area() -> None:
    # By Archimedes' hat-box theorem the height of a uniform point on a sphere is uniform.
    size = solids.SolidsSize(4000, ("ball",), ("round",), 4, 1, **STILL)
    draws = np.random.default_rng(0).random((2, 4, 4000), np.float32)
    # The exponent 0.75 + 0.4 p is one, a true sphere, at p = 0.625.
    corners = PROFILES["ball"](np.full(4, 0.625, np.float32), np.zeros(4, np.float32))
    radius, height = solids._along_profile(corners, draws[0], draws[1])
    assert radius**2 + height**2 == pytest.approx(1, abs=0.01)
    assert np.histogram(height, 10, (-1, 1))[0] == pytest.approx(1600, rel=0.12)
    assert size.class_names == ("round ball",)


def test_points_of_a_column_lie_on_its_caps_and_side_in_proportion() -> None:
    draws = np.random.default_rng(0).random((2, 2, 20000), np.float32)
    corners = PROFILES["column"](np.zeros(2, np.float32), np.zeros(2, np.float32))
    radius, height = solids._along_profile(corners, draws[0], draws[1])
    # A cylinder of radius 1 and height 2: two caps of pi, a side of 4 pi.
    assert (np.abs(height) > 0.9999).mean() == pytest.approx(2 / 6, abs=0.01)
    on_caps = radius[np.abs(height) > 0.9999]
    # Uniform on a disc: half the points lie within sqrt(1/2) of the centre.
    assert (on_caps < np.sqrt(0.5)).mean() == pytest.approx(0.5, abs=0.02)


def test_a_square_section_has_points_on_its_four_sides_only() -> None:
    place = np.random.default_rng(0).random((1, 5000), np.float32)
    x, y = solids._around_section("square", place)
    # Corners on the axes at distance one: |x| + |y| = 1.
    assert np.abs(x) + np.abs(y) == pytest.approx(1, abs=2e-3)


def test_clouds_fill_the_unit_ball_and_their_up_axis_is_z() -> None:
    size = solids.SolidsSize(512, ("cone",), ("round",), 40, 1, **STILL)
    clouds, _ = solids.make_solids(size, 0, Stream.TRAIN_SET)
    assert np.linalg.norm(clouds, axis=2).max(axis=1) == pytest.approx(1, abs=1e-5)
    assert np.abs(clouds.mean(axis=1)).max() < 1e-5
    # A cone is wide at the bottom: points above the middle are nearer the axis.
    radius, upper = np.linalg.norm(clouds[..., :2], axis=2), clouds[..., 2] > 0
    assert (radius * upper).sum() / upper.sum() < (radius * ~upper).sum() / (~upper).sum()


def test_a_missing_part_leaves_the_stated_number_of_different_points() -> None:
    size = solids.SolidsSize(300, ("ball",), ("round",), 20, 1, **{**STILL, "missing": 0.5})
    clouds, _ = solids.make_solids(size, 0, Stream.TRAIN_SET)
    assert clouds.shape == (20, 300, 3)
    assert all(len(np.unique(cloud, axis=0)) == 300 for cloud in clouds)


def test_wrong_names_sizes_and_paths_are_explained(tmp_path) -> None:
    cases = {
        "data set 'cifar' is unknown; there are cifar100, imagenet": {"name": "cifar"},
        "size: 'huge' is none of full, small, tiny": {"name": "shapes", "size": "huge"},
        "it has one size only, got 'small'": {"name": "digits", "size": "small"},
        "is bundled and takes no path": {"name": "solids", "path": tmp_path},
        "needs the folder its files are in": {"name": "cifar100"},
        "seed: -1 is negative": {"name": "digits", "seed": -1},
    }
    for message, arguments in cases.items():
        with pytest.raises(DataError, match=message):
            load_dataset(**arguments)


def test_digits_split_is_stratified_and_complete() -> None:
    dataset = load_dataset("digits", seed=1)
    assert len(dataset.train) + len(dataset.test) == 1797
    counts = torch.bincount(dataset.test.targets).tolist()
    # A fifth of 174 to 183 images each.
    assert all(34 <= count <= 37 for count in counts)
    assert "seed 1" in dataset.provenance
