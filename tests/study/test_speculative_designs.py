"""Schedules that speculate, replayed on many designs at once, against one design after another."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.compile import Path, fetch_rules
from simulator.cost.memory import memory_of
from simulator.engine import simulate
from simulator.fast.designs import DesignColumn, RecordingDram, design_table
from simulator.fast.occupancy import peak_of_timeline
from simulator.fast.recurrence import replay
from simulator.fast.speculative_designs import DesignTimes
from simulator.fast.structure import Durations, NotVectorisedError, structure_of
from simulator.fast.timed import timed_schedule
from simulator.ir import Program, Workload
from simulator.mapping.case import Case, Wants
from simulator.mapping.plan import MappingProblem
from simulator.mapping.scheduler import Scheduler
from simulator.policy import Policy
from simulator.spec import AcceleratorSpec
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
    numbers, memory = Durations(), memory_of(spec)
    problem = MappingProblem(program, spec)
    marked = with_part(spec, "sequencer", branch_latency_ns=1)
    path = Path.of(problem, case)
    (rule,) = fetch_rules(Policy.MOST_PROBABLE, marked)
    budgets = problem.budgets(spec.scratchpad.capacity_bytes)
    plans = [plan for budget in budgets for plan in problem.plans_at(budget)]
    plan = data.draw(st.sampled_from(plans))
    schedule = Scheduler(marked, RecordingDram(numbers, memory)).build(
        plan, path.groups, replace(rule, wants=path.wants)
    )
    if schedule.speculation is None:
        return
    structure = structure_of(schedule, numbers)
    table = design_table(numbers, [DesignColumn(each) for each in designs(spec)])
    found = DesignTimes(structure, schedule, schedule.speculation, table.durations_ps)
    for d in range(len(designs(spec))):
        timed = timed_schedule(structure, schedule, table, d)
        expected = replay(timed)
        assert found.timeline(timed, d) == expected
        assert found.latency_ps[d] == expected.latency_ps


@pytest.mark.parametrize("capacity_kib", [8, 16, 32])
def test_the_peak_is_the_event_engine_s(tree: Workload, capacity_kib: int) -> None:
    spec = with_part(device(), "scratchpad", capacity_kib=capacity_kib)
    schedule = compiled(tree.program, spec, Case((0,), (Wants((0, 1)),)))
    run = simulate(schedule)
    assert peak_of_timeline(run.timeline) == run.scratchpad_peak_bytes


def test_a_load_issued_as_its_branch_is_decided_is_refused(tree: Workload) -> None:
    spec = with_part(device(), "scratchpad", capacity_kib=16)
    timeline = replay(compiled(tree.program, spec, Case((0,), (Wants((0, 1)),))))
    speculation = timeline.schedule.speculation
    assert speculation is not None
    decision, released_by = speculation.decision[1], speculation.release_tile[1]
    done = list(timeline.vector_end_ps)
    done[released_by] = done[decision] + speculation.decision_delay_ps
    with pytest.raises(NotVectorisedError, match="as its branch is decided"):
        peak_of_timeline(replace(timeline, vector_end_ps=tuple(done)))
