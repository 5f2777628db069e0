"""Compiles and replays programs for tests, with a scratchpad that is at least large enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simulator.compile import CompiledProgram, compile_program, fetch_rules
from simulator.cost.memory import memory_of
from simulator.derive import derive_result
from simulator.engine import EngineRun, simulate
from simulator.errors import InfeasiblePlanError
from simulator.fast.recurrence import replay
from simulator.ir import Program, leaf_routes
from simulator.mapping.plan import MappingProblem, Plan
from simulator.mapping.schedule import Schedule
from simulator.mapping.scheduler import Scheduler
from simulator.policy import Policy
from simulator.result import InferenceResult
from simulator.spec import AcceleratorSpec

Arms = tuple[int, ...]


def with_part(spec: AcceleratorSpec, part: str, **fields: float) -> AcceleratorSpec:
    """The spec with fields of one part replaced, validated again."""
    data = spec.model_dump(mode="json")
    data[part] |= fields
    return AcceleratorSpec.model_validate(data, strict=False)


def roomy(program: Program, spec: AcceleratorSpec) -> AcceleratorSpec:
    """The spec itself if it can run the program, else with the scratchpad the error names."""
    try:
        compile_program(program, spec, Policy.ON_DEMAND, {first_route(program): 1})
    except InfeasiblePlanError as error:
        kib = -(-error.demand_bytes // 1024)
        assert kib > spec.scratchpad.capacity_kib
        return with_part(spec, "scratchpad", capacity_kib=kib)
    return spec


def first_route(program: Program) -> Arms:
    return leaf_routes(program)[0]


@dataclass(frozen=True)
class Run:
    """One route compiled for itself and replayed event by event."""

    spec: AcceleratorSpec
    compiled: CompiledProgram
    schedule: Schedule
    engine: EngineRun
    result: InferenceResult


def run_route(program: Program, spec: AcceleratorSpec, policy: Policy, arms: Arms = ()) -> Run:
    compiled = compile_program(program, spec, policy, {arms: 1})
    schedule = compiled.schedules[arms]
    engine = simulate(schedule)
    result = derive_result(
        engine.timeline, arms, spec, engine.scratchpad_peak_bytes, engine.event_count
    )
    return Run(spec, compiled, schedule, engine, result)


def latency_ps(
    program: Program, spec: AcceleratorSpec, arms: Arms = (), policy: Policy = Policy.ON_DEMAND
) -> int:
    """Latency of one route compiled for itself, by the recurrence."""
    compiled = compile_program(program, spec, policy, {arms: 1})
    return replay(compiled.schedules[arms]).latency_ps


def every_schedule(
    program: Program, spec: AcceleratorSpec, policy: Policy, arms: Arms = ()
) -> Iterator[tuple[Plan, Schedule]]:
    """The schedules of all candidate plans, the fastest and all others."""
    scheduler = Scheduler(spec, memory_of(spec))
    path = MappingProblem(program, spec).path(arms)
    for plan in every_plan(program, spec):
        for fetch in fetch_rules(policy, spec):
            yield plan, scheduler.build(plan, path, fetch)


def every_plan(program: Program, spec: AcceleratorSpec) -> list[Plan]:
    """All candidate plans, of the largest budget first."""
    problem = MappingProblem(program, spec)
    budgets = problem.budgets(spec.scratchpad.capacity_bytes)
    return [plan for budget in budgets for plan in problem.plans_at(budget)]
