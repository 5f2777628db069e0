"""Searches a design space for the points worth choosing: all of it, or as NSGA-II leads.

NSGA-II (Deb et al., IEEE Trans. Evolutionary Computation 6, 2002) is Optuna's. Its proposals
depend on the seed and the outcomes alone, which the store remembers: a search that was
interrupted runs through what it knows and goes on.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from simulator.errors import UserError
from simulator.study.accuracy import Accuracies
from simulator.study.axis import Choices
from simulator.study.execute import Progress, Runner, Watcher
from simulator.study.objective import ERROR, Limit, check_area, cost_of
from simulator.study.outcome import Outcome, Status
from simulator.study.pareto import front, hypervolume
from simulator.study.sweep import Sweep

POPULATION = 40
PENALTY = 1e30
"""Cost and excess of a point without figures."""
CHECKPOINTS = 50
MARGIN = 1.1
"""The hypervolume's reference is this much worse than the worst point found, in every cost."""


@dataclass(frozen=True)
class Search:
    """A space and what is wanted of it.

    Attributes:
        sweep: the space: its design's grid and what is around it.
        objectives: names of the costs to minimise.
        limits: what a point must respect to count.
        points: how many to evaluate at most.
        accuracies: what the cost `error` is taken from, if it is asked for.
    """

    sweep: Sweep
    objectives: tuple[str, ...]
    limits: tuple[Limit, ...]
    points: int
    accuracies: Accuracies | None = None

    def cost(self, name: str, choices: Choices, outcome: Outcome) -> float:
        """A cost of a point; infinite where the point has none."""
        if name == ERROR and self.accuracies is not None:
            workload = str(choices.get("workload", self.sweep.context.workloads[0].name))
            return self.accuracies.error_fraction(workload, choices)
        return cost_of(outcome, name)

    def is_good(self, choices: Choices, outcome: Outcome) -> bool:
        """Whether a point has all its figures and respects every limit."""
        costs = [self.cost(name, choices, outcome) for name in self.objectives]
        excess = [each.excess(self.cost(each.cost, choices, outcome)) for each in self.limits]
        return outcome.status is Status.OK and max(costs) < PENALTY and max(excess, default=0) <= 0

    @property
    def is_exhaustive(self) -> bool:
        """Whether the whole space is within the allowance."""
        return self.sweep.design.n_points <= self.points

    @cached_property
    def study(self) -> str:
        """Name in a store; a longer search has the same name and goes on where this one ended."""
        if self.is_exhaustive:
            return self.sweep.study
        aims = [list(self.objectives), [limit.text for limit in self.limits], POPULATION]
        if self.accuracies is not None:
            aims.append(sorted(map(repr, self.accuracies.fractions.items())))
        text = json.dumps([self.sweep.study, "nsga2", aims])
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Found:
    """What a search found, in the order it was evaluated.

    Attributes:
        points: every point with its outcome, points proposed again included.
        front: places in `points` of what is worth choosing, each set of costs once.
        history: (points evaluated, share of the final hypervolume).
    """

    points: tuple[tuple[Choices, Outcome], ...]
    front: tuple[int, ...]
    history: tuple[tuple[int, float], ...]


class Proposer(Protocol):
    """Something that proposes points and learns from their outcomes."""

    def propose(self, count: int) -> list[Choices]:
        """The next points."""

    def learn(self, points: Sequence[tuple[Choices, Outcome]]) -> None:
        """What became of the points proposed last, in their order."""


def run_search(search: Search, runner: Runner, watch: Watcher) -> tuple[Found, Progress]:
    """Evaluate the whole space, or as many points of it as allowed.

    Raises:
        UserError: an area is asked for that is not known, or Optuna is needed and not installed.
    """
    check_search(search)
    if search.is_exhaustive:
        progress = Progress(search.sweep.design.n_points)
        runner.run(search.sweep.points(), progress, watch)
    else:
        progress = Progress(search.points)
        _evolve(search, runner, NsgaProposer(search), progress, watch)
    points = [(choices, outcome) for _, choices, outcome in runner.store.rows(search.study)]
    return _judge(search, points[: search.points]), progress


