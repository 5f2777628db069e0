"""ModelNet40 in both distributions, from small files in the true format."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from workloads.data.errors import DataError
from workloads.data.modelnet40 import load_modelnet40
from workloads.data.registry import load_dataset

NAMES = ["airplane", "night_stand"]
POINTS = 1030


def cloud(seed: int) -> np.ndarray:
    """Positions and unit normals."""
    values = np.random.default_rng(seed).normal(size=(POINTS, 6)).astype(np.float32)
    values[:, 3:] /= np.linalg.norm(values[:, 3:], axis=1, keepdims=True)
    return values


def write_cloud(file: Path, values: np.ndarray) -> None:
    file.write_text("".join(",".join(f"{v:.6f}" for v in row) + "\n" for row in values))


@pytest.fixture
def text(tmp_path: Path) -> Path:
    folder = tmp_path / "modelnet40_normal_resampled"
    listed: dict[str, list[str]] = {"train": [], "test": []}
    for label, name in enumerate(NAMES):
        (folder / name).mkdir(parents=True)
        for index in range(3):
            shape = f"{name}_{index + 1:04d}"
            write_cloud(folder / name / f"{shape}.txt", cloud(10 * label + index))
            listed["test" if index == 2 else "train"].append(shape)
    (folder / "modelnet40_shape_names.txt").write_text("\n".join(NAMES) + "\n")
    for part, shapes in listed.items():
        (folder / f"modelnet40_{part}.txt").write_text("\n".join(shapes) + "\n")
    return folder


def test_text_clouds_are_cut_centred_and_scaled(text: Path) -> None:
    dataset = load_modelnet40(text, verify=False)
    assert dataset.train.targets.tolist() == [0, 0, 1, 1]
    assert dataset.class_names == tuple(NAMES)
    inputs, targets = dataset.test.batch(torch.tensor([1]))
    assert targets.tolist() == [1]
    assert inputs.shape == (1, 3, 1024)
    # Shape night_stand_0003, written to six digits.
    expected = cloud(12)[:1024, :3].astype(np.float64)
    expected -= expected.mean(0)
    expected /= np.linalg.norm(expected, axis=1).max()
    np.testing.assert_allclose(inputs[0].numpy().T, expected, atol=2e-6)


def test_training_clouds_are_augmented(text: Path) -> None:
    source = load_dataset("modelnet40", text.parent, verify=False).train
    indices = torch.tensor([0, 0])
    plain, _ = source.batch(indices)
    changed, _ = source.batch(indices, torch.Generator().manual_seed(0))
    assert torch.equal(plain[0], plain[1])
    assert not torch.equal(changed[0], changed[1])
    assert changed.shape == plain.shape


def test_damaged_text_files_are_explained(text: Path) -> None:
    file = text / "airplane" / "airplane_0001.txt"
    whole = file.read_text()
    damages = {
        "expected at least 1024 lines of 6 finite numbers, found 1023 of 6": "".join(
            whole.splitlines(keepends=True)[:1023]
        ),
        "is damaged: ": whole.replace(",", ";", 1),
        "6 finite numbers": whole.replace(whole.split(",")[0], "nan", 1),
    }
    for message, content in damages.items():
        file.write_text(content)
        with pytest.raises(DataError, match=f"airplane_0001.txt: {message}|{message}"):
            load_modelnet40(text, verify=False)
    file.unlink()
    with pytest.raises(DataError, match=r"airplane_0001.txt: is listed but missing"):
        load_modelnet40(text, verify=False)
    (text / "modelnet40_train.txt").write_text("car_0001\n")
    with pytest.raises(DataError, match="'car_0001' is of no class"):
        load_modelnet40(text, verify=False)
    (text / "modelnet40_train.txt").write_text("")
    with pytest.raises(DataError, match="lists no shapes"):
        load_modelnet40(text, verify=False)


def test_published_counts_are_demanded(text: Path) -> None:
    with pytest.raises(DataError, match="2 class names, ModelNet40 has 40"):
        load_modelnet40(text)
    names = [*NAMES, *(f"class{index}" for index in range(38))]
    (text / "modelnet40_shape_names.txt").write_text("\n".join(names))
    with pytest.raises(DataError, match="4 train shapes, the published set has 9843"):
        load_modelnet40(text)


def test_a_folder_without_either_layout_is_explained(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds neither layout of ModelNet40"):
        load_modelnet40(tmp_path)


@pytest.fixture
def hdf5(tmp_path: Path) -> Path:
    h5py = pytest.importorskip("h5py")
    folder = tmp_path / "modelnet40_ply_hdf5_2048"
    folder.mkdir()
    (folder / "shape_names.txt").write_text("\n".join(NAMES) + "\n")
    for part, files in (("train", 2), ("test", 1)):
        lines = []
        for index in range(files):
            name = f"ply_data_{part}{index}.h5"
            with h5py.File(folder / name, "w") as content:
                data = np.random.default_rng(index).normal(size=(3, 2048, 3)).astype(np.float32)
                content["data"] = data
                content["label"] = np.array([[0], [1], [1]], np.uint8)
            lines.append(f"data/modelnet40_ply_hdf5_2048/{name}\n")
        (folder / f"{part}_files.txt").write_text("".join(lines))
    return folder


def test_hdf5_clouds_of_all_listed_files_are_read(hdf5: Path) -> None:
    dataset = load_modelnet40(hdf5.parent, verify=False)
    assert dataset.train.targets.tolist() == [0, 1, 1, 0, 1, 1]
    assert len(dataset.test) == 3
    inputs, _ = dataset.train.batch(torch.tensor([4]))
    expected = np.random.default_rng(1).normal(size=(3, 2048, 3)).astype(np.float32)[1, :1024]
    expected -= expected.mean(0)
    expected /= np.linalg.norm(expected, axis=1).max()
    np.testing.assert_allclose(inputs[0].numpy().T, expected, atol=1e-6)


def test_damaged_hdf5_files_are_explained(hdf5: Path) -> None:
    import h5py

    file = hdf5 / "ply_data_test0.h5"
    with h5py.File(file, "r+") as content:
        content["label"][0] = 2
    with pytest.raises(DataError, match="a label below 2 for each of its 3 clouds"):
        load_modelnet40(hdf5, verify=False)
    with h5py.File(file, "w") as content:
        content["data"] = np.zeros((3, 500, 3), np.float32)
        content["label"] = np.zeros((3, 1), np.uint8)
    with pytest.raises(DataError, match=r"shape \(3, 500, 3\), expected \(N, 2048, 3\)"):
        load_modelnet40(hdf5, verify=False)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(DataError, match=r"ply_data_test0.h5: is missing or no HDF5"):
        load_modelnet40(hdf5, verify=False)


def test_without_h5py_the_text_layout_is_suggested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "train_files.txt").write_text("a.h5\n")
    (tmp_path / "shape_names.txt").write_text("\n".join(NAMES))
    with pytest.raises(DataError, match="needs h5py, which is not installed"):
        load_modelnet40(tmp_path, verify=False)
