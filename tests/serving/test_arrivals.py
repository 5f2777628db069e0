"""Arrival processes, recorded arrivals, and the requests that come of them."""

import json
from fractions import Fraction
from itertools import islice

import numpy as np
import pytest

from simulator.errors import UserError
from simulator.ir import leaf_routes
from simulator.routes import draw_routes
from simulator.serving.arrivals import (
    CHUNK,
    PeriodicArrivals,
    PoissonArrivals,
    TracedArrivals,
    parse_arrivals,
)
from simulator.serving.request import Network, Source, Traffic, drawn_routes
from tests.study.conftest import small_tree

HEAD = '{"schema": "simulator.arrivals", "schema_version": 1, '


def times(arrivals, count, seed=(0,)):
    found = []
    for chunk in arrivals.times_ps(seed):
        found += chunk.tolist()
        if len(found) >= count:
            return found[:count]
    return found


def test_periods_that_are_no_whole_picoseconds_do_not_drift():
    found = times(PeriodicArrivals(Fraction(3)), CHUNK + 4)
    assert found[:4] == [0, 333333333333, 666666666667, 10**12]
    assert found[-1] == round(Fraction(10**12 * (CHUNK + 3), 3))


def test_poisson_gaps_have_the_mean_and_the_spread_of_an_exponential():
    gaps = np.diff(times(PoissonArrivals(Fraction(1000)), 100_000))
    assert gaps.mean() == pytest.approx(1e9, rel=0.01)
    assert gaps.std() == pytest.approx(1e9, rel=0.02)
    assert (gaps > 3e9).mean() == pytest.approx(np.exp(-3), abs=0.002)


def test_another_rate_scales_the_same_arrivals():
    slow, fast = (times(PoissonArrivals(Fraction(rate)), 1000) for rate in (100, 300))
    assert np.allclose(np.array(slow) / 3, fast, rtol=0, atol=2000)
    assert slow != times(PoissonArrivals(Fraction(100)), 1000, (1,))


def read(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    return parse_arrivals(f"trace:{path}")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns", "ps"])
def test_traces_in_every_unit(tmp_path, unit):
    factor = {"s": 10**12, "ms": 10**9, "us": 10**6, "ns": 10**3, "ps": 1}[unit]
    found = read(tmp_path, "t.csv", f"arrival_{unit}\n0\n2\n2\n7\n")
    assert isinstance(found, TracedArrivals)
    assert found.trace.times_ps.tolist() == [0, 2 * factor, 2 * factor, 7 * factor]
    assert found.rate_hz == Fraction(3 * 10**12, 7 * factor)
    same = read(tmp_path, "t.json", HEAD + f'"unit": "{unit}", "arrivals": [0, 2, 2, 7]}}')
    assert same.sha256 == found.sha256


def test_decimal_times_are_read_exactly(tmp_path):
    found = read(tmp_path, "t.csv", "arrival_s\n0.1\n0.3\n1000.000000000001\n")
    assert found.trace.times_ps.tolist() == [10**11, 3 * 10**11, 10**15 + 1]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("t.csv", "", ["line 1", "missing", "arrival_ms"]),
        ("t.csv", "time\n1\n", ["line 1", "time", "arrival_ms"]),
        ("t.csv", "arrival_ms,leaf\n1,2\n", ["line 1", "leaf"]),
        ("t.csv", "arrival_ms\n", ["no arrivals"]),
        ("t.csv", "arrival_ms\n1\nx\n", ["line 3", "'x'", "no time in ms"]),
        ("t.csv", "arrival_ms\n5\n4\n", ["line 3", "4 ms", "before"]),
        ("t.csv", "arrival_ms\n-1\n", ["line 2", "-1 ms", "from 0"]),
        ("t.csv", "arrival_ms\nnan\n", ["line 2", "nan"]),
        ("t.csv", "arrival_s\n1e9\n", ["line 2", "1e9 s", "from 0 to"]),
        ("t.csv", "arrival_ms,workload\n1\n", ["line 2", "2 columns"]),
        ("t.csv", "arrival_ms,workload\n1,\n", ["line 2", "workload"]),
        ("t.json", "{", ["not a complete JSON file"]),
        ("t.json", "[1]", ["schema"]),
        ("t.json", HEAD + '"unit": "h", "arrivals": [1]}', ["unit", "'h'", "ms"]),
        ("t.json", HEAD + '"unit": "s", "arrivals": 3}', ["arrivals", "list"]),
        ("t.json", HEAD + '"unit": "s", "arrivals": [true]}', ["arrivals[0]", "True"]),
        ("t.json", HEAD + '"unit": "s", "arrivals": [1], "workloads": []}', ["workloads", "1"]),
    ],
)
def test_bad_traces_are_named_in_one_line(tmp_path, name, text, expected):
    with pytest.raises(UserError) as raised:
        read(tmp_path, name, text)
    message = str(raised.value)
    assert "\n" not in message
    for words in [name, *expected]:
        assert words in message


