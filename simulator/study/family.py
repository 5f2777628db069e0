"""One family of points: which plan each has, and what its inferences cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simulator.compile import Path, fetch_rules, path_signature, sharing_a_plan
from simulator.cost.memory import memory_of
from simulator.errors import UserError
from simulator.fast.bounds import Timing, lower_bound_ps
from simulator.fast.designs import (
    DesignColumn,
    DesignTable,
    RecordingDram,
    design_table,
    timing_key,
)
from simulator.fast.path_work import PathWork, PathWorks
from simulator.fast.structure import Durations, NotVectorisedError, Structure, structure_of
from simulator.fast.upper_bound import CUT_LAYOUTS, MostTiming, MostWorks, upper_bound_ps
from simulator.ir import Program
from simulator.mapping.layout import place_weights
from simulator.mapping.placement import PinnedWeights
from simulator.mapping.plan import MappingProblem, Plan
from simulator.mapping.scheduler import Scheduler
from simulator.policy import Policy
from simulator.spec import AcceleratorSpec
from simulator.study.closed_form import UNKNOWN, ClosedForm
from simulator.study.lane import Lane, lanes, latencies
from simulator.units import ceil_div

Arms = tuple[int, ...]
"""A route, or its case: with what is speculated on."""
Times = NDArray[np.int64]
DESIGNS_KEPT = 256
WORKS_KEPT = 64
"""Columns of designs, and totals of routes, that a family remembers."""
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


class Family:
    """Plans and structures of points that share them; remembers what it has built.

    A candidate is a plan with one of the policy's fetch rules, numbered in this order. All routes
    share one, unless the route is known when it is chosen.
    """

    def __init__(
        self,
        program: Program,
        spec: AcceleratorSpec,
        pinned: PinnedWeights,
        weights: dict[Arms, int],
        policy: Policy = Policy.ON_DEMAND,
    ) -> None:
        """`weights` says how often each case occurs; early routers are in the program."""
        self.weights, self.policy = weights, policy
        self._problem = MappingProblem(program, spec, pinned.groups)
        self._paths = {arms: Path.of(self._problem, arms) for arms in weights}
        self._numbers = Durations()
        # A delay here only marks what is delayed: every design has its own.
        sequencer = spec.sequencer.model_copy(update={"branch_latency_ns": 1.0})
        marked = spec.model_copy(update={"sequencer": sequencer})
        self._rules = fetch_rules(policy, marked)
        memory = memory_of(spec)
        stored = self._stored = place_weights(self._problem.steps, spec, memory)
        dram = RecordingDram(self._numbers, memory)
        self._scheduler = Scheduler(marked, dram, stored)
        self.plans: list[Plan] = []
        self._planned_bytes = 0
        self._structures: dict[tuple[object, ...], Structure] = {}
        self._columns: dict[tuple[object, ...], DesignColumn] = {}
        self._works: dict[tuple[object, ...], PathWork] = {}

    @property
    def n_candidates(self) -> int:
        """Plans times fetch rules."""
        return len(self.plans) * len(self._rules)

    def evaluate(self, demands: Sequence[Demand]) -> list[Answer]:
        """Per demand, one lane for every route, or why there is none."""
        if self.policy is not Policy.ON_DEMAND:
            _check_range(demands)
        self._plan_up_to(max(demand.room_bytes for demand in demands))
        specs = {demand.timing: demand.spec for demand in demands}
        design = {timing: d for d, timing in enumerate(specs)}
        places = [(design[d.timing], self._first_candidate(d.room_bytes)) for d in demands]
        possible = sorted({place for place in places if place[1] < self.n_candidates})
        found: dict[Place, Answer] = {place: {} for place in possible}
        for weights in sharing_a_plan(self.policy, self.weights) if possible else ():
            for place, part in _Search(self, list(specs.values()), weights).run(possible).items():
                found[place] = _together(found[place], part)
        return [found.get(place, NO_PLAN) for place in places]

    def latencies(self, demands: Sequence[Demand]) -> tuple[Times, Times]:
        """Mean latency at every scratchpad size that makes a difference.

        Returns the budgets of plans, rising, and latencies of shape (budgets + 1, demands): with so
        many of the budgets fitting; UNKNOWN for none.
        """
        self._plan_up_to(max(demand.room_bytes for demand in demands))
        if not self.plans:
            return np.zeros(0, dtype=np.int64), np.full((1, len(demands)), UNKNOWN)
        budgets = sorted({plan.knobs.budget_bytes for plan in self.plans})
        firsts = [self._first_candidate(budget) for budget in budgets]
        search = _Search(self, [demand.spec for demand in demands], self.weights)
        designs = range(len(demands))
        exact = search.settle([(d, first) for first in firsts for d in designs])
        found = np.full((len(budgets) + 1, len(demands)), UNKNOWN, dtype=np.int64)
        for row, first in enumerate(firsts, start=1):
            found[row] = exact[first:].min(axis=0)
        return np.array(budgets, dtype=np.int64), found

    def bounds(self, arms: Arms, specs: Sequence[AcceleratorSpec]) -> NDArray[np.float64]:
        """Lower bounds on a route's latency, shape (candidates, designs)."""
        path = self._paths[arms]
        found = np.zeros((len(self.plans), len(self._rules), len(specs)))
        for members in _by_clocks(specs):
            work = self._work(specs[members[0]], arms)
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
        self._plan_up_to(room_bytes)
        lower = np.zeros((self.n_candidates, len(specs)))
        upper = np.zeros_like(lower)
        for arms, weight in self.weights.items() if self.plans else ():
            lower += weight * self.bounds(arms, specs)
            upper += weight * self._upper_bounds(arms, specs)
        each = [plan.knobs.budget_bytes for plan in self.plans for _ in self._rules]
        return ClosedForm.of(
            np.array(each, dtype=np.int64), lower, upper, sum(self.weights.values())
        )

    def _upper_bounds(self, arms: Arms, specs: Sequence[AcceleratorSpec]) -> NDArray[np.float64]:
        """Upper bounds on a route's latency, shape (candidates, designs)."""
        found = np.zeros((len(self.plans), len(specs)))
        for members in _by_clocks(specs):
            work = MostWorks(specs[members[0]], self._stored)
            timings = [MostTiming.of(specs[d], memory_of(specs[d])) for d in members]
            most = work.of(self.plans, self._paths[arms].groups)
            found[:, members] = upper_bound_ps(most, MostTiming.together(timings))
        return np.repeat(found, len(self._rules), axis=0)

    def _work(self, spec: AcceleratorSpec, arms: Arms) -> PathWork:
        """Totals of a route under all plans, at the clocks of a design."""
        clocks = (spec.pe_array.clock_hz, spec.vector_unit.clock_hz)
        key = (*clocks, tuple(arms), len(self.plans))
        if key not in self._works:
            while len(self._works) >= WORKS_KEPT:
                del self._works[next(iter(self._works))]
            self._works[key] = PathWorks(spec).of(self.plans, self._paths[arms].groups)
        return self._works[key]

    def structure(self, candidate: int, arms: Arms) -> Structure:
        """The schedule of a route through a candidate, but for its times."""
        at, number = divmod(candidate, len(self._rules))
        path, plan, rule = self._paths[arms], self.plans[at], self._rules[number]
        signature = path_signature(plan, path, rule, self._scheduler.costs)
        key = (plan.knobs.budget_bytes, number, *signature)
        found = self._structures.get(key)
        if found is None:
            schedule = self._scheduler.build(plan, path.groups, replace(rule, wants=path.wants))
            found = self._structures[key] = structure_of(schedule, self._numbers)
        return found

    def table(self, specs: Sequence[AcceleratorSpec]) -> DesignTable:
        """All durations that structures so far refer to."""
        while len(self._columns) > DESIGNS_KEPT:
            del self._columns[next(iter(self._columns))]
        keys = [timing_key(spec) for spec in specs]
        for key, spec in zip(keys, specs, strict=True):
            if key not in self._columns:
                self._columns[key] = DesignColumn(spec)
        return design_table(self._numbers, [self._columns[key] for key in keys])

    def _plan_up_to(self, room_bytes: int) -> None:
        if room_bytes <= self._planned_bytes:
            return
        budgets = self._problem.budgets(room_bytes)
        new = [budget for budget in budgets if budget > self._planned_bytes]
        self.plans = [p for each in new for p in self._problem.plans_at(each)] + self.plans
        self._planned_bytes = room_bytes

    def _first_candidate(self, room_bytes: int) -> int:
        """The first one that fits."""
        for index, plan in enumerate(self.plans):
            if plan.knobs.budget_bytes <= room_bytes:
                return index * len(self._rules)
        return self.n_candidates


