"""Requests: which network, which route, when, and by when."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np

from simulator.serving.arrivals import CHUNK, Arrivals

Arms = tuple[int, ...]
_ARRIVALS, _NETWORKS, _EXPECTED = 1, 2, 3
"""Purposes of random numbers, so that changing one draws none of another anew."""


class Request(NamedTuple):
    """One input that arrives to be inferred; a plain tuple, for there are millions.

    Attributes:
        number: position in the order of arrival, from zero.
        network: which of the networks that share the NPU.
        arms: the route it will take, known to nobody before its routers have run.
        expected: the route that a prediction at arrival names.
        arrival_ps: when it arrives.
        deadline_ps: by when it should be done; None without one.
    """

    number: int
    network: int
    arms: Arms
    expected: Arms
    arrival_ps: int
    deadline_ps: int | None


@dataclass(frozen=True)
class Network:
    """A workload as a source of requests.

    Attributes:
        name: of the workload.
        routes: starts the endless stream of its inputs' routes, the same each time.
        leaves: every route there is, for predictions that are wrong.
        deadline_ps: from a request's arrival to its deadline; None without one.
    """

    name: str
    routes: Callable[[], Iterator[Arms]]
    leaves: tuple[Arms, ...]
    deadline_ps: int | None = None


@dataclass(frozen=True)
class Source:
    """One arrival process and the networks its requests are for, each with its share."""

    arrivals: Arrivals
    networks: tuple[int, ...]
    shares: tuple[float, ...] = (1.0,)

    def arriving(self, seed: int, number: int) -> Iterator[tuple[int, int]]:
        """Pairs of arrival time and network, in order of time."""
        generator = np.random.default_rng((seed, _NETWORKS, number))
        for times in self.arrivals.times_ps((seed, _ARRIVALS, number)):
            if len(self.networks) == 1:
                yield from ((time, self.networks[0]) for time in times.tolist())
            else:
                chosen = generator.choice(self.networks, size=len(times), p=self.shares)
                yield from zip(times.tolist(), chosen.tolist(), strict=True)


@dataclass(frozen=True)
class Traffic:
    """Everything that arrives: restartable, and the same each time.

    Attributes:
        networks: what shares the NPU.
        sources: the arrival processes, merged by time.
        count: requests to serve; fewer where traces end earlier.
        seed: of arrivals, networks and predictions.
        accuracy_fraction: how often a request's leaf is predicted right at its arrival; one is an
            oracle. A wrong prediction names any other leaf, all as often.
    """

    networks: tuple[Network, ...]
    sources: tuple[Source, ...]
    count: int
    seed: int
    accuracy_fraction: float = 1.0

    def requests(self) -> Iterator[Request]:
        """The requests in order of arrival."""
        merged = heapq.merge(
            *(source.arriving(self.seed, number) for number, source in enumerate(self.sources))
        )
        routes = [network.routes() for network in self.networks]
        expect = [
            _predictions(network.leaves, self.accuracy_fraction, (self.seed, _EXPECTED, number))
            for number, network in enumerate(self.networks)
        ]
        deadlines = [network.deadline_ps for network in self.networks]
        for number, (time_ps, network) in enumerate(islice(merged, self.count)):
            arms = next(routes[network])
            relative_ps = deadlines[network]
            due_ps = None if relative_ps is None else time_ps + relative_ps
            yield Request(number, network, arms, expect[network](arms), time_ps, due_ps)


def _predictions(
    leaves: tuple[Arms, ...], accuracy_fraction: float, seed: tuple[int, ...]
) -> Callable[[Arms], Arms]:
    """A function from a request's route to the one predicted."""
    if accuracy_fraction >= 1 or len(leaves) == 1:
        return lambda arms: arms
    numbers = _uniform(seed)
    places = {leaf: place for place, leaf in enumerate(leaves)}

    def predict(arms: Arms) -> Arms:
        number = next(numbers)
        if number < accuracy_fraction:
            return arms
        # What is left of the number says which of the others, all as often.
        other = (number - accuracy_fraction) / (1 - accuracy_fraction)
        step = 1 + min(int(other * (len(leaves) - 1)), len(leaves) - 2)
        return leaves[(places[arms] + step) % len(leaves)]

    return predict


def _uniform(seed: tuple[int, ...]) -> Iterator[float]:
    generator = np.random.default_rng(seed)
    while True:
        yield from generator.random(CHUNK).tolist()


def drawn_routes(
    leaves: tuple[Arms, ...], shares: tuple[float, ...], seed: int
) -> Callable[[], Iterator[Arms]]:
    """Independent routes with the given leaf shares: those that `run` draws from the same seed."""

    def routes() -> Iterator[Arms]:
        generator = np.random.default_rng(seed)
        weights = np.array(shares, dtype=np.float64)
        while True:
            picks = generator.choice(len(leaves), size=CHUNK, p=weights / weights.sum())
            yield from (leaves[pick] for pick in picks.tolist())

    return routes
