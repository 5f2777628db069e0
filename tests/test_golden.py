"""Runs that must stay as they are until somebody says why not."""

import json

import pytest

from tests.update_golden import CASES, FOLDER, Case, path_of, produce


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden(case: Case) -> None:
    golden = json.loads(path_of(case).read_text())
    found = produce(case)
    assert found["made_from"] == golden["made_from"], "the inputs changed, not the simulator"
    assert found["figures"] == golden["figures"]


def test_goldens_are_whole_numbers_and_all_in_use() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == {case.name for case in CASES}
    for case in CASES:
        figures = json.loads(path_of(case).read_text())["figures"]
        flat = [*figures.values(), *figures["stalls_ps"].values(), *figures["counts"].values()]
        assert all(isinstance(value, int | dict) for value in flat)
        assert figures["latency_ps"] == figures["compute_ps"] + sum(figures["stalls_ps"].values())
