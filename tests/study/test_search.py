"""Searches find the front, respect limits, and go on where they were stopped."""

import csv
import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from simulator.__main__ import main
from simulator.errors import UserError
from simulator.policy import Policy, PolicyChoice
from simulator.routes import draw_routes
from simulator.study.axis import parse_axis
from simulator.study.checks import checked_axes
from simulator.study.context import Context, count_routes
from simulator.study.design import make_design
from simulator.study.execute import Runner
from simulator.study.objective import Limit, meets, parse_objectives
from simulator.study.outcome import METRICS, Outcome, Status
from simulator.study.pareto import front, hypervolume
from simulator.study.search import Search, run_search
from simulator.study.store import Store
from simulator.study.sweep import Sweep
from simulator.study.workers import InProcess
from tests.devices import device

AXES = (
    "scratchpad.capacity_kib=16,32,48,64,96,128",
    "pe_array.rows=4,8,16,32",
    "policy=on_demand,oracle",
    "dram.bandwidth=2G,4G,8G",
)


def outcome(**metrics: float) -> Outcome:
    values = tuple(metrics.get(name, 0.0) for name in METRICS)
    return Outcome("key", Status.OK, "", "event", values)


@pytest.mark.parametrize(
    ("text", "cost", "most"),
    [
        ("p99 < 5ms", "p99", 5e9),
        ("latency<=250 us", "latency", 2.5e8),
        ("energy < 1.5mJ", "energy", 1.5e9),
        ("area < 4 mm2", "area", 4),
        ("reads < 2 MiB", "reads", 2**21),
        ("error < 30 %", "error", 0.3),
    ],
)
def test_limits(text, cost, most):
    limit = Limit.parse(text, "--constraint")
    assert (limit.cost, limit.most) == (cost, pytest.approx(most))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p99 > 5ms", "expected COST < VALUE UNIT"),
        ("p99 < 5", "expected COST < VALUE UNIT"),
        ("p98 < 5ms", "no such cost"),
        ("p99 < 5mJ", "p99 is given in s, ms"),
        ("p99 < 5e-ms", "is no number"),
    ],
)
def test_wrong_limits(text, expected):
    with pytest.raises(UserError, match=expected):
        Limit.parse(text, "--constraint")


def test_excess_is_relative():
    limit = Limit.parse("latency < 4ns", "--target")
    assert limit.excess(5000) == pytest.approx(0.25)
    assert limit.excess(4000) == 0
    assert meets(outcome(latency_mean_ps=4000.0), [limit])
    assert not meets(outcome(latency_mean_ps=4001.0), [limit])


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", "one or more"), ("latency,latency", "different"), ("speed", "no such cost")],
)
def test_wrong_objectives(text, expected):
    with pytest.raises(UserError, match=expected):
        parse_objectives(text)


def search_for(context, points: int, *limits: str) -> Search:
    axes = checked_axes(context, [parse_axis(text) for text in AXES])
    sweep = Sweep(context, make_design(axes, None, 0))
    parsed = tuple(Limit.parse(text, "--constraint") for text in limits)
    return Search(sweep, ("latency", "energy"), parsed, points)


def run(search, path):
    with Store(path) as store:
        runner = Runner(store, search.study, search.sweep.context, InProcess())
        return run_search(search, runner, lambda _: None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tree):
    """The space tried whole: 6 capacities, 4 arrays, 2 policies, 3 bandwidths."""
    routes = count_routes(draw_routes(tree, 100, 0))
    context = Context(
        device(), (tree,), {tree.name: routes}, PolicyChoice(Policy.ON_DEMAND), "stream"
    )
    path = tmp_path_factory.mktemp("whole") / "s.sqlite"
    return context, path, run(search_for(context, 144), path)[0]


def costs_of(found, at: int) -> tuple[float, float]:
    result = found.points[at][1]
    return result.metric("latency_mean_ps"), result.metric("energy_pj")


def test_a_small_space_is_tried_whole(whole):
    _, _, found = whole
    assert len(found.points) == 144
    feasible = [at for at, (_, o) in enumerate(found.points) if o.status is Status.OK]
    costs = np.array([costs_of(found, at) for at in feasible])
    expected = {tuple(row) for row in costs[front(costs)]}
    assert {costs_of(found, at) for at in found.front} == expected
    assert len(found.front) == len(expected)  # each set of costs once
    shares = [share for _, share in found.history]
    assert shares == sorted(shares)
    assert found.history[-1] == (144, pytest.approx(1.0))


def test_nsga2_finds_nearly_all_with_less_than_half_of_the_points(whole, tmp_path):
    context, path, found = whole
    part, progress = run(search_for(context, 64), path)  # the store knows every outcome
    assert progress.reused == 64
    everything = np.array(
        [costs_of(found, at) for at, (_, o) in enumerate(found.points) if o.status is Status.OK]
    )
    reference = everything.max(axis=0) * 1.1
    reached = np.array([costs_of(part, at) for at in part.front])
    assert hypervolume(reached, reference) > 0.97 * hypervolume(everything, reference)


def test_a_longer_search_goes_on_where_the_shorter_one_ended(whole):
    context, path, _ = whole
    short, _ = run(search_for(context, 50), path)
    long, _ = run(search_for(context, 90), path)
    assert [choices for choices, _ in long.points[:50]] == [choices for choices, _ in short.points]


