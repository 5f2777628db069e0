"""What the timeline and the trace draw is exactly what the result says happened."""

from itertools import pairwise

import pytest

from reports.events import (
    decisions,
    scratchpad_occupancy,
    segment_intervals,
    stall_intervals,
)
from reports.timeline import merged
from simulator.derive import spans
from simulator.result import InferenceResult, Resource, StallKind
from simulator.simulation import RunResult
from tests.report_runs import NAMES, run_named


@pytest.fixture(params=NAMES)
def run(request: pytest.FixtureRequest) -> RunResult:
    return run_named(request.param)


def busy_intervals(result: InferenceResult) -> list[tuple[int, int]]:
    """When PE array or vector unit worked, overlaps merged."""
    found: list[tuple[int, int]] = []
    compute = [s for s in spans(result.timeline) if s.resource is not Resource.DRAM]
    for span in sorted(compute, key=lambda s: (s.start_ps, s.end_ps)):
        if found and span.start_ps <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], span.end_ps))
        else:
            found.append((span.start_ps, span.end_ps))
    return found


def test_stall_intervals_sum_to_the_stalls_of_the_result(run: RunResult) -> None:
    for result in run.results.values():
        drawn = dict.fromkeys(StallKind, 0)
        for kind, start_ps, end_ps in stall_intervals(result.timeline):
            drawn[kind] += end_ps - start_ps
        assert drawn == result.stalls_ps


def test_stalls_fill_exactly_the_gaps_of_the_compute_units(run: RunResult) -> None:
    for result in run.results.values():
        stalls = [(start, end) for _, start, end in stall_intervals(result.timeline)]
        pieces = sorted([*stalls, *busy_intervals(result)])
        assert pieces[0][0] == 0
        assert pieces[-1][1] == result.latency_ps
        assert all(a[1] == b[0] for a, b in pairwise(pieces))


def test_segments_follow_each_other_over_the_whole_latency(run: RunResult) -> None:
    segments = segment_intervals(run.typical)
    assert segments[0].start_ps == 0
    assert segments[-1].end_ps == run.typical.latency_ps
    assert all(a.end_ps == b.start_ps for a, b in pairwise(segments))


def test_decisions_end_their_routers_and_name_the_arm_taken(run: RunResult) -> None:
    for arms, result in run.results.items():
        ends_ps = {segment.name: segment.end_ps for segment in segment_intervals(result)}
        found = decisions(result)
        assert tuple(decision.arm for decision in found) == arms
        assert [d.time_ps for d in found] == [ends_ps[d.router] for d in found]


def test_occupancy_peaks_where_the_engine_says_and_never_exceeds_the_capacity(
    run: RunResult,
) -> None:
    for result in run.results.values():
        steps = scratchpad_occupancy(result.timeline, run.compiled.pinned.n_bytes)
        times = [step.time_ps for step in steps]
        assert times == sorted(set(times))
        assert min(step.n_bytes for step in steps) >= 0
        peak = max(step.n_bytes for step in steps)
        assert peak == result.scratchpad_peak_bytes
        assert peak <= run.spec.scratchpad.capacity_bytes


def test_touching_intervals_of_one_colour_become_one() -> None:
    intervals = [("red", 0, 2), ("red", 2, 5), ("blue", 5, 6), ("red", 6, 6), ("red", 7, 9)]
    assert merged(intervals) == {"red": [(0, 5), (7, 9)], "blue": [(5, 6)]}
