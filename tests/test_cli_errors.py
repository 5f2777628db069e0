"""Bad input: one line that names what is wrong and what would be right, exit code 2, no files."""

import json
from pathlib import Path

import pytest

from simulator.__main__ import main

ROOT = Path(__file__).resolve().parent.parent
SPEC = ROOT / "accelerator_specs/edge_npu.yaml"
PROGRAM = ROOT / "workloads/programs/dense_resnet50_cifar100.json"
RUN_SPEC = ["run", "--workload", "dense_resnet50", "--spec"]
RUN_WORKLOAD = ["run", "--spec", "edge_npu", "--workload"]


def fails(capsys: pytest.CaptureFixture[str], words: list[str], *expected: str) -> None:
    try:
        code = main(words)
    except SystemExit as stop:  # argparse's own errors
        code = stop.code
    printed = capsys.readouterr()
    assert code == 2
    assert printed.out == ""
    assert printed.err.count("\n") == 1, printed.err
    assert "Traceback" not in printed.err
    for words_in_line in expected:
        assert words_in_line in printed.err


def edited_spec(tmp_path: Path, old: str, new: str) -> str:
    text = SPEC.read_text()
    assert old in text
    path = tmp_path / "edited.yaml"
    path.write_text(text.replace(old, new, 1))
    return str(path)


def test_unknown_workload_names_the_nearest(capsys):
    fails(capsys, [*RUN_WORKLOAD, "sigmab_resnet5O"], "sigmab_resnet5O", "'sigmab_resnet50'")


def test_missing_spec_lists_the_shipped(capsys):
    fails(capsys, [*RUN_SPEC, "specs/nowhere.yaml"], "nowhere.yaml", "shipped:", "edge_npu")


def test_spec_that_is_a_folder(capsys, tmp_path):
    fails(capsys, [*RUN_SPEC, str(tmp_path)], str(tmp_path), "cannot be read")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("  rows: 64", "  rows: [64", ["line"]),
        ("  rows: 64", "  rows: 64\n  rows: 32", ["'rows'", "twice", "line"]),
        ("  rows: 64", "  rowz: 64", ["pe_array", "rowz"]),
        ("vector_unit:", "vector_uint:", ["vector_uint", "did you mean 'vector_unit'"]),
        ("capacity_kib: 2048", "capacity_kib: 2 MiB", ["scratchpad.capacity_kib", "2 MiB"]),
        ("capacity_kib: 2048", "capacity_kib: 2048.5", ["scratchpad.capacity_kib", "2048.5"]),
        ("capacity_kib: 2048", "capacity_kib: -1", ["scratchpad.capacity_kib", "-1", "greater"]),
        ("capacity_kib: 2048", "capacity_kib: 0", ["scratchpad.capacity_kib", "greater"]),
        ("capacity_kib: 2048", "capacity_kib: .nan", ["scratchpad.capacity_kib"]),
        ("capacity_kib: 2048", "capacity_kib: 1000000000000", ["capacity_kib", "less"]),
        ("capacity_kib: 2048", "capacity_kib: yes", ["scratchpad.capacity_kib"]),
        ("clock_hz: 1_000_000_000", "clock_hz: 1e9", ["pe_array.clock_hz", "1e9", "6.4e+9"]),
        ("mac_pj: 0.20", "mac_pj: .nan", ["energy.mac_pj"]),
        ("mac_pj: 0.20", "mac_pj: .inf", ["energy.mac_pj"]),
        ("mac_pj: 0.20", "mac_pj: -0.2", ["energy.mac_pj", "-0.2"]),
        ("dataflow: dot_product", "dataflow: magic", ["pe_array.dataflow", "magic", "ideal"]),
        ("name: edge_npu", "name: !!python/object:os.system {}", ["could not determine"]),
        ('  pe_array.rows: "S:', '  pe_array.rows: "', ["sources.pe_array.rows", "mark"]),
    ],
)
def test_bad_spec(capsys, tmp_path, old, new, expected):
    path = edited_spec(tmp_path, old, new)
    fails(capsys, [*RUN_SPEC, path], path, *expected)


@pytest.mark.parametrize("text", ["", "[1, 2]", "just words", "\x00"])
def test_spec_that_is_no_mapping(capsys, tmp_path, text):
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    fails(capsys, [*RUN_SPEC, str(path)], str(path))


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("scratchpad.capacity", ["FIELD=VALUE"]),
        ("scratchpad.capacity=512", ["did you mean 'scratchpad.capacity_kib'"]),
        ("scratchpad.capacity_kib=big", ["scratchpad.capacity_kib", "big"]),
        ("scratchpad.capacity_kib=-4", ["scratchpad.capacity_kib", "-4"]),
    ],
)
def test_bad_override(capsys, override, expected):
    fails(capsys, [*RUN_SPEC, "edge_npu", "--set", override], *expected)


