import json
from pathlib import Path

import pytest

from simulator.outcomes_file import (
    InputOutcome,
    Outcomes,
    OutcomesError,
    branch_places,
    check_outcomes,
    most_probable,
    outcomes_from_file,
    outcomes_to_json,
)
from simulator.program_file import routes_from_file, workload_from_json

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "digits_tree"
PLACES = [{"name": "a", "prefix": []}, {"name": "b", "prefix": [1]}]
LEAVES = ((0,), (1, 0), (1, 1))


@pytest.fixture(scope="module")
def shipped() -> Outcomes:
    return outcomes_from_file(FOLDER / "outcomes.json")


def small(*inputs: InputOutcome) -> Outcomes:
    return Outcomes.model_validate(
        {"workload": "w", "source": "s", "branches": PLACES, "leaves": LEAVES, "inputs": inputs}
    )


def test_decisions_are_followed_to_their_leaf():
    # Label 7; the router says arm 1, then arm 0: leaf 1, which is wrong. Leaf 0 would be right.
    entry = InputOutcome(
        label=7, leaf=1, probabilities=((0.4, 0.6), (0.9, 0.1)), predictions=(7, 5, 7)
    )
    other = InputOutcome(
        label=5, leaf=1, probabilities=((0.1, 0.9), (0.9, 0.1)), predictions=(7, 5, 7)
    )
    outcomes = small(entry, other)
    assert outcomes.follow(entry, most_probable) == 1
    assert outcomes.follow(entry, lambda name, _: int(name == "b")) == 0
    assert outcomes.follow(entry, lambda *_: 1) == 2
    assert outcomes.accuracy_fraction() == 0.5
    assert outcomes.accuracy_fraction(lambda *_: 0) == 0.5
    assert outcomes.accuracy_fraction(lambda *_: 1) == 0.5
    assert outcomes.route(entry).probabilities == ((0.4, 0.6), (0.9, 0.1))
    assert outcomes.route(entry, 0).arms == (0,)
    assert outcomes.route(entry, 0).probabilities == ((0.4, 0.6),)


def test_the_shipped_outcomes_take_the_shipped_routes(shipped):
    assert shipped.routes() == routes_from_file(FOLDER / "routes.json")
    for entry in shipped.inputs:
        assert shipped.follow(entry, most_probable) == entry.leaf
    assert shipped.accuracy_fraction() == pytest.approx(340 / 359)


def test_the_shipped_outcomes_are_of_the_shipped_program(shipped):
    workload = workload_from_json((FOLDER / "program.json").read_text(), "program")
    check_outcomes(shipped, workload.program, "outcomes")
    counts = [0] * len(shipped.leaves)
    for entry in shipped.inputs:
        counts[entry.leaf] += 1
    assert list(workload.leaf_shares) == pytest.approx([c / 359 for c in counts])


def test_writing_and_reading_keeps_the_bytes(shipped):
    assert outcomes_to_json(shipped) == (FOLDER / "outcomes.json").read_text()


def test_another_program_is_refused(shipped):
    whole = workload_from_json((FOLDER / "program.json").read_text(), "program").program
    arm = whole.steps[1].arms[0]
    assert [place.name for place in branch_places(arm)] == ["branch2.0"]
    with pytest.raises(OutcomesError, match=r"here: branches: are branch1.0, branch2.0, branch2.1"):
        check_outcomes(shipped, arm, "here")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(schema="x"), "expected"),
        (lambda d: d.pop("leaves"), "leaves: missing"),
        (lambda d: d["inputs"][3]["predictions"].pop(), r"inputs\[3\]: leaf \d and 3 pred"),
        (lambda d: d["inputs"][0].update(leaf=4), r"inputs\[0\]: leaf 4"),
        (lambda d: d["inputs"][2]["probabilities"].pop(), r"inputs\[2\]: probabilities for"),
        (lambda d: d["inputs"][2]["probabilities"][0].__setitem__(0, 0.9), "do not sum to 1"),
        (lambda d: d["branches"][1].update(prefix=[2]), "no leaf lies behind"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(tmp_path, change, message):
    data = json.loads((FOLDER / "outcomes.json").read_text())
    change(data)
    file = tmp_path / "outcomes.json"
    file.write_text(json.dumps(data))
    with pytest.raises(OutcomesError, match=message) as caught:
        outcomes_from_file(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_cut_short_is_refused(tmp_path):
    file = tmp_path / "outcomes.json"
    file.write_text((FOLDER / "outcomes.json").read_text()[:500])
    with pytest.raises(OutcomesError, match="not a complete JSON file"):
        outcomes_from_file(file)
