import json
from collections import Counter
from pathlib import Path

import pytest

from simulator.counts import count_program
from simulator.ir import leaf_routes
from simulator.outcomes_file import check_outcomes, outcomes_from_file
from simulator.program_file import routes_from_file, workload_from_json
from workloads.data.registry import load_dataset

FILES = {
    "dense.pt",
    "tree.pt",
    "program.json",
    "routes.json",
    "outcomes.json",
    "metrics.json",
    "channels.json",
    "class_by_leaf.json",
    "history.json",
    "times.json",
    "tree.png",
    "channels.png",
    "class_by_leaf.png",
    "training.png",
}


def read(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_build_leaves_everything_the_manual_names(built):
    assert {path.name for path in built.iterdir()} >= FILES
    assert not list(built.glob("*.partial"))
    for picture in built.glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_routes_are_those_of_every_test_input_in_order(built):
    routes = routes_from_file(built / "routes.json")
    targets = load_dataset("digits").test.targets.tolist()
    assert len(routes) == len(targets)
    leaves = leaf_routes(workload_from_json((built / "program.json").read_text(), "p").program)
    # Class by leaf, counted anew from the routes' order and the set's own targets.
    counted = Counter(
        (target, leaves.index(route.arms)) for target, route in zip(targets, routes, strict=True)
    )
    table = read(built / "class_by_leaf.json")["counts"]
    assert {(c, k): n for c, row in enumerate(table) for k, n in enumerate(row) if n} == counted


def test_every_arm_is_the_most_probable(built):
    for route in routes_from_file(built / "routes.json"):
        for arm, said in zip(route.arms, route.probabilities, strict=True):
            assert said[arm] == max(said)
            assert sum(said) == pytest.approx(1.0, abs=2e-6)


def test_the_programs_leaf_shares_are_the_measured_ones(built):
    workload = workload_from_json((built / "program.json").read_text(), "program")
    tree = read(built / "metrics.json")["tree"]
    routes = [route.arms for route in routes_from_file(built / "routes.json")]
    shares = [routes.count(leaf) / len(routes) for leaf in leaf_routes(workload.program)]
    assert list(workload.leaf_shares) == pytest.approx(shares, abs=1e-6)
    assert tree["leaf_shares"] == pytest.approx(shares, abs=1e-6)
    assert "measured" in workload.leaf_shares_source


def test_metrics_agree_with_the_program_and_with_each_other(built):
    metrics = read(built / "metrics.json")
    tree, dense = metrics["tree"], metrics["dense"]
    program = workload_from_json((built / "program.json").read_text(), "program").program
    counts = count_program(program, 8)
    assert tree["p_total"] == counts.params_total
    assert tree["p_active"] == max(route.params_active for route in counts.routes)
    assert tree["active_cut_fraction"] == 1 - tree["p_active"] / dense["params"]
    ties = tree["ties"]
    # In a binary tree each tied parameter is stored once instead of twice.
    assert ties["params_saved"] == ties["params_tied"] > 0
    assert ties["bytes_saved"] == {"fp32": 4 * ties["params_saved"], "int8": ties["params_saved"]}
    # Without ties the nodes' parameters sum to what is stored and what the ties save.
    assert sum(n["params"] for n in tree["nodes"]) == tree["p_total"] + ties["params_saved"]
    recorded = read(built / "history.json")["finetune"][-1]["metrics"]
    assert recorded["top1_fraction"] == tree["top1_fraction"]
    assert recorded["balance_fraction"] == tree["balance_fraction"]


def test_metrics_hold_no_times_and_no_places(built):
    text = (built / "metrics.json").read_text()
    assert str(built) not in text
    assert '_s":' not in text
    assert read(built / "times.json")["tree"][0]["duration_s"] > 0


def test_outcomes_agree_with_routes_and_accuracy(built):
    outcomes = outcomes_from_file(built / "outcomes.json")
    program = workload_from_json((built / "program.json").read_text(), "p").program
    check_outcomes(outcomes, program, "outcomes")
    assert [entry.label for entry in outcomes.inputs] == load_dataset(
        "digits"
    ).test.targets.tolist()
    for found, route in zip(
        outcomes.routes(), routes_from_file(built / "routes.json"), strict=True
    ):
        assert found.arms == route.arms
        for said, expected in zip(found.probabilities, route.probabilities, strict=True):
            assert said == pytest.approx(expected, abs=2e-6)
    top1 = read(built / "metrics.json")["tree"]["top1_fraction"]
    assert outcomes.accuracy_fraction() == pytest.approx(top1)
