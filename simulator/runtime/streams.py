"""In which order inputs arrive at a device: real orders and models of how inputs follow another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from simulator.errors import UserError
from simulator.ir import Route
from simulator.outcomes_file import Outcomes
from simulator.runtime.itinerary import Arms, Itinerary

CHUNK = 65_536
"""Inputs generated at a time; memory does not grow with a stream's length."""

Numbers = NDArray[np.int64]


class StreamKind(StrEnum):
    """How one input follows another.

    data_set: in the order of the data set, again and again. shuffled: in a new random order every
    time. class_bursts: some inputs of one class, then some of another, as before a camera. markov:
    with a given probability (the persistence) the next input takes the leaf of the last, else any.
    independent: every input drawn by itself. All but the first two draw with replacement; in all,
    leaves have the population's shares in the long run.
    """

    DATA_SET = "data_set"
    SHUFFLED = "shuffled"
    CLASS_BURSTS = "class_bursts"
    MARKOV = "markov"
    INDEPENDENT = "independent"


@dataclass(frozen=True)
class Population:
    """Where a stream's inputs come from.

    Attributes:
        leaves: the arms that lead to each leaf.
        leaf_of: by input, the number of the leaf it takes.
        weights: by input, how likely it is drawn; sums to 1.
        labels: by input, its true class, where known.
        ordered: whether the inputs are real ones in their own order, not one per leaf.
        origin: where they come from, for people.
    """

    leaves: tuple[Arms, ...]
    leaf_of: Numbers
    weights: NDArray[np.float64]
    labels: Numbers | None
    ordered: bool
    origin: str


def population_of_shares(itinerary: Itinerary, source: str) -> Population:
    """One input per leaf, as likely as the workload's leaf shares say."""
    leaves = tuple(itinerary.shares)
    weights = np.array([itinerary.shares[arms] for arms in leaves])
    return Population(leaves, np.arange(len(leaves)), weights, None, False, source)


def population_of_routes(itinerary: Itinerary, routes: Sequence[Route], source: str) -> Population:
    """The inputs of a routes file, in its order; their classes are not known."""
    leaves = tuple(itinerary.shares)
    number = {arms: leaf for leaf, arms in enumerate(leaves)}
    leaf_of = np.array([number[route.arms] for route in routes], dtype=np.int64)
    return Population(leaves, leaf_of, _even(len(routes)), None, True, source)


def population_of_outcomes(outcomes: Outcomes, source: str) -> Population:
    """The test inputs of a built tree, with what its routers and leaves say of each."""
    leaf_of = np.array([entry.leaf for entry in outcomes.inputs], dtype=np.int64)
    labels = np.array([entry.label for entry in outcomes.inputs], dtype=np.int64)
    return Population(outcomes.leaves, leaf_of, _even(len(leaf_of)), labels, True, source)


def _even(count: int) -> NDArray[np.float64]:
    return np.full(count, 1.0 / count)


@dataclass(frozen=True)
class Stream:
    """A reproducible stream: the same settings give the same inputs, however often it is read.

    Attributes:
        kind, population, count, seed: what, from where, how many, drawn how.
        persistence: for markov, from 0 (independent) to 1 (never another leaf).
        burst: for class_bursts, inputs of one class in a row.

    Raises:
        UserError: the population cannot be put in that order, or a number is out of range.
    """

    kind: StreamKind
    population: Population
    count: int
    seed: int = 0
    persistence: float = 0.5
    burst: int = 16

    def __post_init__(self) -> None:
        real = self.kind in (StreamKind.DATA_SET, StreamKind.SHUFFLED)
        if real and not self.population.ordered:
            raise UserError(
                f"--stream {self.kind}: needs real inputs: name a folder that build wrote, "
                "--routes or --outcomes"
            )
        if self.kind is StreamKind.CLASS_BURSTS:
            self._labels()
        if not 0 <= self.persistence <= 1:
            raise UserError(f"--persistence {self.persistence:g}: must be from 0 to 1")
        if self.burst < 1:
            raise UserError(f"--burst {self.burst}: must be one or more")

    def chunks(self) -> Iterator[Numbers]:
        """The inputs' numbers in the population, some at a time."""
        left = self.count
        for chunk in self._endless():
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0:
                return

    def inputs(self) -> Iterator[int]:
        """The inputs' numbers one by one."""
        for chunk in self.chunks():
            yield from chunk.tolist()

    def routes(self) -> Iterator[Arms]:
        """The route that hard routing takes each input along."""
        leaves, leaf_of = self.population.leaves, self.population.leaf_of
        for chunk in self.chunks():
            for leaf in leaf_of[chunk].tolist():
                yield leaves[leaf]

    def _endless(self) -> Iterator[Numbers]:
        rng = np.random.default_rng(self.seed)
        match self.kind:
            case StreamKind.DATA_SET:
                return self._repeated(None)
            case StreamKind.SHUFFLED:
                return self._repeated(rng)
            case StreamKind.CLASS_BURSTS:
                return self._class_bursts(rng, self._labels())
            case StreamKind.MARKOV:
                return self._markov(rng, self.persistence)
            case StreamKind.INDEPENDENT:
                return self._markov(rng, 0.0)

    def _repeated(self, rng: np.random.Generator | None) -> Iterator[Numbers]:
        order = np.arange(len(self.population.leaf_of))
        while True:
            yield order if rng is None else rng.permutation(order)

    def _labels(self) -> Numbers:
        if self.population.labels is None:
            raise UserError("--stream class_bursts: needs classes: name --outcomes")
        return self.population.labels

    def _class_bursts(self, rng: np.random.Generator, labels: Numbers) -> Iterator[Numbers]:
        members = _Members(labels)
        n_bursts = max(CHUNK // self.burst, 1)
        while True:
            classes = labels[rng.integers(len(labels), size=n_bursts)]
            yield members.draw(np.repeat(classes, self.burst), rng)

    def _markov(self, rng: np.random.Generator, persistence: float) -> Iterator[Numbers]:
        population = self.population
        members = _Members(population.leaf_of)
        last_leaf: int | None = None
        while True:
            drawn = rng.choice(len(population.leaf_of), size=CHUNK, p=population.weights)
            stays = rng.random(CHUNK) < persistence
            leaves = population.leaf_of[drawn]
            if last_leaf is None:
                stays[0] = False
            elif stays[0]:
                leaves[0] = last_leaf
            since = np.maximum.accumulate(np.where(stays, 0, np.arange(CHUNK)))
            leaves = leaves[since]
            last_leaf = int(leaves[-1])
            yield np.where(stays, members.draw(leaves, rng), drawn)


class _Members:
    """The inputs of each group (a class, a leaf), to draw one at random."""

    def __init__(self, group_of: Numbers) -> None:
        self._order = np.argsort(group_of, kind="stable")
        self._sizes = np.bincount(group_of)
        self._starts = np.cumsum(self._sizes) - self._sizes

    def draw(self, groups: Numbers, rng: np.random.Generator) -> Numbers:
        """One input of each group named, with replacement."""
        picks = (rng.random(len(groups)) * self._sizes[groups]).astype(np.int64)
        found: Numbers = self._order[self._starts[groups] + picks]
        return found
