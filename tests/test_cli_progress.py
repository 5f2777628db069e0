"""Long commands say how far they are on a terminal, nothing in a pipe, and what Ctrl-C leaves."""

import io
import re
import sys
from pathlib import Path

import pytest

from simulator.__main__ import main
from simulator.cli import interrupt, study_options
from simulator.cli.progress import ProgressLine, StepLine
from simulator.program_file import workload_to_json
from simulator.sensitivity import TIMING_UNCERTAINTIES
from simulator.study.execute import Progress
from tests.study.conftest import small_tree

TREE = str(Path(__file__).resolve().parent.parent / "examples" / "digits_tree")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("programs") / "tree.json"
    path.write_text(workload_to_json(small_tree()))
    return str(path)


def shown(monkeypatch, words: list[str], terminal: io.StringIO) -> list[str]:
    """Every line of progress, in order."""
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("simulator.cli.progress.RENEW_S", 0.0)
    assert main(words) == 0
    return [line for line in re.split(r"[\r\n]", terminal.getvalue()) if " of " in line]


SPEC = ("--spec", "edge_npu")
EDF = ("--arrivals", "poisson:5", "--deadline", "1s", "--scheduling", "edf")


@pytest.mark.parametrize(
    ("words", "last"),
    [
        # A timing constant is the only kind that is simulated anew.
        (
            ["sensitivity", *SPEC, "--workload", "TREE"],
            f"8 of 8, {TIMING_UNCERTAINTIES[-1].name}; ",
        ),
        # Every request is served by deadline, and once more first come first served.
        (
            ["serve", *SPEC, "--workload", "TREE", "--inferences", "50", *EDF],
            "serve: 100 of 100 requests, again first come first served; ",
        ),
        # Four loads of one system.
        (
            ["serve", *SPEC, "--workload", "TREE", "--inferences", "50", "--load", "0.2:0.8:0.2"],
            "serve: 4 of 4, load 0.8; 0 s left",
        ),
        (
            ["validate", "--case", "scalesim", "--case", "nvdla"],
            "validate: 2 of 2, nvdla; 0 s left",
        ),
    ],
)
def test_the_last_step_is_the_last_of_all(monkeypatch, tree, words, last):
    lines = shown(monkeypatch, [tree if word == "TREE" else word for word in words], Terminal())
    assert last in lines[-1]
    counts = [int(re.search(r"([\d,]+) of", line)[1].replace(",", "")) for line in lines]
    assert counts == sorted(counts)


def test_a_search_for_the_highest_rate_ends_with_its_last_rate(monkeypatch, tree):
    # From 1 % to 100 % of the load in halves to 0.1 %: both ends, and 10 between (2^10 > 990).
    words = ["serve", *SPEC, "--workload", tree, "--inferences", "50", "--sustain", "p99 < 20us"]
    lines = shown(monkeypatch, words, Terminal())
    assert lines[-1].endswith("serve: 12 of 12, the highest rate; 0 s left")


def test_place_counts_what_it_costs_and_what_it_simulates(monkeypatch):
    small = ("--set", "scratchpad.capacity_kib=16", "--inferences", "20")
    words = ["place", *SPEC, "--workload", TREE, *small, "--widths", "8", "--tiers", "dram"]
    lines = shown(monkeypatch, words, Terminal())
    assert lines[0] == "\x1b[Kplace: 1 of 36, costing the stages"  # 12 divisions, each thrice
    done, total = map(int, re.search(r"(\d+) of (\d+), budget 1 %, greedy", lines[-1]).groups())
    assert done == total < 36


def test_pipes_stay_empty(monkeypatch, tree):
    pipe = io.StringIO()
    assert shown(monkeypatch, ["sensitivity", *SPEC, "--workload", tree], pipe) == []
    assert pipe.getvalue() == ""


def test_rate_and_time_left_are_of_the_part_that_runs(monkeypatch):
    now_s = [0.0]
    monkeypatch.setattr("simulator.cli.progress.time.monotonic", lambda: now_s[0])
    line = StepLine("probe:", 10, "batches")
    line.advance(4)
    assert line.text(8.0) == "probe: 4 of 10 batches; 0.5/s, 12 s left"
    now_s[0] = 8.0
    line.restart(3)
    line.begin("branch1.0")
    assert line.text(0.0) == "probe: 0 of 3 batches, branch1.0"
    plain = StepLine("validate:", 2)
    assert plain.text(1.0) == "validate: 1 of 2"
    plain.advance(2)
    assert plain.text(1.0) == "validate: 2 of 2; 0 s left"


def strike(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_command_that_keeps_nothing_says_so(monkeypatch, capsys, tree):
    monkeypatch.setattr("simulator.cli.sensitivity.analyse_sensitivity", strike)
    assert main(["sensitivity", *SPEC, "--workload", tree]) == 130
    assert capsys.readouterr().err == "interrupted: the same command starts over\n"


def test_a_sweep_says_how_to_go_on(monkeypatch, capsys, tree, tmp_path):
    monkeypatch.setattr("simulator.cli.sweep.Sweep.write_csv", strike)
    words = ["sweep", *SPEC, "--workload", tree, "--workers", "1", "--out", str(tmp_path)]
    assert main([*words, "--vary", "dram.bandwidth=2G,4G"]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"interrupted: 2 of 2 points are kept in {tmp_path / 'results.sqlite'}; the same command "
        "goes on from there"
    )


def test_before_the_first_point_nothing_is_kept():
    line = ProgressLine("sweep:")
    with (
        pytest.raises(KeyboardInterrupt, match=f"^{interrupt.STARTS_OVER}$"),
        study_options.resumable(line, Path("store")),
    ):
        strike()
    line(Progress(9, finished=4))
    with (
        pytest.raises(KeyboardInterrupt, match="4 of 9 points are kept in store"),
        study_options.resumable(line, Path("store")),
    ):
        strike()
