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


def test_routing_by_residency_and_stand_ins(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    standin = ("--standin", "--standin-outcomes", f"{DIGITS}/outcomes_4bit.json")
    words = ["--residency", "lfu", "--region", "8KiB", "--granularity", "bit_slice", *standin]
    assert main(["stream", *SMALL, "--workload", DIGITS, *words, "--margins", "0,0.4"]) == 0
    text = capsys.readouterr().out
    assert "High bits on chip stand in for the rest" in text
    assert "Residency-aware routing" in text
    found = run(capsys, *words, "--margins", "0,0.4", "--out", str(tmp_path))
    plain, fewer = found["residency"]
    assert (plain["standin_fraction"], plain["accuracy_fraction"]) == (0, pytest.approx(340 / 359))
    assert fewer["standin_fraction"] > 0
    assert fewer["weight_read_bytes"] < plain["weight_read_bytes"]
    margins = [(each["standin"], each["margin"]) for each in found["margins"]]
    assert margins == [(False, 0), (False, 0.4), (True, 0), (True, 0.4)]
    assert found["margins"][0]["weight_read_bytes"] == plain["weight_read_bytes"]
    assert (tmp_path / "routing.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--margins", "0.1"], "--margins: needs --outcomes too"),
        (["--standin"], "only bit_slice keeps weights in fewer bits"),
        (["--granularity", "bit_slice", "--bit-slices", "9"], "bit_slices 9: must be from 2 to 8"),
    ],
)
def test_what_routing_needs(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    routes = ["--routes", f"{DIGITS}/routes.json", "--region", "8KiB"]
    assert main(["stream", *SMALL, "--workload", DIGITS, *routes, *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("margins", ["lots", "0,2"])
def test_margins_that_are_none(margins: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stream", *SMALL, "--workload", DIGITS, "--margins", margins]) == 2
    assert "expected numbers from 0 to 1" in capsys.readouterr().err


def test_the_optimum_lies_between_belady_and_the_bound(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--residency", "belady", "--granularity", "node", "--region", "12KiB", "--optimum"]
    found = run(capsys, *words, "--inferences", "5")
    (belady,) = found["residency"]
    assert belady["hit_fraction"] <= found["optimum_hit_fraction"] <= found["most_hit_fraction"]
