"""CIFAR-100 in both published layouts, from small files in the true format."""

import hashlib
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from workloads.data import cifar100
from workloads.data.cifar100 import load_cifar100
from workloads.data.errors import DataError
from workloads.data.registry import load_dataset
from workloads.data.restricted_pickle import read_plain_pickle

FINE = [f"fine{index}" for index in range(100)]
COARSE = [f"coarse{index}" for index in range(20)]


def examples(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of 3,072 bytes, fine labels in turn, and each one's coarse label."""
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 3072), np.uint8)
    fine = np.arange(count) % 100
    return pixels, fine, (fine * 7) % 20


class Python2Pickle:
    """Writes what Python 2's cPickle wrote with protocol 2, instruction by instruction."""

    def __init__(self) -> None:
        self.out = bytearray(b"\x80\x02")
        self.puts = 0

    def put(self) -> None:
        short = self.puts < 256
        self.out += b"q" + bytes([self.puts]) if short else b"r" + struct.pack("<I", self.puts)
        self.puts += 1

    def string(self, value: bytes) -> None:
        short = len(value) < 256
        self.out += b"U" + bytes([len(value)]) if short else b"T" + struct.pack("<i", len(value))
        self.out += value
        self.put()

    def integer(self, value: int) -> None:
        if 0 <= value < 256:
            self.out += b"K" + bytes([value])
        elif 0 <= value < 65536:
            self.out += b"M" + struct.pack("<H", value)
        else:
            self.out += b"J" + struct.pack("<i", value)

    def items(self, values: list) -> None:
        self.out += b"]"
        self.put()
        # cPickle fills lists in lots of a thousand.
        for start in range(0, len(values), 1000):
            self.out += b"("
            for value in values[start : start + 1000]:
                self.string(value) if isinstance(value, bytes) else self.integer(value)
            self.out += b"e"

    def array(self, values: np.ndarray) -> None:
        self.out += b"cnumpy.core.multiarray\n_reconstruct\n"
        self.put()
        self.out += b"cnumpy\nndarray\n"
        self.put()
        self.out += b"K\x00\x85"
        self.put()
        self.string(b"b")
        self.out += b"\x87"
        self.put()
        self.out += b"R"
        self.put()
        self.out += b"(K\x01"
        for size in values.shape:
            self.integer(size)
        self.out += b"\x86"
        self.put()
        self.out += b"cnumpy\ndtype\n"
        self.put()
        self.string(b"u1")
        self.out += b"K\x00K\x01\x87"
        self.put()
        self.out += b"R"
        self.put()
        self.out += b"(K\x03"
        self.string(b"|")
        self.out += b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t"
        self.put()
        self.out += b"b\x89"
        self.string(values.tobytes())
        self.out += b"t"
        self.put()
        self.out += b"b"

    def dictionary(self, content: dict) -> bytes:
        self.out += b"}"
        self.put()
        self.out += b"("
        for key, value in content.items():
            self.string(key)
            if isinstance(value, np.ndarray):
                self.array(value)
            elif isinstance(value, list):
                self.items(value)
            else:
                self.string(value)
        self.out += b"u."
        return bytes(self.out)


def python_batch(name: bytes, pixels: np.ndarray, fine: np.ndarray, coarse: np.ndarray) -> bytes:
    content = {
        b"filenames": [b"image_s_%06d.png" % index for index in range(len(fine))],
        b"batch_label": name,
        b"fine_labels": fine.tolist(),
        b"coarse_labels": coarse.tolist(),
        b"data": pixels,
    }
    return Python2Pickle().dictionary(content)


def meta() -> bytes:
    names = {
        b"fine_label_names": [name.encode() for name in FINE],
        b"coarse_label_names": [name.encode() for name in COARSE],
    }
    return Python2Pickle().dictionary(names)


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    folder = tmp_path / "cifar-100-binary"
    folder.mkdir()
    for name, count, seed in (("train", 300, 0), ("test", 100, 1)):
        pixels, fine, coarse = examples(count, seed)
        records = np.concatenate([coarse[:, None], fine[:, None], pixels], axis=1).astype(np.uint8)
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    (folder / "fine_label_names.txt").write_text("\n".join(FINE) + "\n")
    (folder / "coarse_label_names.txt").write_text("\n".join(COARSE) + "\n")
    return folder


@pytest.fixture
def python(tmp_path: Path) -> Path:
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    for name, count, seed in (("train", 300, 0), ("test", 100, 1)):
        (folder / name).write_bytes(python_batch(name.encode(), *examples(count, seed)))
    (folder / "meta").write_bytes(meta())
    return folder


def test_both_layouts_hold_the_same_images(binary: Path, python: Path) -> None:
    first, second = (load_cifar100(folder, verify=False) for folder in (binary, python))
    pixels, fine, _ = examples(100, 1)
    for dataset in (first, second):
        assert (dataset.test.inputs.numpy() == pixels.reshape(-1, 3, 32, 32)).all()
        assert dataset.test.targets.tolist() == fine.tolist()
        assert dataset.superclasses == tuple((index * 7) % 20 for index in range(100))
        assert dataset.class_names == tuple(FINE)
        assert dataset.superclass_names == tuple(COARSE)
        assert dataset.train.augmentation is not None
        assert dataset.test.augmentation is None
    assert first.provenance == second.provenance


