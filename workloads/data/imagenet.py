"""ImageNet from a folder: `train/CLASS/*.JPEG` and `val/CLASS/*.JPEG`.

Any subset of classes will do, as long as both parts have the same ones. Images stay on disk and
are decoded batch by batch on a few threads. Training crops a random part of random aspect to
224 x 224 and mirrors half of them; evaluation resizes the shorter side to 256 and takes the
central 224 x 224 (arXiv 1512.03385, section 3.4, in the form torchvision's recipes use).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from workloads.data.augment_images import NormaliseImages
from workloads.data.dataset import Batch, Dataset
from workloads.data.errors import DataError
from workloads.data.files import require_folder, short_digest
from workloads.data.image_geometry import TRIES, centre_crop, cut_and_resize, random_box

IMAGE_PX = 224
_SHORTER_PX = 256
_SUFFIXES = {".jpeg", ".jpg", ".png"}
_WHAT = "ImageNet (train/CLASS/*.JPEG and val/CLASS/*.JPEG)"
# The statistics every published ImageNet checkpoint was trained with.
_VIEW = NormaliseImages((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class ImageFolder:
    """Photographs on disk, decoded when asked for; `workloads.data.dataset.Source`."""

    files: tuple[Path, ...]
    targets: Tensor
    threads: int = field(default_factory=lambda: min(16, os.cpu_count() or 1))

    def __len__(self) -> int:
        return len(self.files)

    def batch(self, indices: Tensor, generator: torch.Generator | None = None) -> Batch:
        """Decoded, cropped and normalised images; see `Source.batch`.

        Raises:
            DataError: a file cannot be decoded.
        """
        files = [self.files[index] for index in indices.tolist()]
        draws: list[list[float] | None] = [None] * len(files)
        if generator is not None:
            # Drawn here, so that the threads' order cannot matter.
            draws = torch.rand((len(files), 1 + 4 * TRIES), generator=generator).tolist()
        with ThreadPoolExecutor(self.threads) as pool:
            images = list(pool.map(_decoded, files, draws))
        return _VIEW(torch.from_numpy(np.stack(images))), self.targets[indices]


def load_imagenet(path: Path) -> Dataset:
    """The two folders as a data set; class names are the folders', in alphabetical order.

    Raises:
        DataError: a folder is missing or empty, or the two parts differ in their classes.
    """
    require_folder(path, _WHAT)
    parts = {}
    for part in ("train", "val"):
        require_folder(path / part, f"the {part} images of {_WHAT}")
        parts[part] = sorted(entry.name for entry in (path / part).iterdir() if entry.is_dir())
    different = sorted(set(parts["train"]) ^ set(parts["val"]))
    if different:
        raise DataError(
            f"{path}: train and val must have the same class folders; {len(different)} are in one "
            f"only, the first is {different[0]!r}"
        )
    if len(parts["train"]) < 2:
        raise DataError(f"{path / 'train'}: has {len(parts['train'])} class folders, needs two")
    train, test = (_folder(path / part, names) for part, names in parts.items())
    listing = "\n".join(str(file.relative_to(path)) for file in (*train.files, *test.files))
    digest = short_digest(listing.encode())
    return Dataset(
        name="imagenet",
        train=train,
        test=test,
        class_names=tuple(parts["train"]),
        input_shape=(3, IMAGE_PX, IMAGE_PX),
        provenance=f"image folders, {len(train)} + {len(test)} images, sha256 of names {digest}",
    )


def _folder(part: Path, names: list[str]) -> ImageFolder:
    files: list[Path] = []
    targets: list[int] = []
    for index, name in enumerate(names):
        found = sorted(f for f in (part / name).iterdir() if f.suffix.lower() in _SUFFIXES)
        if not found:
            raise DataError(f"{part / name}: holds no image ({', '.join(sorted(_SUFFIXES))})")
        files += found
        targets += [index] * len(found)
    return ImageFolder(tuple(files), torch.tensor(targets))


def _decoded(file: Path, draws: list[float] | None) -> NDArray[np.uint8]:
    """One image, (3, 224, 224): the central crop, or with draws a random one."""
    try:
        with Image.open(file) as opened:
            image = opened.convert("RGB")
    except (OSError, UnidentifiedImageError, SyntaxError) as error:
        raise DataError(f"{file}: is not a readable image: {error}") from None
    if draws is None:
        return centre_crop(image, _SHORTER_PX, IMAGE_PX)
    tries = [draws[1 + 4 * index : 5 + 4 * index] for index in range(TRIES)]
    pixels = cut_and_resize(image, random_box(*image.size, tries), IMAGE_PX)
    return pixels[:, :, ::-1] if draws[0] < 0.5 else pixels
