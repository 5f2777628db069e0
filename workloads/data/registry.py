"""Data sets by name."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from workloads.data.cifar100 import load_cifar100
from workloads.data.dataset import Dataset
from workloads.data.digits import load_digits
from workloads.data.errors import DataError
from workloads.data.modelnet40 import load_modelnet40
from workloads.data.shapes import SIZES as SHAPES_SIZES
from workloads.data.shapes import load_shapes
from workloads.data.solids import SIZES as SOLIDS_SIZES
from workloads.data.solids import load_solids

FULL = "full"


class DatasetName(StrEnum):
    """The data sets `load_dataset` knows."""

    CIFAR100 = "cifar100"
    IMAGENET = "imagenet"
    MODELNET40 = "modelnet40"
    DIGITS = "digits"
    SHAPES = "shapes"
    SOLIDS = "solids"


BUNDLED = (DatasetName.DIGITS, DatasetName.SHAPES, DatasetName.SOLIDS)
"""Those that need no files."""


def load_dataset(
    name: str,
    path: Path | None = None,
    seed: int = 0,
    size: str = FULL,
    verify: bool = True,
) -> Dataset:
    """The named data set, ready to train on.

    Args:
        name: one of `DatasetName`.
        path: folder with the files, for those that are not bundled.
        seed: makes or splits a bundled set; the others have one published split.
        size: preset of the procedural sets: full, small or tiny.
        verify: compare CIFAR-100 and ModelNet40 with the published checksums and counts.

    Raises:
        DataError: an unknown name or size, a path missing or not wanted, or damaged files.
    """
    if name not in list(DatasetName):
        raise DataError(f"data set {name!r} is unknown; there are {', '.join(DatasetName)}")
    if size != FULL and name not in (DatasetName.SHAPES, DatasetName.SOLIDS):
        raise DataError(f"data set {name!r}: size: it has one size only, got {size!r}")
    if name in BUNDLED:
        if path is not None:
            raise DataError(f"data set {name!r} is bundled and takes no path, got {path}")
        return _bundled(DatasetName(name), seed, size)
    if path is None:
        raise DataError(f"data set {name!r} needs the folder its files are in")
    if name == DatasetName.CIFAR100:
        return load_cifar100(path, verify)
    if name == DatasetName.MODELNET40:
        return load_modelnet40(path, verify)
    # Imported here: it needs Pillow, which the others do without.
    from workloads.data.imagenet import load_imagenet

    return load_imagenet(path)


def _bundled(name: DatasetName, seed: int, size: str) -> Dataset:
    if seed < 0:
        raise DataError(f"data set {name!r}: seed: {seed} is negative")
    if name == DatasetName.DIGITS:
        return load_digits(seed)
    sizes = SHAPES_SIZES if name == DatasetName.SHAPES else SOLIDS_SIZES
    if size not in sizes:
        raise DataError(f"data set {name!r}: size: {size!r} is none of {', '.join(sizes)}")
    return load_shapes(size, seed) if name == DatasetName.SHAPES else load_solids(size, seed)
