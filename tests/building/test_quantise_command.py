import json
import shutil
from pathlib import Path

import pytest

from simulator.__main__ import main
from simulator.ir import Workload
from simulator.outcomes_file import check_outcomes, outcomes_from_file
from simulator.program_file import workload_from_json
from simulator.study.accuracy import Accuracies

TREE = Path(__file__).resolve().parent.parent.parent / "examples" / "digits_tree"


@pytest.fixture(scope="module")
def workload() -> Workload:
    return workload_from_json((TREE / "program.json").read_text(), "program")


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> Path:
    """The example measured with one axis, base 8 bits."""
    out = tmp_path_factory.mktemp("quantised")
    command = ["quantise", "--tree", str(TREE), "--out", str(out), "--bits", "level2.*=4,16"]
    assert main(command) == 0
    return out


def test_the_reference_is_what_the_build_measured(measured):
    data = json.loads((measured / "accuracies.json").read_text())
    assert data["inputs"] == 359
    reference = data["entries"][0]
    assert reference["choices"] == {"precision.weight_bits": 32}
    # The committed outcomes were computed on another machine: near ties may fall otherwise.
    shipped = outcomes_from_file(TREE / "outcomes.json").accuracy_fraction()
    assert reference["accuracy_fraction"] == pytest.approx(shipped, abs=2 / 359)
    assert reference["routes_changed"] == 0


def test_explore_finds_what_was_measured(measured, tmp_path, workload):
    found = Accuracies.read(measured / "accuracies.json")
    name = workload.name
    whole = found.error_fraction(name, {"precision.weight_bits": 4})
    assert whole >= found.error_fraction(name, {"precision.weight_bits": 16})
    assert found.error_fraction(name, {}) == found.error_fraction(
        name, {"precision.weight_bits": 8}
    )
    command = ["explore", "--spec", "edge_npu", "--workload", str(TREE), "--inferences", "5"]
    command += ["--vary", "bits.level2.*=4,16", "--objectives", "latency,error", "--no-figures"]
    command += ["--accuracy", str(measured / "accuracies.json"), "--out", str(tmp_path / "e")]
    assert main(command) == 0


def test_the_outcomes_of_each_width_fit_the_program(measured, workload):
    plain = outcomes_from_file(TREE / "outcomes.json")
    for bits in (16, 8, 6, 4):
        found = outcomes_from_file(measured / f"outcomes_{bits}bit.json")
        check_outcomes(found, workload.program, "outcomes")
        assert f"in {bits} bits" in found.source
        # Trunk and routers are as trained: the first decision is the same.
        for one, two in zip(found.inputs, plain.inputs, strict=True):
            assert one.probabilities[0] == pytest.approx(two.probabilities[0], abs=1e-3)
    assert found.inputs != plain.inputs


def test_a_placement_is_measured(tmp_path, capsys, workload):
    names = [segment.name for segment in workload.program.segments()]
    file = tmp_path / "placement.json"
    nodes = {name: {"bits": 4 if name == "trunk" else 8} for name in names}
    file.write_text(json.dumps({"schema": "simulator.placement", "nodes": nodes}))
    command = ["quantise", "--tree", str(TREE), "--out", str(tmp_path), "--bits", "trunk=8"]
    assert main([*command, "--placement", str(file)]) == 0
    entry = json.loads((tmp_path / "accuracies.json").read_text())["entries"][-1]
    assert entry["choices"]["bits.trunk"] == 4
    assert f"({entry['right']} of 359)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--bits", "levl2.*"), "--bits levl2.*: no node of the tree has such a name"),
        (("--bits", "trunk=5"), "--bits trunk=5: expected PATTERN=W,W"),
        (("--scale", "max"), "--scale max: must be one of max_abs, mse"),
        (("--base-bits", "7"), "--base-bits 7: must be"),
        (("--activation-bits", "3"), "--activation-bits 3: must be one of"),
        (("--placement", "examples/digits_tree/routes.json"), "is no placement"),
    ],
)
def test_bad_options_end_in_one_line(tmp_path, capsys, options, message, monkeypatch):
    monkeypatch.chdir(TREE.parent.parent)
    assert main(["quantise", "--tree", str(TREE), "--out", str(tmp_path), *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("name", ["request.json", "tree.pt", "program.json"])
def test_a_folder_without_a_build_is_named(tmp_path, capsys, name):
    copy = tmp_path / "b"
    shutil.copytree(TREE, copy)
    (copy / name).unlink()
    assert main(["quantise", "--tree", str(copy), "--out", str(tmp_path / "o")]) == 2
    assert str(copy / name) in capsys.readouterr().err
