"""One family of points: which plan each has, and what its inferences cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from simulator.compile import Path, fetch_rules, path_signature, sharing_a_plan
from simulator.cost.memory import memory_of
from simulator.errors import UserError
from simulator.fast.bounds import Timing, lower_bound_ps
from simulator.fast.designs import DesignColumn
from simulator.fast.structure import NotVectorisedError, Structure, structure_of
from simulator.fast.upper_bound import CUT_LAYOUTS, MostTiming, MostWorks, upper_bound_ps
from simulator.policy import Policy
from simulator.spec import AcceleratorSpec
from simulator.study.closed_form import UNKNOWN, ClosedForm
from simulator.study.ground import Ground
from simulator.study.lane import Lane, lanes, latencies
from simulator.units import ceil_div

Arms = tuple[int, ...]
"""A route, or its case: with what is speculated on."""
Times = NDArray[np.int64]
LARGEST_PRODUCT = 2**58
"""Of picoseconds and bytes: 32 times below what 64 bits hold, for loads in many small pieces."""
NO_PLAN = NotVectorisedError("no plan fits")


Answer = dict[Arms, Lane] | NotVectorisedError
"""One lane per route, or why there is none."""


@dataclass(frozen=True)
class Demand:
    """What a point asks of its family: its timing and the scratchpad bytes there are for plans."""

    spec: AcceleratorSpec
    timing: tuple[object, ...]
    room_bytes: int


class Replayed:
    """A structure, and its latency on each design it was replayed on."""

    def __init__(self, structure: Structure) -> None:
        self.structure = structure
        self._latency_ps: WeakKeyDictionary[DesignColumn, int] = WeakKeyDictionary()

    def on(self, ground: Ground, designs: Sequence[DesignColumn]) -> Times:
        """Its latencies on designs."""
        missing = [design for design in designs if design not in self._latency_ps]
        if missing:
            found = latencies(self.structure, ground.table(missing))
            self._latency_ps.update(zip(missing, found.tolist(), strict=True))
        return np.array([self._latency_ps[design] for design in designs], dtype=np.int64)


class Family:
    """Plans and structures of points that share them; remembers what it has built.

    A candidate is a plan with one of the policy's fetch rules, numbered in this order. All routes
    share one, unless the route is known when it is chosen.
    """

    def __init__(
        self, ground: Ground, weights: dict[Arms, int], policy: Policy = Policy.ON_DEMAND
    ) -> None:
        """`weights` says how often each case occurs; early routers are in the program."""
        self.ground, self.weights, self.policy = ground, weights, policy
        self._paths = {arms: Path.of(ground.problem, arms) for arms in weights}
        self._rules = fetch_rules(policy, ground.spec)
        self._structures: dict[tuple[object, ...], Replayed] = {}
        self._of_route: dict[tuple[int, int, Arms], Replayed] = {}
        self._bounds: dict[tuple[Arms, int], WeakKeyDictionary[DesignColumn, NDArray[Any]]] = {}

    @property
    def n_candidates(self) -> int:
        """Plans times fetch rules."""
        return len(self.ground.plans) * len(self._rules)

    def evaluate(self, demands: Sequence[Demand]) -> list[Answer]:
        """Per demand, one lane for every route, or why there is none.

        Raises:
            NotVectorisedError: products of times and bytes might leave the kernels' 64 bits.
        """
        if self.policy is not Policy.ON_DEMAND:
            _check_range(demands)
        self.ground.plan_up_to(max(demand.room_bytes for demand in demands))
        columns = [self.ground.design(demand.spec, demand.timing) for demand in demands]
        designs = list(dict.fromkeys(columns))
        number = {column: d for d, column in enumerate(designs)}
        places = [
            (number[column], self._first_candidate(demand.room_bytes))
            for column, demand in zip(columns, demands, strict=True)
        ]
        possible = sorted({place for place in places if place[1] < self.n_candidates})
        found: dict[Place, Answer] = {place: {} for place in possible}
        for weights in sharing_a_plan(self.policy, self.weights) if possible else ():
            for place, part in _Search(self, designs, weights).run(possible).items():
                found[place] = _together(found[place], part)
        self.ground.forget()
        return [found.get(place, NO_PLAN) for place in places]

    def latencies(self, demands: Sequence[Demand]) -> tuple[Times, Times]:
        """Mean latency at every scratchpad size that makes a difference.

        Returns the budgets of plans, rising, and latencies of shape (budgets + 1, demands): with so
        many of the budgets fitting; UNKNOWN for none.
        """
        room_bytes = max(demand.room_bytes for demand in demands)
        self.ground.plan_up_to(room_bytes)
        designs = [self.ground.design(demand.spec, demand.timing) for demand in demands]
        budgets = np.unique(self._budgets(room_bytes))
        firsts = [self._first_candidate(int(budget)) for budget in budgets]
        search = _Search(self, designs, self.weights)
        exact = search.settle([(d, first) for first in firsts for d in range(len(designs))])
        found = np.full((len(budgets) + 1, len(demands)), UNKNOWN, dtype=np.int64)
        for row, first in enumerate(firsts, start=1):
            found[row] = exact[first:].min(axis=0)
        return budgets, found

    def bounds(self, arms: Arms, designs: Sequence[DesignColumn]) -> NDArray[np.float64]:
        """Lower bounds on a route's latency, shape (candidates, designs)."""
        known = self._bounds.setdefault((arms, self.n_candidates), WeakKeyDictionary())
        missing = [design for design in dict.fromkeys(designs) if design not in known]
        if missing:
            found = self._bounds_on(arms, [design.spec for design in missing])
            known.update(zip(missing, found.T, strict=True))
        return np.array([known[design] for design in designs]).T

    def _bounds_on(self, arms: Arms, specs: Sequence[AcceleratorSpec]) -> NDArray[np.float64]:
        path = self._paths[arms]
        found = np.zeros((len(self.ground.plans), len(self._rules), len(specs)))
        for members in _by_clocks(specs):
            work = self.ground.work(specs[members[0]], arms, path.groups)
            rules = [fetch_rules(self.policy, specs[d]) for d in members]
            for number, of_designs in enumerate(zip(*rules, strict=True)):
                timings = [
                    Timing.of(specs[d], memory_of(specs[d]), replace(rule, wants=path.wants))
                    for d, rule in zip(members, of_designs, strict=True)
                ]
                found[:, number, members] = lower_bound_ps(work, Timing.together(timings))
        return found.reshape(self.n_candidates, len(specs))

    def closed_form(self, specs: Sequence[AcceleratorSpec], room_bytes: int) -> ClosedForm:
        """Bounds of the mean latency without any schedule.

        Raises:
            UserError: the policy may speculate, or the layout reads weights in pieces.
        """
        decides = any(group.is_decision for path in self._paths.values() for group in path.groups)
        layouts = {spec.dram.weight_layout for spec in specs}
        if (decides and self.policy is not Policy.ON_DEMAND) or layouts & CUT_LAYOUTS:
            raise UserError(
                f"no closed form bounds policy {self.policy.value} under layout "
                f"{', '.join(sorted(layouts))} from above"
            )
        self.ground.plan_up_to(room_bytes)
        lower = np.zeros((self.n_candidates, len(specs)))
        upper = np.zeros_like(lower)
        for arms, weight in self.weights.items() if self.n_candidates else ():
            lower += weight * self._bounds_on(arms, specs)
            upper += weight * self._upper_bounds(arms, specs)
        first = self._first_candidate(room_bytes)
        budgets, inferences = self._budgets(room_bytes), sum(self.weights.values())
        return ClosedForm.of(budgets, lower[first:], upper[first:], inferences)

    def _upper_bounds(self, arms: Arms, specs: Sequence[AcceleratorSpec]) -> NDArray[np.float64]:
        """Upper bounds on a route's latency, shape (candidates, designs)."""
        plans = self.ground.plans
        found = np.zeros((len(plans), len(specs)))
        for members in _by_clocks(specs):
            work = MostWorks(specs[members[0]], self.ground.stored)
            timings = [MostTiming.of(specs[d], memory_of(specs[d])) for d in members]
            most = work.of(plans, self._paths[arms].groups)
            found[:, members] = upper_bound_ps(most, MostTiming.together(timings))
        return np.repeat(found, len(self._rules), axis=0)

    def replayed(self, candidate: int, arms: Arms) -> Replayed:
        """The schedule of a route through a candidate, but for its times."""
        at, number = divmod(candidate, len(self._rules))
        path, plan, rule = self._paths[arms], self.ground.plans[at], self._rules[number]
        of_route = self._of_route.get((id(plan), number, arms))
        if of_route is not None:
            return of_route
        scheduler = self.ground.scheduler
        signature = path_signature(plan, path, rule, scheduler.costs)
        key = (plan.knobs.budget_bytes, number, *signature)
        found = self._structures.get(key)
        if found is None:
            schedule = scheduler.build(plan, path.groups, replace(rule, wants=path.wants))
            found = self._structures[key] = Replayed(structure_of(schedule, self.ground.numbers))
        self._of_route[id(plan), number, arms] = found
        return found

    def _first_candidate(self, room_bytes: int) -> int:
        """The first one that fits."""
        for index, plan in enumerate(self.ground.plans):
            if plan.knobs.budget_bytes <= room_bytes:
                return index * len(self._rules)
        return self.n_candidates

    def _budgets(self, room_bytes: int) -> Times:
        """Of the candidates that fit."""
        plans = self.ground.plans[self._first_candidate(room_bytes) // len(self._rules) :]
        each = [plan.knobs.budget_bytes for plan in plans for _ in self._rules]
        return np.array(each, dtype=np.int64)


def _check_range(demands: Sequence[Demand]) -> None:
    """Shares of a load's time are products of picoseconds and bytes.

    Raises:
        NotVectorisedError: some might leave the kernels' 64 bits.
    """
    largest: dict[tuple[object, ...], Demand] = {}
    for demand in sorted(demands, key=lambda each: each.room_bytes):
        largest[demand.timing] = demand
    for demand in largest.values():
        slowest_ps = memory_of(demand.spec).occupancy_ps(demand.room_bytes)
        if slowest_ps * demand.room_bytes >= LARGEST_PRODUCT:
            raise NotVectorisedError("so slow and so large that products leave 64 bits")


def _by_clocks(specs: Sequence[AcceleratorSpec]) -> Iterable[list[int]]:
    """Designs of equal clocks together."""
    members: dict[tuple[int, int], list[int]] = defaultdict(list)
    for d, spec in enumerate(specs):
        members[spec.pe_array.clock_hz, spec.vector_unit.clock_hz].append(d)
    return members.values()


def _together(one: Answer, other: Answer) -> Answer:
    """The lanes of both."""
    if isinstance(one, NotVectorisedError):
        return one
    return other if isinstance(other, NotVectorisedError) else one | other


Place = tuple[int, int]
"""A design, and the first candidate that fits."""


class _Search:
    """Finds the candidate of every place: bounds for all, replays for those that may be the best.

    `weights` are the routes that share it, and how often each occurs.
    """

    def __init__(
        self, family: Family, designs: Sequence[DesignColumn], weights: Mapping[Arms, int]
    ) -> None:
        self.family, self.designs, self.weights = family, designs, weights
        self._inferences = sum(weights.values())

    def run(self, places: Sequence[Place]) -> dict[Place, Answer]:
        """One lane per place and route."""
        exact = self.settle(places)
        # Of equal latency, the plan of the larger budget and then of the earlier knobs.
        chosen = {(d, first): first + int(exact[first:, d].argmin()) for d, first in places}
        found = self._lanes({(candidate, d) for (d, _), candidate in chosen.items()})
        return {place: found[candidate, place[0]] for place, candidate in chosen.items()}

    def settle(self, places: Sequence[Place]) -> Times:
        """Mean latencies where they matter, shape (candidates, designs); UNKNOWN elsewhere."""
        n, weights = self._inferences, self.weights
        least = {arms: self.family.bounds(arms, self.designs) for arms in weights}
        sums = np.zeros((self.family.n_candidates, len(self.designs)))
        for arms, weight in weights.items():
            sums += weight * least[arms]
        exact = np.full(sums.shape, UNKNOWN, dtype=np.int64)
        open_places = list(places)
        while open_places:
            wanted: dict[int, dict[int, int]] = defaultdict(dict)
            still: list[Place] = []
            for d, first in open_places:
                likeliest, best = first + int(sums[first:, d].argmin()), int(exact[first:, d].min())
                if sums[likeliest, d] <= best * n:
                    wanted[likeliest][d] = max(wanted[likeliest].get(d, 0), best)
                    still.append((d, first))
            for candidate, most_ps in wanted.items():
                designs = list(most_ps)
                on = (candidate, designs)
                if self._replay(candidate, designs, np.array(list(most_ps.values())), least, sums):
                    total = sum(w * least[arms][on].astype(np.int64) for arms, w in weights.items())
                    exact[on] = ceil_div(np.asarray(total), n)
                    sums[on] = np.inf
            open_places = still
        return exact

    def _replay(
        self,
        candidate: int,
        designs: list[int],
        most_ps: Times,
        least: Mapping[Arms, NDArray[np.float64]],
        sums: NDArray[np.float64],
    ) -> bool:
        """Put a candidate's latencies in place of bounds, route by route, unless it falls behind.

        `least` are bounds or latencies by route, `sums` those of all inferences. Returns whether
        all routes are done; else the mean is above `most_ps` on every design.
        """
        family, on = self.family, (candidate, designs)
        columns = [self.designs[d] for d in designs]
        for arms, weight in sorted(self.weights.items(), key=lambda each: -each[1]):
            found = family.replayed(candidate, arms).on(family.ground, columns)
            sums[on] += weight * (found - least[arms][on])
            least[arms][on] = found
            # A picosecond more: sums of bounds are rounded.
            if (sums[on] > (most_ps.astype(np.float64) + 1) * self._inferences).all():
                return False
        return True

    def _lanes(self, chosen: Set[tuple[int, int]]) -> dict[tuple[int, int], Answer]:
        """What every chosen candidate costs on every design that it was chosen for."""
        wanted: dict[Structure, set[int]] = defaultdict(set)
        for candidate, d in chosen:
            for arms in self.weights:
                wanted[self.family.replayed(candidate, arms).structure].add(d)
        table = self.family.ground.table(self.designs)
        each = {
            (structure, d): lane
            for structure, designs in wanted.items()
            for d, lane in lanes(structure, table, designs)
        }
        found: dict[tuple[int, int], Answer] = {}
        for candidate, d in chosen:
            found[candidate, d] = {}
            for arms in self.weights:
                lane = each[self.family.replayed(candidate, arms).structure, d]
                one: Answer = lane if isinstance(lane, NotVectorisedError) else {arms: lane}
                found[candidate, d] = _together(found[candidate, d], one)
        return found
