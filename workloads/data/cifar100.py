"""CIFAR-100 from its published files, in the binary or the Python layout.

Binary: `train.bin` and `test.bin` of 3,074-byte records (coarse label, fine label, 1,024 red,
green and blue values each, row by row), and the two label files. Python: `train`, `test` and
`meta`. Both hold 50,000 and 10,000 images (Krizhevsky, Learning multiple layers of features from
tiny images, 2009). The checksums of the Python files are those torchvision checks
(torchvision/datasets/cifar.py); of the binary layout only the archive's is published, so the size
of its files and the 500 and 100 images of every class are checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray

from workloads.data.augment_images import CropAndFlip, NormaliseImages
from workloads.data.dataset import Dataset, TensorSource
from workloads.data.errors import DataError
from workloads.data.files import (
    check_md5,
    folder_with,
    read_bytes,
    read_lines,
    require_folder,
    short_digest,
)
from workloads.data.restricted_pickle import read_plain_pickle

_FINE, _COARSE = 100, 20
_PIXEL_BYTES = 3 * 32 * 32
_RECORD_BYTES = 2 + _PIXEL_BYTES
_PER_CLASS = {"train": 500, "test": 100}
_MD5 = {
    "train": "16019d7e3df5f24257cddd939b257f8d",
    "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    "meta": "7973b15100ade9c7d40fb424638fde48",
}
_WHAT = "CIFAR-100 (cifar-100-binary with train.bin, or cifar-100-python with train)"


@dataclass(frozen=True)
class _Split:
    """One file's images (N, 3, 32, 32) and labels."""

    images: NDArray[np.uint8]
    fine: NDArray[np.int64]
    coarse: NDArray[np.int64]


def load_cifar100(path: Path, verify: bool = True) -> Dataset:
    """CIFAR-100 from a folder, the archive's own or the one around it.

    Args:
        path: where the files are.
        verify: compare with the published checksums and counts; without it any number of images
            in the true format will do, as long as every class occurs.

    Raises:
        DataError: a file is missing, damaged or not CIFAR-100.
    """
    require_folder(path, _WHAT)
    if folder := folder_with(path, "cifar-100-binary", "train.bin"):
        splits = {name: _read_binary(folder / f"{name}.bin") for name in _PER_CLASS}
        fine_names = _names(folder / "fine_label_names.txt", _FINE)
        coarse_names = _names(folder / "coarse_label_names.txt", _COARSE)
    elif folder := folder_with(path, "cifar-100-python", "train"):
        splits = {name: _read_python(folder / name, verify) for name in _PER_CLASS}
        fine_names, coarse_names = _python_names(folder / "meta", verify)
    else:
        raise DataError(f"{path}: holds neither layout of {_WHAT}; unpack the archive there")
    for name, split in splits.items():
        _check_labels(split, _PER_CLASS[name] if verify else None, f"{folder}: {name}")
    return _dataset(splits, fine_names, coarse_names)


def _dataset(
    splits: dict[str, _Split], fine_names: tuple[str, ...], coarse_names: tuple[str, ...]
) -> Dataset:
    train, test = splits["train"], splits["test"]
    superclasses = np.zeros(_FINE, np.int64)
    superclasses[train.fine] = train.coarse
    for name, split in splits.items():
        wrong = np.flatnonzero(superclasses[split.fine] != split.coarse)
        if len(wrong):
            raise DataError(
                f"CIFAR-100 {name}: image {wrong[0]} of class {split.fine[wrong[0]]} has coarse "
                f"label {split.coarse[wrong[0]]}, others of its class have "
                f"{superclasses[split.fine[wrong[0]]]}; the file is damaged"
            )
    view = NormaliseImages.measured(torch.from_numpy(train.images))
    digest = short_digest(train.images.tobytes(), test.images.tobytes())
    return Dataset(
        name="cifar100",
        train=_source(train, view, CropAndFlip()),
        test=_source(test, view, None),
        class_names=fine_names,
        input_shape=(3, 32, 32),
        provenance=f"CIFAR-100, {len(train.fine)} + {len(test.fine)} images, sha256 {digest}",
        superclass_names=coarse_names,
        superclasses=tuple(superclasses.tolist()),
    )


def _source(split: _Split, view: NormaliseImages, augmentation: CropAndFlip | None) -> TensorSource:
    images, targets = torch.from_numpy(split.images), torch.from_numpy(split.fine)
    return TensorSource(images, targets, view, augmentation)


def _read_binary(path: Path) -> _Split:
    data = read_bytes(path)
    if not data or len(data) % _RECORD_BYTES:
        raise DataError(
            f"{path}: {len(data)} bytes is not a whole number of {_RECORD_BYTES}-byte records; "
            "the file is damaged, unpack the archive again"
        )
    records = np.frombuffer(data, np.uint8).reshape(-1, _RECORD_BYTES)
    images = records[:, 2:].reshape(-1, 3, 32, 32).copy()
    return _Split(images, records[:, 1].astype(np.int64), records[:, 0].astype(np.int64))


def _read_python(path: Path, verify: bool) -> _Split:
    content = _python_content(path, verify)
    pixels = content.get(b"data")
    labels = [content.get(key) for key in (b"fine_labels", b"coarse_labels")]
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.shape[1] != _PIXEL_BYTES:
        raise DataError(f"{path}: data: must be an array of rows of {_PIXEL_BYTES} bytes")
    for values in labels:
        if not _is_list_of(values, int, len(pixels)):
            raise DataError(f"{path}: must hold a fine and a coarse label for each of its images")
    fine, coarse = (np.asarray(values, np.int64) for values in labels)
    return _Split(pixels.reshape(-1, 3, 32, 32).copy(), fine, coarse)


def _python_content(path: Path, verify: bool) -> dict[bytes, object]:
    data = read_bytes(path)
    if verify:
        check_md5(data, _MD5[path.name], path)
    return read_plain_pickle(data, str(path))


def _python_names(path: Path, verify: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    content = _python_content(path, verify)
    found = []
    for key, count in ((b"fine_label_names", _FINE), (b"coarse_label_names", _COARSE)):
        values = content.get(key)
        if not _is_list_of(values, bytes, count):
            raise DataError(f"{path}: {key.decode()}: must be a list of {count} names")
        found.append(tuple(value.decode("latin-1") for value in values))
    return found[0], found[1]


def _is_list_of(values: object, kind: type, count: int) -> TypeGuard[list[Any]]:
    return (
        isinstance(values, list)
        and len(values) == count
        and all(isinstance(value, kind) for value in values)
    )


def _names(path: Path, count: int) -> tuple[str, ...]:
    names = read_lines(path)
    if len(names) != count:
        raise DataError(f"{path}: {len(names)} names, CIFAR-100 has {count}")
    return tuple(names)


def _check_labels(split: _Split, per_class: int | None, origin: str) -> None:
    """Labels in range, every class present, and as often as published."""
    if not len(split.fine):
        raise DataError(f"{origin}: holds no images")
    for labels, count in ((split.fine, _FINE), (split.coarse, _COARSE)):
        if labels.min() < 0 or labels.max() >= count:
            raise DataError(f"{origin}: a label is {labels.max()}, they go from 0 to {count - 1}")
    _check_counts(np.bincount(split.fine, minlength=_FINE).tolist(), per_class, origin)


def _check_counts(counts: Sequence[int], per_class: int | None, origin: str) -> None:
    for index, count in enumerate(counts):
        if count == 0 or (per_class is not None and count != per_class):
            expected = per_class if per_class is not None else "at least one"
            raise DataError(f"{origin}: class {index} has {count} images, expected {expected}")
