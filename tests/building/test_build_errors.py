import json
import shutil

import pytest
import torch

from simulator.__main__ import main
from workloads.building.networks import make_network
from workloads.data.registry import load_dataset

TINY = ("--model", "resnet_tiny", "--data", "shapes", "--size", "tiny", "--epochs", "1,1")


def error_of(capsys, *arguments: str) -> str:
    """The one line a refused build prints."""
    assert main(["build", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--model", "resnet_tinny"), "did you mean 'resnet_tiny'?"),
        (("--model", "pointnet2_small"), "reads point clouds, 'shapes' holds images"),
        (("--data", "mnist"), "--data mnist: must be one of cifar100"),
        (("--data", "cifar100", "--size", "full"), "needs the folder"),
        (("--path", "somewhere"), "is bundled and takes no path"),
        (("--size", "huge"), "'huge' is none of full, small, tiny"),
        (("--seed", "-1"), "--seed -1"),
        (("--recipe", "best"), "recipe 'best' is unknown"),
        (("--epochs", "3"), "--epochs 3: give two lengths"),
        (("--epochs", "3,x"), "--epochs 3,x: must be numbers"),
        (("--depth", "0"), "--depth 0: must be from 1"),
        (("--depth", "3"), "ResNet carries 1 to 2 levels"),
        (("--fractions", "0.5"), "must be 2 numbers above 0"),
        (("--ties", "all"), "--ties all: must be one of none, shared_channels"),
        (("--partition", "labels"), "--partition labels: must be one of kmeans, random"),
        (("--lambda-resp", "-0.1"), "--lambda-resp -0.1: must be zero or more"),
        (("--lambda-resp", "nan"), "--lambda-resp nan: must be zero or more"),
        (("--shape-from-data", "elbow"), "must be one of silhouette, gap"),
        (("--max-params", "9"), "needs --shape-from-data"),
        (("--shape-from-data", "gap", "--max-params", "9"), "max_params 9"),
        (("--pretrained", "none.pt"), "none.pt: cannot be read"),
        (("--device", "tpu9"), "device 'tpu9' is unknown"),
    ],
)
def test_refused(tmp_path, capsys, options, said):
    assert said in error_of(capsys, *TINY, "--out", str(tmp_path / "b"), *options)
    assert not (tmp_path / "b" / "dense_training.pt").exists() or "max_params" in said


def test_a_folder_with_another_build_is_not_overwritten(built, options, tmp_path, capsys):
    copy = tmp_path / "b"
    shutil.copytree(built, copy)
    said = error_of(capsys, *options[1:], "--out", str(copy))
    assert "holds a build already; add --resume" in said
    said = error_of(capsys, *options[1:], "--seed", "7", "--out", str(copy), "--resume")
    assert "was begun with seed 0, now asked for with 7" in said
    assert (copy / "metrics.json").read_bytes() == (built / "metrics.json").read_bytes()


def test_a_build_without_its_checkpoints_is_not_overwritten(built, options, tmp_path, capsys):
    copy = tmp_path / "b"
    copy.mkdir()
    for name in ("request.json", "program.json"):
        shutil.copy(built / name, copy)
    kept = (copy / "request.json").read_bytes()
    assert "holds a build already" in error_of(capsys, *options[1:], "--out", str(copy))
    said = error_of(capsys, *options[1:], "--seed", "7", "--out", str(copy), "--resume")
    assert "was begun with seed 0" in said
    assert (copy / "request.json").read_bytes() == kept


@pytest.mark.parametrize("name", ["dense_training.pt", "tree_training.pt"])
def test_a_damaged_checkpoint_is_named(built, options, tmp_path, capsys, name):
    copy = tmp_path / "b"
    shutil.copytree(built, copy)
    damaged = (copy / name).read_bytes()
    (copy / name).write_bytes(damaged[: len(damaged) // 2])
    said = error_of(capsys, *options[1:], "--out", str(copy), "--resume")
    assert str(copy / name) in said
    assert "damaged" in said


def test_a_damaged_request_is_named(built, options, tmp_path, capsys):
    copy = tmp_path / "b"
    shutil.copytree(built, copy)
    (copy / "request.json").write_text("{")
    said = error_of(capsys, *options[1:], "--out", str(copy), "--resume")
    assert "request.json: is damaged" in said


def test_pretrained_weights_are_used_and_checked(tmp_path, capsys):
    dataset = load_dataset("shapes", size="tiny")
    network = make_network("resnet_tiny", dataset, seed=5)
    file = tmp_path / "weights.pt"
    arguments = (*TINY, "--pretrained", str(file), "--out")

    torch.save(network.state_dict(), file)
    assert main(["build", *arguments, str(tmp_path / "good")]) == 0
    capsys.readouterr()
    metrics = json.loads((tmp_path / "good" / "metrics.json").read_text())
    assert len(metrics["request"]["pretrained_sha256"]) == 64
    assert json.loads((tmp_path / "good" / "history.json").read_text())["dense"] == []
    kept = torch.load(tmp_path / "good" / "dense.pt", weights_only=True)
    assert all(torch.equal(kept[key], value) for key, value in network.state_dict().items())

    weights = dict(network.state_dict())
    weights["fc.weight"], weights["fc.bias"] = torch.zeros(9, 32), torch.zeros(9)
    torch.save(weights, file)
    said = error_of(capsys, *arguments, str(tmp_path / "classes"))
    assert "has 9 classes, this network has 4" in said

    weights = dict(network.state_dict())
    weights["layer1.0.conv1.weight"] = torch.full_like(weights["layer1.0.conv1.weight"], torch.nan)
    torch.save(weights, file)
    assert "not finite" in error_of(capsys, *arguments, str(tmp_path / "nan"))

    said = error_of(capsys, *arguments, str(tmp_path / "good"), "--resume")
    assert "pretrained_sha256" in said


def test_a_file_in_the_way_is_named(tmp_path, capsys):
    (tmp_path / "b").write_text("")
    assert str(tmp_path / "b") in error_of(capsys, *TINY, "--out", str(tmp_path / "b"))
