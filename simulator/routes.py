"""The routes a run replays: drawn from the workload's leaf shares, or given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulator.errors import RouteError
from simulator.ir import Branch, Program, Route, Workload, leaf_routes


def draw_routes(workload: Workload, count: int, seed: int) -> list[Route]:
    """`count` independent routes with the workload's leaf shares; same seed, same routes."""
    leaves = leaf_routes(workload.program)
    shares = np.array(workload.leaf_shares, dtype=np.float64)
    picks = np.random.default_rng(seed).choice(len(leaves), size=count, p=shares / shares.sum())
    return [Route(arms=leaves[pick]) for pick in picks]


def check_routes(program: Program, routes: Sequence[Route], origin: str) -> None:
    """Raise RouteError unless every route fits the branches the program has."""
    checked: set[tuple[int, ...]] = set()
    for index, route in enumerate(routes):
        if route.arms in checked:
            continue
        left = list(route.arms)
        problem = _follow(program, left)
        if problem is None and left:
            problem = f"{len(left)} arms more than branches met"
        if problem:
            raise RouteError(f"{origin}: routes[{index}]: {list(route.arms)}: {problem}")
        checked.add(route.arms)


def _follow(program: Program, left: list[int]) -> str | None:
    for step in program.steps:
        if not isinstance(step, Branch):
            continue
        if not left:
            return f"ends before branch {step.name}"
        arm = left.pop(0)
        if arm >= len(step.arms):
            return f"arm {arm} of branch {step.name}, which has {len(step.arms)}"
        problem = _follow(step.arms[arm], left)
        if problem:
            return problem
    return None