def test_program_file_cut_short(capsys, tmp_path):
    path = tmp_path / "short.json"
    path.write_text(PROGRAM.read_text()[:5000])
    fails(capsys, [*RUN_WORKLOAD, str(path)], str(path), "not a complete JSON file")


def test_foreign_json(capsys, tmp_path):
    path = tmp_path / "foreign.json"
    path.write_text('{"hello": 1}')
    fails(capsys, [*RUN_WORKLOAD, str(path)], str(path), "simulator.program")


def test_program_of_another_version(capsys, tmp_path):
    path = tmp_path / "future.json"
    path.write_text(PROGRAM.read_text().replace('"schema_version": 1', '"schema_version": 9', 1))
    fails(capsys, [*RUN_WORKLOAD, str(path)], "schema_version", "9")


def test_program_with_an_impossible_layer(capsys, tmp_path):
    data = json.loads(PROGRAM.read_text())
    data["program"]["steps"][0]["layers"][0]["dims"]["k"] = 65
    path = tmp_path / "impossible.json"
    path.write_text(json.dumps(data))
    fails(capsys, [*RUN_WORKLOAD, str(path)], "conv1", "n*k*p*q")


def test_missing_program_file(capsys, tmp_path):
    fails(capsys, [*RUN_WORKLOAD, str(tmp_path / "none.json")], "none.json", "cannot be read")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", ["simulator.routes"]),
        ('{"schema": "simulator.routes", "schema_version": 1, "routes": []}', ["non-empty"]),
        (
            '{"schema": "simulator.routes", "schema_version": 1, "routes": [{"arms": [0]}]}',
            ["routes[0]", "ends before branch"],
        ),
        (
            '{"schema": "simulator.routes", "schema_version": 1, "routes": [{"arms": [0, 7]}]}',
            ["routes[0]", "arm 7"],
        ),
        (
            '{"schema": "simulator.routes", "schema_version": 1, "routes": [{"arms": [0, 0, 0]}]}',
            ["routes[0]", "more than branches"],
        ),
        (
            '{"schema": "simulator.routes", "schema_version": 1, "routes": [{"arms": [-1, 0]}]}',
            ["routes[0]", "arms"],
        ),
    ],
)
def test_bad_routes(capsys, tmp_path, text, expected):
    path = tmp_path / "routes.json"
    path.write_text(text)
    fails(capsys, [*RUN_WORKLOAD, "sigmab_resnet50", "--routes", str(path)], *expected)


@pytest.mark.parametrize("count", ["0", "-3", "99999999999"])
def test_inference_count_out_of_range(capsys, count):
    fails(capsys, [*RUN_WORKLOAD, "dense_resnet50", f"--inferences={count}"], "--inferences")


def test_negative_seed(capsys):
    fails(capsys, [*RUN_WORKLOAD, "dense_resnet50", "--seed=-1"], "--seed -1")


def test_unknown_policy(capsys):
    fails(capsys, [*RUN_WORKLOAD, "dense_resnet50", "--policy", "psychic"], "psychic", "oracle")


def test_unknown_command(capsys):
    fails(capsys, ["rnu"], "rnu")


def test_output_folder_that_is_a_file(capsys, tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    words = [*RUN_WORKLOAD, "dense_resnet50", "--out", str(blocker / "sub")]
    fails(capsys, words, str(blocker), "is a file")
    assert blocker.read_text() == ""


def test_failure_leaves_no_output_folder(capsys, tmp_path):
    out = tmp_path / "out"
    words = [*RUN_WORKLOAD, "dense_resnet50", "--set", "scratchpad.capacity_kib=16"]
    fails(capsys, [*words, "--out", str(out)], "does not fit", "scratchpad", "KiB")
    assert not out.exists()


def test_infeasible_says_what_would_fit_and_that_fits(capsys):
    words = [*RUN_WORKLOAD, "dense_resnet50_cifar100"]
    assert main([*words, "--set", "scratchpad.capacity_kib=16"]) == 2
    enough_kib = int(capsys.readouterr().err.split("a scratchpad of ")[1].split(" KiB")[0])
    assert main([*words, "--set", f"scratchpad.capacity_kib={enough_kib}", "--json"]) == 0
    assert main([*words, "--set", f"scratchpad.capacity_kib={enough_kib - 1}", "--json"]) == 2


def test_compare_needs_two_workloads(capsys):
    words = ["compare", "--spec", "edge_npu", "--workloads", "dense_resnet50"]
    fails(capsys, words, "--workloads", "two")
