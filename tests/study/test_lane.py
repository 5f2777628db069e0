"""Schedules that speculate, on many designs by the compiled kernels, against events on each."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.compile import Path, fetch_rules
from simulator.cost.memory import memory_of
from simulator.derive import derive_result
from simulator.engine import simulate
from simulator.fast.designs import DesignColumn, RecordingDram, design_table
from simulator.fast.recurrence import replay_with_peak
from simulator.fast.structure import Durations, NotVectorisedError, structure_of
from simulator.ir import Program, Workload
from simulator.kernels.occupancy import SAME_INSTANT, peak_bytes
from simulator.kernels.replay import replay
from simulator.kernels.work import Sizes, work_of
from simulator.mapping.case import Case, Wants
from simulator.mapping.plan import MappingProblem
from simulator.mapping.schedule import Schedule
from simulator.mapping.scheduler import Scheduler
from simulator.policy import Policy
from simulator.spec import AcceleratorSpec
from simulator.study.lane import lanes, latencies
from tests.devices import device
from tests.simulate import roomy, with_part
from tests.strategies import devices, tree_programs
from tests.test_speculation import cases, compiled

RATES = (10**8, 10**9, 5 * 10**9, 10**11)


def designs(spec: AcceleratorSpec) -> list[AcceleratorSpec]:
    """Bandwidths that leave the bus idle hardly ever, sometimes, mostly; other delays."""
    rates = [with_part(spec, "dram", peak_bytes_per_s=rate) for rate in RATES]
    slow = with_part(spec, "dram", read_latency_ns=987.6)
    prompt = with_part(spec, "sequencer", branch_latency_ns=0)
    late = with_part(spec, "sequencer", branch_latency_ns=5432.1)
    return [spec, *rates, slow, prompt, late, with_part(late, "dma", descriptor_latency_ns=0)]


@settings(max_examples=25)
@given(tree_programs(deepest=2), devices(), st.data())
def test_equal_to_each_design_alone(
    program: Program, spec: AcceleratorSpec, data: st.DataObject
) -> None:
    granule = data.draw(st.sampled_from((1, 64, 100, 1000, 4096)))
    spec = with_part(roomy(program, spec), "dma", preemption_bytes=granule)
    case = data.draw(cases(program))
    numbers = Durations()
    problem = MappingProblem(program, spec)
    path = Path.of(problem, case)
    budgets = problem.budgets(spec.scratchpad.capacity_bytes)
    plan = data.draw(st.sampled_from([p for budget in budgets for p in problem.plans_at(budget)]))

    def built(on: AcceleratorSpec, recording: RecordingDram | None = None) -> Schedule:
        (rule,) = fetch_rules(Policy.MOST_PROBABLE, on)
        scheduler = Scheduler(on, recording or memory_of(on))
        return scheduler.build(plan, path.groups, replace(rule, wants=path.wants))

    marked = with_part(spec, "sequencer", branch_latency_ns=1)
    schedule = built(marked, RecordingDram(numbers, memory_of(spec)))
    structure = structure_of(schedule, numbers)
    table = design_table(numbers, [DesignColumn(each) for each in designs(spec)])
    latency_ps = latencies(structure, table)
    for d, lane in lanes(structure, table, set(range(len(designs(spec))))):
        on = designs(spec)[d]
        run = simulate(built(on))
        assert latency_ps[d] == run.timeline.latency_ps
        if isinstance(lane, NotVectorisedError):
            assert "as its branch is decided" in str(lane)
            continue
        result = derive_result(run.timeline, case, on, run.scratchpad_peak_bytes, 0)
        assert lane.latency_ps == result.latency_ps
        assert lane.compute_ps == result.compute_ps
        assert lane.stalls_ps == result.stalls_ps
        assert lane.counts == result.counts
        assert lane.weight_bytes == result.weight_read_bytes
        assert lane.peak_bytes == run.scratchpad_peak_bytes
        assert lane.dram_busy_ps == sum(layer.dram_busy_ps for layer in result.layers)
        if schedule.speculation is not None:
            assert lane.speculated.result(on) == result.speculation


def test_a_load_issued_as_its_branch_is_decided_is_refused(tree: Workload) -> None:
    spec = with_part(device(), "scratchpad", capacity_kib=16)
    work = work_of(compiled(tree.program, spec, Case((0,), (Wants((0, 1)),))))
    times = Sizes.of(work).times(lambda length: [0] * length)
    replay(work, times)
    n_tiles = len(work.tiles.after)
    room = [0] * (n_tiles + 1)
    assert peak_bytes(work, times, room, room) != SAME_INSTANT
    decided = times.vector_end[work.branches.tile[0]] + work.dma.decision_delay_ps
    times.vector_end[work.entries.release[1]] = decided
    assert peak_bytes(work, times, room, room) == SAME_INSTANT


@pytest.mark.parametrize("capacity_kib", [8, 16, 32])
def test_the_peak_is_the_event_engine_s(tree: Workload, capacity_kib: int) -> None:
    spec = with_part(device(), "scratchpad", capacity_kib=capacity_kib)
    schedule = compiled(tree.program, spec, Case((0,), (Wants((0, 1)),)))
    assert replay_with_peak(schedule)[1] == simulate(schedule).scratchpad_peak_bytes