@pytest.mark.parametrize(
    "text", ["poisson:", "poisson:x", "periodic:0", "poisson:-3", "uniform:5", "trace:", "x"]
)
def test_bad_processes_are_refused(text):
    with pytest.raises(UserError, match="--arrivals"):
        parse_arrivals(text)


def test_routes_are_those_that_run_draws():
    tree = small_tree()
    leaves = tuple(leaf_routes(tree.program))
    stream = drawn_routes(leaves, tree.leaf_shares, 5)()
    count = CHUNK + 100
    assert list(islice(stream, count)) == [r.arms for r in draw_routes(tree, count, 5)]


def traffic(accuracy: float = 1.0, count: int = 20_000) -> Traffic:
    leaves = ((0,), (1,), (2,))
    networks = (
        Network("a", drawn_routes(leaves, (0.5, 0.3, 0.2), 0), leaves, 10**9),
        Network("b", drawn_routes(((),), (1.0,), 0), ((),), None),
    )
    sources = (Source(PoissonArrivals(Fraction(100)), (0, 1), (0.75, 0.25)),)
    return Traffic(networks, sources, count, 0, accuracy)


def test_requests_come_in_order_and_the_same_each_time():
    first, second = list(traffic().requests()), list(traffic().requests())
    assert first == second
    assert [r.number for r in first] == list(range(20_000))
    arrivals = [r.arrival_ps for r in first]
    assert arrivals == sorted(arrivals)
    assert sum(r.network == 0 for r in first) / 20_000 == pytest.approx(0.75, abs=0.01)
    assert {r.deadline_ps - r.arrival_ps for r in first if r.deadline_ps is not None} == {10**9}
    assert all((r.deadline_ps is None) == (r.network == 1) for r in first)


@pytest.mark.parametrize("accuracy", [0.0, 0.4, 1.0])
def test_predictions_are_right_as_often_as_said_and_wrong_evenly(accuracy):
    found = [r for r in traffic(accuracy).requests() if r.arms == (0,)]
    right = sum(r.expected == r.arms for r in found)
    assert right / len(found) == pytest.approx(accuracy, abs=0.02)
    wrong = [r.expected for r in found if r.expected != r.arms]
    if wrong:
        assert wrong.count((1,)) / len(wrong) == pytest.approx(0.5, abs=0.03)


def test_a_prediction_changes_nothing_else():
    fields = [r[:3] + r[4:] for r in traffic(0.2).requests()]
    assert fields == [r[:3] + r[4:] for r in traffic(1.0).requests()]


def test_traces_of_several_networks_keep_their_order(tmp_path):
    text = {
        "schema": "simulator.arrivals",
        "schema_version": 1,
        "unit": "ms",
        "arrivals": [0, 1, 1.5, 4],
        "workloads": ["a", "b", "a", "b"],
    }
    found = read(tmp_path, "t.json", json.dumps(text))
    assert isinstance(found, TracedArrivals)
    assert found.trace.of("b").times_ps.tolist() == [10**9, 4 * 10**9]
    with pytest.raises(UserError, match="no arrival for workload c"):
        found.trace.of("c")