def test_limits_keep_points_off_the_front(whole):
    context, path, found = whole
    median = sorted(costs_of(found, at)[0] for at in found.front)[len(found.front) // 2]
    for points in (144, 64):
        search = search_for(context, points, f"latency < {median}ps")
        limited, _ = run(search, path)
        assert limited.front
        assert all(costs_of(limited, at)[0] <= median for at in limited.front)


def test_no_point_within_the_limits(whole):
    context, path, _ = whole
    found, _ = run(search_for(context, 144, "latency < 1ps"), path)
    assert (found.front, found.history) == ((), ())


def test_the_command_writes_points_front_and_figures(program_path, tmp_path, capsys):
    command = ["explore", "--spec", "edge_npu", "--workload", str(program_path)]
    command += ["--vary", "scratchpad.banks=8,16", "--vary", "pe_array.rows=16,32,64"]
    command += ["--constraint", "p99 < 1s", "--workers", "1", "--inferences", "20"]
    assert main([*command, "--iso-area", "4", "--out", str(tmp_path)]) == 0
    assert "all of 6 points" in capsys.readouterr().out
    data = json.loads((tmp_path / "explore.json").read_text())
    assert data["objectives"] == ["latency", "energy", "area"]
    with (tmp_path / "explore.csv").open() as file:
        rows = list(csv.DictReader(file))
    areas = [float(row["area_mm2"]) for row in rows]
    # One step of capacity is 1 KiB in each of at most 16 banks: far below a tenth of 4 mm^2.
    assert all(3.9 < area <= 4 for area in areas)
    with (tmp_path / "front.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(data["front"]) > 0
    assert {"front.png", "hypervolume.png"} <= {path.name for path in tmp_path.iterdir()}


def accuracy_file(path, *entries):
    data = {"schema": "simulator.accuracies", "schema_version": 1, "entries": list(entries)}
    path.write_text(json.dumps(data))
    return path


def entry(bits: int, fraction: float, **more):
    choices = {"bits.arm0*": bits}
    return {"workload": "test", "choices": choices, "accuracy_fraction": fraction, **more}


def test_accuracies_weigh_against_bits(program_path, tmp_path, capsys):
    file = accuracy_file(tmp_path / "a.json", entry(8, 0.9), entry(4, 0.8), entry(16, 0.9))
    command = ["explore", "--spec", "edge_npu", "--workload", str(program_path), "--workers", "1"]
    command += ["--vary", "bits.arm0*=4,8,16", "--inferences", "20", "--accuracy", str(file)]
    command += ["--objectives", "weights,error", "--json"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    front = json.loads(capsys.readouterr().out)["front"]
    # 16 bits read more weights than 8 and err as often: not worth choosing.
    errors = {point["choices"]["bits.arm0*"]: point["error"] for point in front}
    assert errors == {4: pytest.approx(0.2), 8: pytest.approx(0.1)}
    assert main([*command, "--constraint", "error < 15 %", "--out", str(tmp_path / "out")]) == 0
    front = json.loads(capsys.readouterr().out)["front"]
    assert [point["choices"]["bits.arm0*"] for point in front] == [8]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([entry(8, 0.9)], "no accuracy of test with bits.arm0*=4"),
        ([entry(8, 1.9)], "entries[0]: accuracy_fraction: 1.9: must be from 0 to 1"),
        ([entry(8, 0.9), entry(8, 0.8)], "entries[1]: the same choices are listed before"),
        ([{"choices": {}}], "entries[0]: workload: must name a workload"),
        ([entry(8, 0.9, choices={"policy": "oracle"})], "must be values of bits.PATTERN"),
    ],
)
def test_wrong_accuracies(program_path, tmp_path, capsys, entries, expected):
    file = accuracy_file(tmp_path / "a.json", *entries)
    command = ["explore", "--spec", "edge_npu", "--workload", str(program_path), "--workers", "1"]
    command += ["--vary", "bits.arm0*=4,8", "--objectives", "latency,error"]
    command += ["--accuracy", str(file), "--out", str(tmp_path / "out")]
    assert main(command) == 2
    assert expected in capsys.readouterr().err


def test_error_needs_its_file(program_path, tmp_path, capsys):
    command = ["explore", "--spec", "edge_npu", "--workload", str(program_path), "--workers", "1"]
    command += ["--vary", "pe_array.rows=4,8", "--objectives", "error"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 2
    assert "give --accuracy FILE" in capsys.readouterr().err


def test_drawn_axes_are_refused(program_path, tmp_path, capsys):
    command = ["explore", "--spec", "edge_npu", "--workload", str(program_path)]
    assert main([*command, "--vary", "pe_array.rows=4:8:lhs", "--out", str(tmp_path)]) == 2
    assert "explore takes lists, steps or factors" in capsys.readouterr().err


def test_an_objective_that_is_not_known_is_refused(whole, tmp_path):
    context, path, _ = whole  # a device that names no node
    search = replace(search_for(context, 144), objectives=("latency", "area"))
    with pytest.raises(UserError, match="area: is not known for this device"):
        run(search, path)


def test_without_optuna_the_remedy_is_named(whole, tmp_path, monkeypatch):
    context, _, _ = whole
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r"sigma-branch-simulator\[explore\]"):
        run(search_for(context, 10), tmp_path / "s.sqlite")
