"""ModelNet40 from either of its usual point-cloud distributions.

Text, `modelnet40_normal_resampled`: one file per shape, 10,000 lines of six comma-separated
numbers (position and normal), and lists of the 9,843 training and 2,468 test shapes. HDF5,
`modelnet40_ply_hdf5_2048`: files of 2,048-point clouds with labels, 9,840 and 2,468 shapes. Of
each cloud the first 1,024 positions are kept, centred and scaled to the unit ball (PointNet++,
arXiv 1706.02413, appendix B). No checksum is published for either; counts, shapes and labels are
checked.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from types import ModuleType

import numpy as np
import torch
from numpy.typing import NDArray

from workloads.data.augment_points import DisturbPoints
from workloads.data.dataset import Dataset, TensorSource
from workloads.data.errors import DataError
from workloads.data.files import folder_with, read_lines, require_folder, short_digest
from workloads.data.point_clouds import channels_first, unit_ball

POINTS = 1024
_CLASSES = 40
_TEXT_COUNTS = {"train": 9843, "test": 2468}
_HDF5_COUNTS = {"train": 9840, "test": 2468}
_TEXT_NAMES = "modelnet40_shape_names.txt"
_WHAT = (
    f"ModelNet40 (modelnet40_normal_resampled with {_TEXT_NAMES}, "
    "or modelnet40_ply_hdf5_2048 with train_files.txt)"
)

_Split = tuple[NDArray[np.float32], NDArray[np.int64]]


def load_modelnet40(path: Path, verify: bool = True) -> Dataset:
    """ModelNet40 from a folder, the archive's own or the one around it.

    Args:
        path: where the files are.
        verify: demand the published 40 classes and numbers of shapes; without it any will do.

    Raises:
        DataError: a file is missing or damaged, or h5py is needed and not installed.
    """
    require_folder(path, _WHAT)
    if folder := folder_with(path, "modelnet40_normal_resampled", _TEXT_NAMES):
        layout, counts, names = "text", _TEXT_COUNTS, read_lines(folder / _TEXT_NAMES)
        splits = {part: _read_text(folder, part, names) for part in counts}
    elif folder := folder_with(path, "modelnet40_ply_hdf5_2048", "train_files.txt"):
        layout, counts, names = "HDF5", _HDF5_COUNTS, read_lines(folder / "shape_names.txt")
        splits = {part: _read_hdf5(folder, part, len(names)) for part in counts}
    else:
        raise DataError(f"{path}: holds neither layout of {_WHAT}; unpack the archive there")
    if verify and len(names) != _CLASSES:
        raise DataError(f"{folder}: {len(names)} class names, ModelNet40 has {_CLASSES}")
    for part, (clouds, _) in splits.items():
        if verify and len(clouds) != counts[part]:
            raise DataError(
                f"{folder}: {len(clouds)} {part} shapes, the published set has {counts[part]}"
            )
    train, test = splits["train"], splits["test"]
    digest = short_digest(train[0].tobytes(), test[0].tobytes())
    return Dataset(
        name="modelnet40",
        train=_source(train, DisturbPoints()),
        test=_source(test, None),
        class_names=tuple(names),
        input_shape=(3, POINTS),
        provenance=(
            f"ModelNet40, {layout}, {len(train[1])} + {len(test[1])} shapes, sha256 {digest}"
        ),
    )


def _source(split: _Split, augmentation: DisturbPoints | None) -> TensorSource:
    clouds, targets = (torch.from_numpy(array) for array in split)
    return TensorSource(clouds, targets, channels_first, augmentation)


def _read_text(folder: Path, part: str, names: list[str]) -> _Split:
    listing = folder / f"modelnet40_{part}.txt"
    shapes = read_lines(listing)
    if not shapes:
        raise DataError(f"{listing}: lists no shapes")
    clouds = np.empty((len(shapes), POINTS, 3), np.float32)
    targets = np.empty(len(shapes), np.int64)
    for index, shape in enumerate(shapes):
        name = shape.rpartition("_")[0]
        if name not in names:
            raise DataError(f"{listing}: {shape!r} is of no class in {_TEXT_NAMES}")
        clouds[index] = _read_cloud(folder / name / f"{shape}.txt")
        targets[index] = names.index(name)
    return unit_ball(clouds), targets


def _read_cloud(file: Path) -> NDArray[np.float32]:
    """The first positions of one text file."""
    if not file.is_file():
        raise DataError(f"{file}: is listed but missing; unpack the archive again")
    try:
        rows = np.loadtxt(file, np.float32, delimiter=",", max_rows=POINTS, ndmin=2)
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: is damaged: {error}") from None
    if rows.shape != (POINTS, 6) or not np.isfinite(rows).all():
        raise DataError(
            f"{file}: expected at least {POINTS} lines of 6 finite numbers, "
            f"found {rows.shape[0]} of {rows.shape[1]}"
        )
    return rows[:, :3]


def _read_hdf5(folder: Path, part: str, classes: int) -> _Split:
    h5py = _h5py()
    clouds, targets = [], []
    for line in read_lines(folder / f"{part}_files.txt"):
        # The lists name files by the path they had at their author's.
        file = folder / PurePosixPath(line).name
        try:
            with h5py.File(file, "r") as content:
                data, label = content["data"][:], content["label"][:]
        except (OSError, KeyError) as error:
            raise DataError(f"{file}: is missing or no HDF5 with data and label: {error}") from None
        if data.ndim != 3 or data.shape[1] < POINTS or data.shape[2] != 3:
            raise DataError(f"{file}: data: shape {data.shape}, expected (N, 2048, 3)")
        if label.size != len(data) or label.max() >= classes or not np.isfinite(data).all():
            raise DataError(
                f"{file}: needs finite points and a label below {classes} for each of its "
                f"{len(data)} clouds"
            )
        clouds.append(data[:, :POINTS].astype(np.float32))
        targets.append(label.reshape(-1).astype(np.int64))
    if not clouds:
        raise DataError(f"{folder / f'{part}_files.txt'}: lists no files")
    return unit_ball(np.concatenate(clouds)), np.concatenate(targets)


def _h5py() -> ModuleType:
    try:
        import h5py
    except ImportError:
        raise DataError(
            "the HDF5 layout of ModelNet40 needs h5py, which is not installed: "
            "install the 'data' extra, or use the text layout"
        ) from None
    module: ModuleType = h5py
    return module
