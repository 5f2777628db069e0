"""A workload mapped onto an accelerator beside a managed region, all routes on one plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from simulator.compile import compile_program, fetch_rules
from simulator.cost.memory import memory_of
from simulator.fast.recurrence import replay
from simulator.ir import Route, Workload
from simulator.mapping.layout import place_weights
from simulator.mapping.plan import MappingProblem, Plan
from simulator.mapping.schedule import FetchRule
from simulator.mapping.scheduler import Scheduler
from simulator.policy import Policy, PolicyChoice, PredictorName
from simulator.prefetch.stream import speculate
from simulator.runtime.itinerary import Arms, itinerary_of
from simulator.spec import AcceleratorSpec

SHARE_STEPS = 1_000_000
"""Leaf shares enter the choice of a plan as integers out of so many."""


@dataclass(frozen=True)
class Mapped:
    """A program mapped onto an accelerator, from which schedules are built.

    Of several fetch rules the one that is fastest for an inference is taken: the oracle's choice.
    """

    spec: AcceleratorSpec
    problem: MappingProblem
    plan: Plan
    scheduler: Scheduler
    fetches: tuple[FetchRule, ...]


def map_workload(
    workload: Workload, spec: AcceleratorSpec, choice: PolicyChoice, region_bytes: int
) -> Mapped:
    """Map a workload beside a managed region, all routes on one plan.

    What is resident must fit every route, so unlike elsewhere even the oracle has one plan: of
    those that are fastest for a route, or on demand, the one with the least mean latency. A
    speculating policy's is the fastest for the guesses of its predictor before the first input.

    Raises:
        InfeasiblePlanError: no blocking of some layer fits beside the region.
    """
    problem = MappingProblem(workload.program, spec)
    shares = itinerary_of(workload, problem.steps).shares
    routes = [Route(arms=arms) for arms in shares]
    cases = speculate(workload, spec, replace(choice, predictor=PredictorName.PRIOR), routes)
    weights: dict[Arms, int] = {
        case: round(share * SHARE_STEPS) for case, share in zip(cases, shares.values(), strict=True)
    }
    plans = _plans(workload, spec, choice.policy, weights, region_bytes)
    dram = memory_of(spec)
    mapped = Mapped(
        spec,
        problem,
        plans[0],
        Scheduler(spec, dram, place_weights(problem.steps, spec, dram)),
        fetch_rules(choice.policy, spec),
    )
    if len(plans) == 1:
        return mapped
    candidates = [replace(mapped, plan=plan) for plan in plans]
    return min(candidates, key=lambda candidate: _mean_ps(candidate, shares))


def _plans(
    workload: Workload,
    spec: AcceleratorSpec,
    policy: Policy,
    weights: dict[Arms, int],
    region_bytes: int,
) -> list[Plan]:
    """The plans to choose from: one, but for the oracle."""
    found: dict[object, Plan] = {}
    for each in dict.fromkeys((Policy.ON_DEMAND if policy is Policy.ORACLE else policy, policy)):
        compiled = compile_program(
            workload.program, spec, each, weights, reserved_bytes=region_bytes
        )
        found |= {plan.key(): plan for plan in compiled.plans.values()}
    return list(found.values())


def _mean_ps(mapped: Mapped, shares: Mapping[Arms, float]) -> float:
    """Mean latency with nothing resident, each route by its fastest fetch rule."""
    total = 0.0
    for arms, share in shares.items():
        path = mapped.problem.path(arms)
        schedules = [mapped.scheduler.build(mapped.plan, path, rule) for rule in mapped.fetches]
        total += share * min(replay(schedule).latency_ps for schedule in schedules)
    return total
