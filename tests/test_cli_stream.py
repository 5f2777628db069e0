"""`stream` from the command line: what it prints, writes and refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from simulator.__main__ import main

DIGITS = "examples/digits_tree"
SMALL = ["--spec", "edge_npu", "--set", "scratchpad.capacity_kib=64"]


def run(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    assert main(["stream", *SMALL, "--workload", DIGITS, "--json", *words]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_a_built_tree_replays_its_inputs_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    found = run(capsys, "--residency", "none,lru,belady", "--region", "12KiB")
    assert found["stream"]["kind"] == "data_set"
    assert found["stream"]["inferences"] == 359
    none, lru, belady = found["residency"]
    assert none["hit_fraction"] == 0
    assert 0 < lru["hit_fraction"] <= belady["hit_fraction"] <= found["most_hit_fraction"]
    assert lru["weight_read_bytes"] < none["weight_read_bytes"]


def test_files_are_complete_and_repeat_exactly(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = (
        "--residency",
        "lru",
        "--stream",
        "class_bursts",
        "--inferences",
        "400",
        "--region",
        "8KiB",
    )
    for name in ("a", "b"):
        run(capsys, *words, "--inferences", "400", "--out", str(tmp_path / name))
    first = (tmp_path / "a" / "stream.json").read_text()
    assert first == (tmp_path / "b" / "stream.json").read_text()
    assert json.loads(first)["provenance"]["workload"] == "sigmab_resnet_tiny_digits"
    assert (tmp_path / "a" / "residency.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader((tmp_path / "a" / "windows.csv").open()))
    assert sum(int(row["inferences"]) for row in rows if row["residency"] == "lru") == 400


def test_the_table_names_what_matters(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--workload", "sigmab_pointnet2", "--region", "25%", "--inferences", "50"]
    assert main(["stream", *SMALL[:2], *words, "--residency", "lru"]) == 0
    text = capsys.readouterr().out
    assert "hit bytes" in text
    assert "No policy at any granularity keeps more than" in text
    assert "Next leaf, given the last" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--residency", "mru"], "--residency 'mru': no such policy"),
        (["--residency", "lru,lru"], "name one or more different policies"),
        (["--region", "lots"], "--region 'lots': expected e.g. 512KiB"),
        (["--region", "100%"], "--region 100%: the scratchpad has"),
        (["--placement", "fill"], "stream keeps weights by --residency"),
        (["--inferences", "0"], "--inferences 0: must be from 1 to"),
        (["--seed", "-1"], "--seed -1: must be zero or more"),
        (["--stream", "markov", "--persistence", "2"], "--persistence 2: must be from 0 to 1"),
        (["--outcomes", "missing.json"], "missing.json: cannot be read"),
        (["--stream", "class_bursts", "--routes", f"{DIGITS}/routes.json"], "needs classes"),
    ],
)
def test_what_is_refused(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stream", *SMALL, "--workload", DIGITS, "--region", "8KiB", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
