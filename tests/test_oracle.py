"""The oracle bounds every policy, on every route, whatever is guessed.

Nothing proves that of priority scheduling (removing a transfer can delay another: Graham, SIAM J.
Appl. Math. 17, 1969), so it is tried, on thousands of random trees, routes and guesses.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from simulator.compile import compile_program
from simulator.cost.memory import memory_of
from simulator.errors import InfeasiblePlanError
from simulator.fast.recurrence import replay
from simulator.ir import Program, Tensor, leaf_routes
from simulator.mapping.case import Case, Wants
from simulator.mapping.plan import MappingProblem
from simulator.mapping.schedule import FetchRule
from simulator.mapping.scheduler import Scheduler
from simulator.policy import Policy, PolicyChoice
from simulator.spec import AcceleratorSpec
from tests.devices import device
from tests.networks import Net, branch, program, tensor

TREES_PER_TEST = 10
CASES_PER_TREE = 60


def random_tree(rng: random.Random) -> Program:
    x = tensor("in", 1, rng.choice((16, 64)))
    return program(*_steps(rng, "n", x, rng.randint(1, 2)), inputs=(x,))


def _steps(rng: random.Random, name: str, x: Tensor, depth: int) -> list[Any]:
    net = Net(f"{name}.t")
    for _ in range(rng.randint(1, 2)):
        x = net.linear(x, rng.choice((8, 24, 40, 64)), bias=False)
    if depth == 0:
        return [net]
    arms = [program(*_steps(rng, f"{name}{a}", x, depth - 1)) for a in range(rng.randint(2, 3))]
    return [net, branch(f"{name}.b", x, arms)]


def random_device(rng: random.Random) -> AcceleratorSpec:
    return device(
        pe_array__rows=rng.choice((2, 8, 16)),
        scratchpad__capacity_kib=rng.choice((2, 4, 8, 16, 64)),
        dram__peak_bytes_per_s=rng.choice((10**8, 10**9, 8 * 10**9)),
        dram__read_latency_ns=rng.choice((0, 100)),
        dma__preemption_bytes=rng.choice((64, 256, 4096)),
        dma__channels=rng.choice((1, 2)),
        sequencer__branch_latency_ns=rng.choice((0, 100, 1000)),
        io__output_location=rng.choice(("dram", "scratchpad")),
    )


def random_case(rng: random.Random, arms: tuple[int, ...]) -> Case:
    return Case(arms, tuple(random_wants(rng) for _ in arms))


def random_wants(rng: random.Random) -> Wants:
    shares = (rng.randint(1, 7), rng.randint(1, 7))
    return rng.choice(
        (Wants((0,)), Wants((1,)), Wants((0, 1)), Wants((1, 0)), Wants((0, 1), shares))
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_the_oracle_is_never_slower_than_any_policy_on_any_route(seed: int) -> None:
    """Each policy on its own plan, and many more guesses on the oracle's plan of the route."""
    rng = random.Random(seed)
    compared = 0
    for _ in range(TREES_PER_TEST):
        tree, spec = random_tree(rng), random_device(rng)
        routes = leaf_routes(tree)
        early = PolicyChoice(Policy.EARLY_ROUTER, early_blocks=rng.randint(0, 2))
        guessed = [random_case(rng, arms) for arms in rng.choices(routes, k=3)]
        asked: dict[Policy | PolicyChoice, list[Any]] = {
            Policy.MOST_PROBABLE: guessed,
            early: guessed,
            Policy.TIED: routes,
            Policy.ON_DEMAND: routes,
        }
        try:
            known = compile_program(tree, spec, Policy.ORACLE, dict.fromkeys(routes, 1))
            others = {
                policy: compile_program(tree, spec, policy, dict.fromkeys(cases, 1)).schedules
                for policy, cases in asked.items()
            }
        except InfeasiblePlanError:
            continue
        best = {arms: replay(schedule).latency_ps for arms, schedule in known.schedules.items()}
        for policy, schedules in others.items():
            for case, schedule in schedules.items():
                compared += 1
                assert best[tuple(case)] <= replay(schedule).latency_ps, (case, policy)
        problem, scheduler = MappingProblem(tree, spec), Scheduler(spec, memory_of(spec))
        for arms in rng.choices(routes, k=CASES_PER_TREE):
            rule = FetchRule(False, spec.branch_latency_ps, random_case(rng, arms).wants)
            schedule = scheduler.build(known.plans[arms], problem.path(arms), rule)
            compared += 1
            assert best[arms] <= replay(schedule).latency_ps, (arms, rule)
    assert compared >= 400  # over all seeds, thousands