def _check_range(demands: Sequence[Demand]) -> None:
    """Shares of a load's time are products of picoseconds and bytes.

    Raises:
        NotVectorisedError: some might leave the kernels' 64 bits.
    """
    for demand in demands:
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
        self, family: Family, specs: Sequence[AcceleratorSpec], weights: Mapping[Arms, int]
    ) -> None:
        self.family, self.specs, self.weights = family, specs, weights

    def run(self, places: Sequence[Place]) -> dict[Place, Answer]:
        """One lane per place and route."""
        exact = self.settle(places)
        # Of equal latency, the plan of the larger budget and then of the earlier knobs.
        chosen = {(d, first): first + int(exact[first:, d].argmin()) for d, first in places}
        found = self._lanes({(candidate, d) for (d, _), candidate in chosen.items()})
        return {place: found[candidate, place[0]] for place, candidate in chosen.items()}

    def settle(self, places: Sequence[Place]) -> Times:
        """Mean latencies where they matter, shape (candidates, designs); UNKNOWN elsewhere."""
        bounds = np.zeros((self.family.n_candidates, len(self.specs)))
        for arms, weight in self.weights.items():
            bounds += weight * self.family.bounds(arms, self.specs)
        bounds /= sum(self.weights.values())
        exact = np.full(bounds.shape, UNKNOWN, dtype=np.int64)
        while True:
            wanted: dict[int, set[int]] = defaultdict(set)
            for d, first in places:
                known = exact[first:, d]
                open_ps = np.where(known == UNKNOWN, bounds[first:, d], np.inf)
                likeliest = int(open_ps.argmin())
                if open_ps[likeliest] <= known.min():
                    wanted[first + likeliest].add(d)
            if not wanted:
                return exact
            for candidate, latency in self._means(wanted):
                exact[candidate] = latency

    def _structures(
        self, candidates: Mapping[int, set[int]]
    ) -> tuple[dict[int, Structure], dict[tuple[int, Arms], int], dict[int, set[int]]]:
        """The structures of candidates, those of each route, and the designs each is wanted on."""
        structures: dict[int, Structure] = {}
        of_route: dict[tuple[int, Arms], int] = {}
        wanted: dict[int, set[int]] = defaultdict(set)
        for candidate, designs in sorted(candidates.items()):
            for arms in self.weights:
                structure = self.family.structure(candidate, arms)
                structures[id(structure)] = structure
                of_route[candidate, arms] = id(structure)
                wanted[id(structure)] |= designs
        return structures, of_route, wanted

    def _means(self, candidates: Mapping[int, set[int]]) -> Iterator[tuple[int, Times]]:
        """Mean latency of candidates on all designs, rounded up."""
        structures, of_route, _ = self._structures(candidates)
        table = self.family.table(self.specs)
        latency = {key: latencies(each, table) for key, each in structures.items()}
        for candidate in candidates:
            each = {arms: latency[of_route[candidate, arms]] for arms in self.weights}
            total = sum(w * each[arms] for arms, w in self.weights.items())
            yield candidate, ceil_div(np.asarray(total), sum(self.weights.values()))

    def _lanes(self, chosen: set[tuple[int, int]]) -> dict[tuple[int, int], Answer]:
        """What every chosen candidate costs on every design that it was chosen for."""
        candidates: dict[int, set[int]] = defaultdict(set)
        for candidate, d in chosen:
            candidates[candidate].add(d)
        structures, of_route, wanted = self._structures(candidates)
        table = self.family.table(self.specs)
        each = {
            (key, d): lane
            for key, designs in wanted.items()
            for d, lane in lanes(structures[key], table, designs)
        }
        found: dict[tuple[int, int], Answer] = {}
        for candidate, d in chosen:
            found[candidate, d] = {}
            for arms in self.weights:
                lane = each[of_route[candidate, arms], d]
                one: Answer = lane if isinstance(lane, NotVectorisedError) else {arms: lane}
                found[candidate, d] = _together(found[candidate, d], one)
        return found