def check_search(search: Search) -> None:
    """Refuse costs that cannot be known, before anything is simulated.

    Raises:
        UserError: an area or an error that is asked for and not known.
    """
    wanted = [*search.objectives, *(limit.cost for limit in search.limits)]
    check_area(wanted, search.sweep.context.spec)
    if ERROR not in wanted:
        return
    if search.accuracies is None:
        raise UserError("error: no simulation knows it; give --accuracy FILE")
    names = [workload.name for workload in search.sweep.context.workloads]
    search.accuracies.check(names, search.sweep.design.grid)


def _evolve(
    search: Search, runner: Runner, proposer: Proposer, progress: Progress, watch: Watcher
) -> None:
    """Generation by generation, each evaluated whole before the next is proposed."""
    for first in range(0, search.points, POPULATION):
        # A whole generation is proposed even if the allowance ends within it: a longer search
        # must propose the same.
        proposed = proposer.propose(POPULATION)
        numbered = list(enumerate(proposed, first))[: search.points - first]
        runner.run(numbered, progress, watch)
        last = first + len(numbered)
        rows = list(runner.store.rows(search.study, first, last))
        if len(numbered) == POPULATION:
            proposer.learn([(choices, outcome) for _, choices, outcome in rows])


class NsgaProposer:
    """Optuna's NSGA-II over the indices of every axis's values."""

    def __init__(self, search: Search) -> None:
        """Start a search.

        Raises:
            UserError: Optuna is not installed.
        """
        try:
            optuna = importlib.import_module("optuna")
        except ImportError:
            raise UserError(
                "a space too large to try whole needs Optuna, which is not installed: pip install "
                "'sigma-branch-simulator[explore]' (or allow more --points)"
            ) from None
        optuna.logging.set_verbosity(logging.WARNING)
        self._search = search
        self._axes = search.sweep.design.grid
        sampler = optuna.samplers.NSGAIISampler(
            population_size=POPULATION,
            seed=search.sweep.design.seed,
        )
        directions = ["minimize"] * len(search.objectives)
        self._study = optuna.create_study(sampler=sampler, directions=directions)
        self._asked: list[Any] = []

    def propose(self, count: int) -> list[Choices]:
        self._asked = [self._study.ask() for _ in range(count)]
        return [
            {
                axis.field: axis.values[trial.suggest_int(axis.field, 0, len(axis.values) - 1)]
                for axis in self._axes
            }
            for trial in self._asked
        ]

    def learn(self, points: Sequence[tuple[Choices, Outcome]]) -> None:
        search = self._search
        for trial, point in zip(self._asked, points, strict=True):
            costs = [min(search.cost(name, *point), PENALTY) for name in search.objectives]
            for limit in search.limits:
                excess = limit.excess(search.cost(limit.cost, *point))
                trial.set_constraint(limit.text, min(excess, PENALTY))
            trial.set_constraint("has figures", max(costs) - PENALTY / 2)
            self._study.tell(trial, costs)


def _judge(search: Search, points: list[tuple[Choices, Outcome]]) -> Found:
    good = [at for at, point in enumerate(points) if search.is_good(*point)]
    if not good:
        return Found(tuple(points), (), ())
    costs = np.array(
        [[search.cost(name, *points[at]) for name in search.objectives] for at in good]
    )
    kept = front(costs)
    _, first = np.unique(costs[kept], axis=0, return_index=True)
    chosen = [good[at] for at in np.flatnonzero(kept)[np.sort(first)]]
    reference = costs.max(axis=0) * MARGIN
    whole = hypervolume(costs, reference)
    history = []
    for step in range(1, CHECKPOINTS + 1):
        count = -(-len(points) * step // CHECKPOINTS)
        known = costs[[at < count for at in good]]
        history.append((count, hypervolume(known, reference) / whole))
    return Found(tuple(points), tuple(chosen), tuple(dict(history).items()))
