"""The smallest value that meets a target, against trying them all."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.__main__ import main
from simulator.errors import UserError
from simulator.study.inverse import Range, find_smallest
from simulator.study.objective import Limit
from simulator.study.outcome import METRICS, Outcome, Status


def point(latency_ps: float, energy_pj: float = 0.0) -> Outcome:
    figures = {"latency_mean_ps": latency_ps, "energy_pj": energy_pj}
    metrics = tuple(figures.get(name, 0.0) for name in METRICS)
    return Outcome("key", Status.OK, "", "event", metrics)


def latency(most_ps: float) -> Limit:
    return Limit.parse(f"latency < {most_ps}ps", "--target")


@given(
    st.lists(st.integers(0, 50), min_size=60, max_size=60),
    st.integers(1, 4),
    st.integers(0, 3000),
    st.integers(0, 20),
)
def test_bisection_finds_what_trying_all_finds(drops, step, most, smallest_that_fits):
    # Any falling curve over 1..60: starts at the sum of the drops, falls by each in turn.
    curve = [sum(drops[at:]) for at in range(60)]

    def simulate(values):
        return [
            point(curve[value - 1])
            if value >= smallest_that_fits
            else Outcome.infeasible("key", "does not fit")
            for value in values
        ]

    values = Range("pe_array.rows", step, 60 // step * step, step)
    answer = find_smallest(values, [latency(most)], simulate)
    tried = range(values.low, values.high + 1, step)
    expected = next((v for v in tried if v >= smallest_that_fits and curve[v - 1] <= most), None)
    assert answer.smallest == expected
    assert answer.rising == {}
    assert answer.proven
    if expected is not None and expected > values.low:
        below = "does not fit" if expected - step < smallest_that_fits else "exceeded"
        assert below in answer.binding[0]


def test_the_binding_target_is_named_worst_first():
    def simulate(values):
        return [point(1000 / value, 500 / value) for value in values]

    limits = [latency(100), Limit.parse("energy < 10pJ", "--target")]
    answer = find_smallest(Range("pe_array.rows", 1, 64, 1), limits, simulate)
    assert answer.smallest == 50  # energy: 500 / 50 is 10; latency needs 10
    # One below: 500 / 49 is 10.204, 2.04 % over; latency 20.4 of 100.
    assert answer.binding == ("energy < 10pJ: exceeded by 2.04%",)


def test_a_cost_that_rises_is_told_and_proves_nothing():
    def simulate(values):
        return [point(10, abs(value - 40)) for value in values]

    limits = [Limit.parse("energy < 5pJ", "--target")]
    answer = find_smallest(Range("pe_array.rows", 1, 64, 1), limits, simulate)
    assert answer.smallest == 35
    assert "energy" in answer.rising
    assert not answer.proven


def test_where_nothing_meets_the_target_the_nearest_is_shown():
    def simulate(values):
        return [point(100 + 1000 / value) for value in values]

    answer = find_smallest(Range("pe_array.rows", 1, 10, 1), [latency(100)], simulate)
    assert answer.smallest is None
    assert answer.at == 10
    assert answer.binding == ("latency < 100ps: exceeded by 100.00%",)


@pytest.mark.parametrize(
    ("text", "field", "expected"),
    [
        ("", "pe_array.rows", "give a range"),
        ("1", "pe_array.rows", "expected LOW:HIGH"),
        ("1:x", "pe_array.rows", "expected LOW:HIGH"),
        ("8:4", "pe_array.rows", "no multiple"),
        ("0:4", "pe_array.rows", "expected LOW:HIGH"),
        ("1:4", "policy", "must be a number of the spec"),
        ("1:4", "pe_array.lines", "nothing of that name"),
    ],
)
def test_wrong_ranges(text, field, expected):
    with pytest.raises(UserError, match=expected):
        Range.parse(text, field)


def test_the_command_agrees_with_run(program_path, capsys):
    device = ["--spec", "edge_npu", "--workload", str(program_path), "--inferences", "20"]
    command = ["inverse", *device, "--workers", "1", "--smallest", "dram.bandwidth=0.1G:20G:10M"]
    assert main([*command, "--target", "latency < 50us", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["proven"]
    for bandwidth, is_met in ((found["smallest"], True), (found["smallest"] - 10**7, False)):
        setting = ["--set", f"dram.peak_bytes_per_s={bandwidth}"]
        main(["run", *device, *setting, "--json"])
        seconds = json.loads(capsys.readouterr().out)["latency_s"]["mean"]
        assert (seconds <= 50e-6) is is_met


def test_what_vary_fixes_holds_at_every_value(program_path, capsys):
    order = ["--stream", "markov", "--persistence", "0.999", "--inferences", "300"]
    device = ["--spec", "edge_npu", "--workload", str(program_path), *order]
    command = ["inverse", *device, "--workers", "1", "--smallest", "dram.bandwidth=0.1G:20G:10M"]
    command += ["--vary", "residency=lru", "--vary", "residency.region_kib=512"]
    assert main([*command, "--target", "p99 < 10us", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["smallest"] > 10**8
    for bandwidth, is_met in ((found["smallest"], True), (found["smallest"] - 10**7, False)):
        words = ["stream", *device, "--residency", "lru", "--region", "512KiB", "--json"]
        assert main([*words, "--set", f"dram.peak_bytes_per_s={bandwidth}"]) == 0
        (kept,) = json.loads(capsys.readouterr().out)["residency"]
        assert (kept["latency_s"]["p99"] <= 10e-6) is is_met


@pytest.mark.parametrize(
    "axis", ["policy=on_demand,tied", "dram.bandwidth=2G", "pe_array.rows=1:9:lhs"]
)
def test_inverse_varies_one_number(program_path, capsys, axis):
    command = ["inverse", "--spec", "edge_npu", "--workload", str(program_path)]
    command += ["--smallest", "dram.bandwidth=1G:2G:100M", "--target", "p99 < 20us"]
    assert main([*command, "--vary", axis]) == 2
    said = capsys.readouterr().err
    assert "inverse varies what --smallest names and nothing else" in said
    assert said.count("\n") == 1
