import json
from pathlib import Path

import pytest

from simulator.probes_file import (
    ProbesError,
    check_probes,
    probes_from_file,
    probes_to_json,
)
from simulator.program_file import workload_from_json

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "digits_tree"


def test_the_shipped_probes_are_of_the_shipped_program():
    probes = probes_from_file(FOLDER / "probes.json")
    program = workload_from_json((FOLDER / "program.json").read_text(), "program").program
    check_probes(probes, program, "probes")
    assert probes_to_json(probes) == (FOLDER / "probes.json").read_text()
    names = {layer.name for layer in program.layers()}
    for branch in probes.branches:
        for probe in branch.probes:
            assert any(name.startswith(probe.after) for name in names)
    # The program without its top branch has others.
    arm = program.steps[1].arms[0]
    check_probes(probes, arm, "probes")
    short = probes.model_copy(update={"branches": probes.branches[:1]})
    with pytest.raises(ProbesError, match=r"here: branches: branch2\.0 has no probes"):
        check_probes(short, program, "here")


def test_earlier_than_the_earliest_is_the_earliest():
    probes = probes_from_file(FOLDER / "probes.json")
    top = probes.branches[0]
    assert [probe.blocks_earlier for probe in top.probes] == [0, 1]
    assert top.earlier(1) is top.earlier(7) is top.probes[1]
    assert probes.early_accuracy(0)["branch1.0"] == top.probes[0].accuracy_fraction
    assert probes.early_accuracy(3).keys() == {"branch1.0", "branch2.0", "branch2.1"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(schema="x"), "schema: is"),
        (lambda d: d["branches"][0].update(probes=[]), "branches.0.probes"),
        (
            lambda d: d["branches"][0]["probes"][0].update(accuracy_fraction=1.2),
            "accuracy_fraction",
        ),
        (lambda d: d["branches"][0].update(more=1), "more: unknown field"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(tmp_path, change, message):
    data = json.loads((FOLDER / "probes.json").read_text())
    change(data)
    file = tmp_path / "probes.json"
    file.write_text(json.dumps(data))
    with pytest.raises(ProbesError, match=message) as caught:
        probes_from_file(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
