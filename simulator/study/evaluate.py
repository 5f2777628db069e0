"""Evaluates points: here, in another process, or on another machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from simulator.errors import UserError
from simulator.simulation import run_workload
from simulator.study.axis import Choices
from simulator.study.code_version import CODE_SHA256
from simulator.study.context import REASONS, Context, Scenario
from simulator.study.kept import evaluate_kept
from simulator.study.outcome import Engine, Outcome, outcome_of
from simulator.study.vector import evaluate_together

_ONE_AT_A_TIME = threading.Lock()
"""A Dask worker may have several threads; what points share is made for one."""


@dataclass(frozen=True)
class Task:
    """Points to evaluate together; small enough to be sent anywhere."""

    context: bytes
    code_sha256: str
    choices: tuple[Choices, ...]


@dataclass(frozen=True)
class Answer:
    """A task's outcomes, in its order, and how long they took."""

    outcomes: tuple[Outcome, ...]
    elapsed_s: float


def evaluate_task(task: Task) -> Answer:
    """Evaluate a task in whatever process this is.

    Raises:
        UserError: this process runs other code than the one that asked.
    """
    if task.code_sha256 != CODE_SHA256:
        raise UserError(
            f"a worker runs other simulator code ({CODE_SHA256[:12]}) than this process "
            f"({task.code_sha256[:12]}): install the same version on every machine"
        )
    began_s = time.perf_counter()
    with _ONE_AT_A_TIME:
        context = _context(task.context)
        outcomes = evaluate([context.scenario(choices) for choices in task.choices])
    return Answer(tuple(outcomes), time.perf_counter() - began_s)


@lru_cache(maxsize=4)
def _context(packed: bytes) -> Context:
    return Context.from_bytes(packed)


def evaluate(scenarios: Sequence[Scenario]) -> list[Outcome]:
    """The outcome of each scenario, in order: together what can be, the rest by events."""
    found = evaluate_together(scenarios)
    return [
        outcome if isinstance(outcome, Outcome) else _simulate(scenario)
        for scenario, outcome in zip(scenarios, found, strict=True)
    ]


def _simulate(scenario: Scenario) -> Outcome:
    """One point by itself: on the event engine, unless weights are kept from input to input."""
    if scenario.keeping is not None:
        return evaluate_kept(scenario, scenario.keeping)
    try:
        run = run_workload(
            scenario.workload,
            scenario.spec,
            scenario.policy,
            scenario.routes,
            placement=scenario.placement,
        )
    except REASONS as error:
        return Outcome.infeasible(scenario.key, str(error))
    return outcome_of(scenario.key, run, Engine.EVENT)
