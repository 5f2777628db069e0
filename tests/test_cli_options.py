"""Options that do not belong to what they stand beside: refused in one line, nothing written."""

from pathlib import Path

import pytest

from simulator.__main__ import main

TREE = str(Path(__file__).resolve().parent.parent / "examples/digits_tree")
AXIS = ["--vary", "scratchpad.capacity_kib=256,512"]
SWEEP = ["sweep", "--spec", "edge_npu", "--workload", TREE, "--workers", "1", "--inferences", "20"]
EXPLORE = ["explore", *SWEEP[1:], *AXIS]
INVERSE = ["inverse", *SWEEP[1:], "--smallest", "scratchpad.capacity_kib"]
RUN = ["run", "--spec", "edge_npu", "--workload", TREE]
STREAM = ["stream", "--spec", "edge_npu", "--workload", TREE]
SERVE = ["serve", "--spec", "edge_npu", "--workload", TREE]


def refuses(capsys: pytest.CaptureFixture[str], words: list[str], expected: str) -> None:
    try:
        code = main(words)
    except SystemExit as stop:  # argparse's own errors
        code = stop.code
    printed = capsys.readouterr()
    assert code == 2
    assert printed.out == ""
    assert printed.err.count("\n") == 1, printed.err
    assert expected in printed.err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--top-p", "0.5"], "--top-p 0.5: not used by --policy on_demand, only by top_p"),
        (["--policy", "oracle", "--predictor", "markov"], "only by most_probable, top_p"),
        (["--policy", "tied", "--early-blocks", "2"], "only by early_router"),
        (["--policy", "top_p", "--top-p", "nan"], "--top-p nan: must be from 0 to 1"),
        (["--policy", "early_router", "--early-accuracy", "no.json"], "no.json: cannot be read"),
        (["--out", ""], "names no folder"),
    ],
)
def test_policies_and_their_parameters(capsys, options, expected):
    refuses(capsys, [*RUN, *options], expected)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([*SWEEP, "--vary", "prefetch.top_p=0.5,0.6"], "used only by policy top_p"),
        ([*SWEEP, *AXIS, "--top-p", "0.5"], "--top-p 0.5: not used"),
        ([*SWEEP, *AXIS, "--set", AXIS[1].split(",")[0]], "sets this field at every point"),
        ([*SWEEP, "--vary", "layout=layer_major", "--layout", "path_major"], "leave one out"),
        ([*SWEEP, "--vary", "pe_array.rows=16,32", "--iso-area", "-1"], "must be an area"),
        ([*SWEEP, *AXIS, "--workers", "0"], "--workers 0"),
        ([*SWEEP, *AXIS, "--cluster", "tcp://127.0.0.1:1", "--cluster-timeout", "-1"], "above 0"),
        ([*EXPLORE, "--objectives", "latency,error"], "give --accuracy"),
        ([*EXPLORE, "--accuracy", f"{TREE}/accuracies.json"], "where --objectives lists error"),
        ([*EXPLORE, "--constraint", "p99 < -5ms"], "no p99 is below zero"),
        ([*INVERSE, "--target", "p99 < 5ms", "--set", "scratchpad.capacity_kib=64"], "--smallest"),
    ],
)
def test_studies_of_many_points(capsys, tmp_path, words, expected):
    refuses(capsys, [*words, "--out", str(tmp_path / "out")], expected)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([*STREAM, "--persistence", "0.9"], "only of --stream markov, this one is data_set"),
        ([*STREAM, "--stream", "shuffled", "--burst", "8"], "only of --stream class_bursts"),
        ([*STREAM, "--bit-slices", "4"], "only of --granularity bit_slice"),
        ([*STREAM, "--optimum", "--granularity", "byte"], "printed without it"),
        ([*STREAM, "--margins", "0,0"], "different numbers"),
        ([*SERVE, "--region", "12KiB"], "--region 12KiB: needs a --residency"),
        ([*SERVE, "--arrivals", "poisson:100", "--load", "0.5:0.6:0.1"], "set the rate"),
        ([*SERVE, "--arrivals", "poisson:100", "--burst", "4"], "only of --stream class_bursts"),
    ],
)
def test_streams_and_requests(capsys, tmp_path, words, expected):
    refuses(capsys, [*words, "--out", str(tmp_path / "out")], expected)
    assert not (tmp_path / "out").exists()


def test_trace_writes_program_files_only(capsys, tmp_path):
    out = str(tmp_path / "program.txt")
    refuses(capsys, ["trace", "--workload", "dense_resnet50", "--out", out], "ends in .json")
