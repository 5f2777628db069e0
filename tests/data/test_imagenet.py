"""ImageNet folders, from small JPEGs, and the recipe's crops against hand-worked ones."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from workloads.data.errors import DataError
from workloads.data.image_geometry import TRIES, centre_crop, cut_and_resize, random_box
from workloads.data.imagenet import ImageFolder
from workloads.data.registry import load_dataset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes, dark and light, of different sizes and colour modes."""
    for part, count in (("train", 3), ("val", 2)):
        for name, level in (("n01", 40), ("n02", 200)):
            (tmp_path / part / name).mkdir(parents=True)
            for index in range(count):
                mode = "L" if index == 0 else "RGB"
                image = Image.new(
                    mode, (300 + 40 * index, 260), level if mode == "L" else (level,) * 3
                )
                image.save(tmp_path / part / name / f"{name}_{index}.JPEG")
    return tmp_path


def test_images_and_classes_are_those_of_the_folders(folder: Path) -> None:
    dataset = load_dataset("imagenet", folder)
    assert dataset.class_names == ("n01", "n02")
    assert (len(dataset.train), len(dataset.test)) == (6, 4)
    assert dataset.test.targets.tolist() == [0, 0, 1, 1]
    images, targets = dataset.test.batch(torch.tensor([3, 0]))
    assert images.shape == (2, 3, 224, 224)
    assert targets.tolist() == [1, 0]
    # (200 / 255 - 0.485) / 0.229 = 1.3071 and (40 / 255 - 0.406) / 0.225 = -1.1073; JPEG keeps
    # a flat grey within one level, 1 / 255 / 0.225 = 0.018.
    assert images[0, 0].mean().item() == pytest.approx(1.3071, abs=0.02)
    assert images[1, 2].mean().item() == pytest.approx(-1.1073, abs=0.02)


def test_training_crops_depend_on_the_generator_alone(folder: Path) -> None:
    gradient = np.tile(np.arange(300, dtype=np.uint8)[None, :, None] % 250, (280, 1, 3))
    Image.fromarray(gradient).save(folder / "train" / "n01" / "n01_0.JPEG")
    source = load_dataset("imagenet", folder).train
    assert isinstance(source, ImageFolder)
    indices = torch.zeros(8, dtype=torch.int64)
    few = ImageFolder(source.files, source.targets, threads=1)
    many = ImageFolder(source.files, source.targets, threads=8)
    first, second = (
        part.batch(indices, torch.Generator().manual_seed(1))[0] for part in (few, many)
    )
    assert torch.equal(first, second)
    assert len({image.numpy().tobytes() for image in first}) == 8
    # The ramp rises to the right, so a falling one has been mirrored; about half are.
    mirrored = (first[:, 0, 100, 200] < first[:, 0, 100, 20]).sum()
    assert 0 < mirrored < 8


sides = st.integers(1, 2000)
draws = st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=0, max_size=TRIES)


@given(sides, sides, draws)
def test_random_boxes_lie_in_the_image(width: int, height: int, tries: list) -> None:
    left, top, right, bottom = random_box(width, height, tries)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


def test_random_box_by_hand() -> None:
    # Area 0.08 + 0.92 * 0.1848 = 0.25 of 400 x 400 is 40,000; the middle of the aspect range,
    # logarithmically, is 1: a square of 200. A quarter of the 201 places from the left is 50.
    assert random_box(400, 400, [(0.17 / 0.92, 0.5, 0.25, 0.5)]) == (50, 100, 250, 300)
    # The whole area at aspect 4/3 does not fit a square: the next try counts.
    assert random_box(400, 400, [(1, 1, 0, 0), (0.17 / 0.92, 0.5, 0, 0)]) == (0, 0, 200, 200)
    # No try fits a strip of 1000 x 100: its middle, 4/3 as wide as high.
    assert random_box(1000, 100, [(1, 1, 0, 0)]) == (433, 0, 566, 100)


def test_centre_crop_by_hand() -> None:
    # 512 x 1024 with the shorter side to 256 is 256 x 512; rows 144 to 368 and columns 16 to 240
    # of that are rows 288 to 736 of the original, where every row has its own level.
    rows = np.repeat((np.arange(1024) // 4).astype(np.uint8)[:, None], 512, axis=1)
    image = Image.fromarray(rows).convert("RGB")
    crop = centre_crop(image, 256, 224)
    assert crop.shape == (3, 224, 224)
    assert crop[0, 0, 0] == pytest.approx(288 / 4, abs=1)
    assert crop[0, -1, 0] == pytest.approx(736 / 4, abs=1)


def test_cut_and_resize_takes_the_box_only() -> None:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[10:30, 20:50] = 255
    assert (cut_and_resize(Image.fromarray(pixels), (20, 10, 50, 30), 8) == 255).all()


def test_what_is_wrong_with_a_folder_is_explained(folder: Path) -> None:
    (folder / "val" / "n03").mkdir()
    with pytest.raises(DataError, match="1 are in one only, the first is 'n03'"):
        load_dataset("imagenet", folder)
    (folder / "train" / "n03").mkdir()
    with pytest.raises(DataError, match=r"n03: holds no image \(.jpeg, .jpg, .png\)"):
        load_dataset("imagenet", folder)
    with pytest.raises(DataError, match="val/train: does not exist; name the folder"):
        load_dataset("imagenet", folder / "val")
    (folder / "empty" / "train").mkdir(parents=True)
    (folder / "empty" / "val").mkdir()
    with pytest.raises(DataError, match="has 0 class folders, needs two"):
        load_dataset("imagenet", folder / "empty")


def test_a_damaged_image_is_named(folder: Path) -> None:
    broken = folder / "val" / "n01" / "n01_0.JPEG"
    broken.write_bytes(broken.read_bytes()[:200])
    source = load_dataset("imagenet", folder).test
    with pytest.raises(DataError, match=r"n01_0.JPEG: is not a readable image"):
        source.batch(torch.tensor([0]))
    broken.write_bytes(b"no image")
    with pytest.raises(DataError, match=r"n01_0.JPEG: is not a readable image"):
        source.batch(torch.tensor([0]))
