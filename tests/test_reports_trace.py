"""The trace file: valid, nested, without overlaps, and as long as the inference."""

import json
from itertools import pairwise
from typing import Any

import pytest

from reports.trace_events import (
    DRAM_TRACK,
    LAYER_TRACK,
    PE_TRACK,
    STALL_TRACK,
    VECTOR_TRACK,
    trace_json,
)
from simulator.result import StallKind
from simulator.simulation import RunResult
from tests.report_runs import NAMES, run_named


@pytest.fixture(params=NAMES)
def run(request: pytest.FixtureRequest) -> RunResult:
    return run_named(request.param)


def trace_of(run: RunResult) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    parsed: dict[str, Any] = json.loads(trace_json(run), parse_constant=refuse)
    return parsed


def slices_ns(trace: dict[str, Any], track: int) -> list[tuple[int, int, str]]:
    """(start, end, name) in whole nanoseconds, in file order."""
    found = []
    for event in trace["traceEvents"]:
        if event["ph"] == "X" and event["tid"] == track:
            start, duration = round(event["ts"] * 1000), round(event["dur"] * 1000)
            assert event["ts"] == start / 1000
            assert duration >= 0
            found.append((start, start + duration, event["name"]))
    return found


@pytest.mark.parametrize("track", [STALL_TRACK, PE_TRACK, VECTOR_TRACK, DRAM_TRACK])
def test_slices_of_a_resource_do_not_overlap(run: RunResult, track: int) -> None:
    found = slices_ns(trace_of(run), track)
    assert all(a[1] <= b[0] for a, b in pairwise(found))
    assert all(end <= (run.typical.latency_ps + 500) // 1000 for _, end, _ in found)


def test_layers_nest_in_segments_and_fill_the_latency(run: RunResult) -> None:
    found = slices_ns(trace_of(run), LAYER_TRACK)
    n_segments = len(found) - len(run.typical.layers)
    segments, layers = found[:n_segments], found[n_segments:]
    latency_ns = (run.typical.latency_ps + 500) // 1000
    for row in (segments, layers):
        assert row[0][0] == 0
        assert row[-1][1] == latency_ns
        assert all(a[1] == b[0] for a, b in pairwise(row))
    for start, end, name in layers:
        assert any(s <= start and end <= e for s, e, _ in segments), name


def test_stall_slices_last_as_long_as_the_stalls(run: RunResult) -> None:
    found = slices_ns(trace_of(run), STALL_TRACK)
    for kind in StallKind:
        mine = [end - start for start, end, name in found if name == kind.value]
        # Rounding moves either end of a slice by half a nanosecond at most.
        assert abs(sum(mine) - run.typical.stalls_ps[kind] / 1000) <= len(mine)


def test_transfers_carry_every_byte(run: RunResult) -> None:
    moved = sum(
        event["args"]["bytes"]
        for event in trace_of(run)["traceEvents"]
        if event["ph"] == "X" and event["tid"] == DRAM_TRACK
    )
    layers = run.typical.layers
    assert moved == sum(x.weight_bytes + x.ifmap_bytes + x.ofmap_bytes for x in layers)


def test_every_decision_is_marked(run: RunResult) -> None:
    marks = [event["name"] for event in trace_of(run)["traceEvents"] if event["ph"] == "i"]
    assert [int(name.split()[-1]) for name in marks] == list(run.typical.arms)


def test_tracks_are_named_and_equal_runs_give_equal_traces() -> None:
    run = run_named("tree")
    trace = trace_of(run)
    names = {
        event["tid"]: event["args"]["name"]
        for event in trace["traceEvents"]
        if event["ph"] == "M" and event["name"] == "thread_name"
    }
    assert names[PE_TRACK] == "PE array"
    assert len(names) == 5
    assert trace["otherData"]["latency_ps"] == run.typical.latency_ps
    assert trace_json(run) == trace_json(run)