def test_the_folder_around_the_archive_is_found_too(binary: Path) -> None:
    dataset = load_dataset("cifar100", binary.parent, verify=False)
    assert dataset.train.batch(torch.tensor([3]))[0].shape == (1, 3, 32, 32)


def test_the_test_files_are_pickles_python_itself_reads_the_same() -> None:
    pixels, fine, coarse = examples(3, 0)
    data = python_batch(b"three", pixels, fine, coarse)
    ours = read_plain_pickle(data, "batch")
    theirs = pickle.loads(data, encoding="bytes")  # noqa: S301  (written three lines above)
    assert set(ours) == set(theirs)
    for key in set(ours) - {b"data"}:
        assert ours[key] == theirs[key], key
    assert (ours[b"data"] == theirs[b"data"]).all()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x80\x02cos\nsystem\nU\x02ls\x85R.", "refers to 'os system'"),
        (b"\x80\x02cnumpy\nndarray\nK\x01\x85R.", "describes something that is no array"),
        (b"\x80\x02K\x01K\x02b.", "gives a state to something that is no array"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "SHORT_BINUNICODE is not allowed"),
        (b"\x80\x02}U\x01aK\x01", "exhausted before seeing STOP"),
        (b"\x80\x02Ka", "exhausted before seeing STOP"),
        (b"\x80\x02K\x01a.", "expects a list"),
        (b"\x80\x02]K\x01e.", "lacks its operands"),
        (b"\x80\x02h\x05.", "5"),
        (b"not a pickle at all", "opcode"),
        (b"", "exhausted"),
    ],
)
def test_anything_but_plain_values_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=rf"batch: byte \d+: not a CIFAR python file: .*({reason})"):
        read_plain_pickle(data, "batch")


def test_a_pickle_of_something_else_is_refused() -> None:
    with pytest.raises(DataError, match="holds a list, a CIFAR file holds a dict"):
        read_plain_pickle(b"\x80\x02].", "batch")


def test_an_array_of_other_numbers_is_refused() -> None:
    data = python_batch(b"x", *examples(1, 0)).replace(b"U\x02u1", b"U\x02f4")
    with pytest.raises(DataError, match="no array of bytes"):
        read_plain_pickle(data, "batch")


def test_wrong_content_of_a_python_file_is_explained(python: Path) -> None:
    pixels, fine, coarse = examples(100, 1)
    (python / "test").write_bytes(python_batch(b"x", pixels[:99], fine, coarse))
    with pytest.raises(DataError, match="a fine and a coarse label for each"):
        load_cifar100(python, verify=False)
    (python / "test").write_bytes(python_batch(b"x", pixels[:, :3000], fine, coarse))
    with pytest.raises(DataError, match="rows of 3072 bytes"):
        load_cifar100(python, verify=False)
    empty = python_batch(b"x", pixels[:0], fine[:0], coarse[:0])
    (python / "test").write_bytes(empty)
    with pytest.raises(DataError, match="test: holds no images"):
        load_cifar100(python, verify=False)
    (python / "test").write_bytes(python_batch(b"x", pixels, fine, coarse))
    (python / "meta").write_bytes(Python2Pickle().dictionary({b"fine_label_names": [1] * 100}))
    with pytest.raises(DataError, match="fine_label_names: must be a list of 100 names"):
        load_cifar100(python, verify=False)
    (python / "meta").unlink()
    with pytest.raises(DataError, match="meta: cannot be read: No such file"):
        load_cifar100(python, verify=False)


def test_checksums_are_compared(python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"train: md5 is .*, the published file has 16019d7e"):
        load_cifar100(python)
    sums = {
        name: hashlib.md5((python / name).read_bytes(), usedforsecurity=False).hexdigest()
        for name in ("train", "test", "meta")
    }
    monkeypatch.setattr(cifar100, "_MD5", sums)
    # The checksums now fit, so what is missing is the published number of images.
    with pytest.raises(DataError, match="train: class 0 has 3 images, expected 500"):
        load_cifar100(python)


def test_damaged_binary_files_are_explained(binary: Path) -> None:
    train = binary / "train.bin"
    whole = train.read_bytes()
    train.write_bytes(whole[:-1])
    with pytest.raises(DataError, match="922199 bytes is not a whole number of 3074-byte records"):
        load_cifar100(binary, verify=False)
    train.write_bytes(bytes([0, 200]) + whole[2:])
    with pytest.raises(DataError, match="a label is 200, they go from 0 to 99"):
        load_cifar100(binary, verify=False)
    train.write_bytes(bytes([5]) + whole[1:])
    with pytest.raises(DataError, match="class 0 has coarse label"):
        load_cifar100(binary, verify=False)
    train.write_bytes(whole[: 99 * 3074])
    with pytest.raises(DataError, match="class 99 has 0 images, expected at least one"):
        load_cifar100(binary, verify=False)
    train.write_bytes(whole)
    with pytest.raises(DataError, match="class 0 has 3 images, expected 500"):
        load_cifar100(binary)
    (binary / "fine_label_names.txt").write_text("apple\n")
    with pytest.raises(DataError, match="1 names, CIFAR-100 has 100"):
        load_cifar100(binary, verify=False)


def test_missing_folders_are_explained(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: does not exist; name the folder"):
        load_cifar100(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="is not a folder"):
        load_cifar100(tmp_path / "file")
    with pytest.raises(DataError, match="holds neither layout"):
        load_cifar100(tmp_path)
