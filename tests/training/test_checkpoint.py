"""Checkpoints: plain, whole, and the same bytes for the same state."""

from collections import OrderedDict
from pathlib import Path
from unittest import mock

import pytest
import torch
from torch import nn

from workloads.training.checkpoint import load_checkpoint, save_checkpoint, write_atomically
from workloads.training.errors import TrainingError


def state() -> dict:
    weight = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    return {
        "model": OrderedDict(a=weight, b=weight, c=weight.t()),
        "groups": [{"betas": (0.9, 0.999), "lr": 0.1, "foreach": None}],
        "epoch": 7,
        "nested": {"empty": torch.zeros(0), "flag": True, "text": "module"},
    }


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.pt", state())
    loaded = load_checkpoint(tmp_path / "c.pt")
    expected = state()
    assert set(loaded) == set(expected)
    assert loaded["groups"] == expected["groups"]
    assert loaded["epoch"] == 7
    for key, value in expected["model"].items():
        assert torch.equal(loaded["model"][key], value)
    assert loaded["nested"]["empty"].shape == (0,)


def test_a_tied_block_is_stored_once(tmp_path: Path) -> None:
    block = torch.zeros(100_000)
    save_checkpoint(tmp_path / "tied.pt", {"a": block, "b": block})
    save_checkpoint(tmp_path / "apart.pt", {"a": block, "b": block.clone()})
    sizes = [(tmp_path / name).stat().st_size for name in ("tied.pt", "apart.pt")]
    # 400 kB of float32 once or twice, and less than 4 kB of directory.
    assert 400_000 < sizes[0] < 404_000
    assert 800_000 < sizes[1] < 804_000


def test_saving_what_was_loaded_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first.pt", tmp_path / "second.pt"
    save_checkpoint(first, state())
    save_checkpoint(second, load_checkpoint(first))
    assert first.read_bytes() == second.read_bytes()


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    write_atomically(path, b"old")
    with (
        mock.patch("os.fsync", side_effect=OSError(28, "No space left on device")),
        pytest.raises(TrainingError, match=r"c.pt: cannot be written: No space left"),
    ):
        write_atomically(path, b"new content")
    assert path.read_bytes() == b"old"


def test_only_plain_state_can_be_saved(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="cannot hold a Linear"):
        save_checkpoint(tmp_path / "c.pt", {"model": nn.Linear(1, 1)})
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_explained_wherever_it_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, state())
    whole = path.read_bytes()
    for length in (0, 1, 10, len(whole) // 3, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(TrainingError, match=r"c.pt: is damaged or not a checkpoint"):
            load_checkpoint(path)
    path.write_bytes(b"\x00" + whole[1:])
    with pytest.raises(TrainingError, match="is damaged"):
        load_checkpoint(path)


class Harmful:
    """Unpickling it would write a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return Path.touch, (self.target,)


def test_a_hostile_file_does_nothing(tmp_path: Path) -> None:
    path, target = tmp_path / "c.pt", tmp_path / "touched"
    torch.save({"model": Harmful(target)}, path)
    with pytest.raises(TrainingError, match="is damaged or not a checkpoint of tensors and plain"):
        load_checkpoint(path)
    assert not target.exists()


def test_missing_and_odd_files_are_explained(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"none.pt: cannot be read: No such file"):
        load_checkpoint(tmp_path / "none.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(TrainingError, match=r"list.pt: holds a list, a checkpoint is a mapping"):
        load_checkpoint(tmp_path / "list.pt")
    with pytest.raises(TrainingError, match="cannot be written: No such file"):
        save_checkpoint(tmp_path / "no folder" / "c.pt", {})
