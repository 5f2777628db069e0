"""One family of points: which plan each has, and what its inferences cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simulator.compile import fetch_rules
from simulator.cost.energy import EventCounts
from simulator.cost.energy_table import Operands
from simulator.cost.memory import memory_of
from simulator.fast.batch import Times, replay_block
from simulator.fast.bounds import Timing, lower_bound_ps
from simulator.fast.designs import (
    DesignColumn,
    DesignTable,
    RecordingDram,
    design_table,
    timing_key,
)
from simulator.fast.occupancy import peak_bytes
from simulator.fast.path_work import PathWork, PathWorks
from simulator.fast.shares import partition_block
from simulator.fast.structure import Durations, NotVectorisedError, Structure, structure_of
from simulator.ir import Program
from simulator.mapping.layout import place_weights
from simulator.mapping.placement import PinnedWeights
from simulator.mapping.plan import MappingProblem, Plan
from simulator.mapping.schedule import FetchRule
from simulator.mapping.scheduler import Scheduler
from simulator.mapping.tiles import TransferKind
from simulator.policy import Policy
from simulator.result import StallKind
from simulator.spec import AcceleratorSpec
from simulator.units import ceil_div

Arms = tuple[int, ...]
LANES_AT_ONCE = 384
"""Structures times designs of a block: so many that arrays are worth it and fit the cache."""
DESIGNS_KEPT = 256
WORKS_KEPT = 64
"""Columns of designs, and totals of routes, that a family remembers."""
UNKNOWN = 2**62
"""Above any latency: not replayed, or no plan."""


@dataclass(frozen=True)
class Demand:
    """What a point asks of its family: its timing and the scratchpad bytes there are for plans."""

    spec: AcceleratorSpec
    timing: tuple[object, ...]
    room_bytes: int


@dataclass(frozen=True)
class Lane:
    """One schedule on one design."""

    latency_ps: int
    compute_ps: int
    stalls_ps: dict[StallKind, int]
    dram_busy_ps: int
    counts: EventCounts
    mac_terms: tuple[tuple[int, Operands], ...]
    weight_bytes: int
    activation_bytes: int
    peak_bytes: int


class Family:
    """Plans and structures of points that share them; remembers what it has built.

    Nothing behind a branch is fetched before its decision: all routes share a plan.
    """

    def __init__(
        self,
        program: Program,
        spec: AcceleratorSpec,
        pinned: PinnedWeights,
        weights: dict[Arms, int],
    ) -> None:
        self.weights = weights
        self._problem = MappingProblem(program, spec, pinned.groups)
        self._paths = {arms: self._problem.path(arms) for arms in weights}
        self._numbers = Durations()
        # A delay here only marks what is delayed: every design has its own.
        sequencer = spec.sequencer.model_copy(update={"branch_latency_ns": 1.0})
        self._marked = spec.model_copy(update={"sequencer": sequencer})
        memory = memory_of(spec)
        stored = place_weights(self._problem.steps, spec, memory)
        dram = RecordingDram(self._numbers, memory)
        self._scheduler = Scheduler(self._marked, dram, stored)
        self.plans: list[Plan] = []
        self._planned_bytes = 0
        self._structures: dict[tuple[object, ...], Structure] = {}
        self._columns: dict[tuple[object, ...], DesignColumn] = {}
        self._works: dict[tuple[object, ...], PathWork] = {}

    def evaluate(self, demands: Sequence[Demand]) -> list[dict[Arms, Lane] | NotVectorisedError]:
        """Per demand, one lane for every route, or why there is none."""
        self._plan_up_to(max(demand.room_bytes for demand in demands))
        specs = {demand.timing: demand.spec for demand in demands}
        design = {timing: d for d, timing in enumerate(specs)}
        places = [(design[d.timing], self._first_plan(d.room_bytes)) for d in demands]
        possible = sorted({place for place in places if place[1] < len(self.plans)})
        found = _Search(self, list(specs.values())).run(possible) if possible else {}
        return [found.get(place, NotVectorisedError("no plan fits")) for place in places]

    def latencies(self, demands: Sequence[Demand]) -> tuple[Times, Times]:
        """Mean latency at every scratchpad size that makes a difference.

        Returns the budgets of plans, rising, and latencies of shape (budgets + 1, demands): with so
        many of the budgets fitting; UNKNOWN for none.
        """
        self._plan_up_to(max(demand.room_bytes for demand in demands))
        budgets = sorted({plan.knobs.budget_bytes for plan in self.plans})
        firsts = [self._first_plan(budget) for budget in budgets]
        search = _Search(self, [demand.spec for demand in demands])
        designs = range(len(demands))
        exact = search.settle([(d, first) for first in firsts for d in designs])
        found = np.full((len(budgets) + 1, len(demands)), UNKNOWN, dtype=np.int64)
        for row, first in enumerate(firsts, start=1):
            found[row] = exact[first:].min(axis=0)
        return np.array(budgets, dtype=np.int64), found

    def bounds(self, arms: Arms, specs: Sequence[AcceleratorSpec]) -> NDArray[np.float64]:
        """Lower bounds on a route's latency, shape (plans, designs)."""
        found = np.zeros((len(self.plans), len(specs)))
        by_clocks: dict[tuple[int, int], list[int]] = defaultdict(list)
        for d, spec in enumerate(specs):
            by_clocks[spec.pe_array.clock_hz, spec.vector_unit.clock_hz].append(d)
        for members in by_clocks.values():
            work = self._work(specs[members[0]], arms)
            timings = [
                Timing.of(specs[d], memory_of(specs[d]), _on_demand(specs[d])) for d in members
            ]
            found[:, members] = lower_bound_ps(work, Timing.together(timings))
        return found

    def _work(self, spec: AcceleratorSpec, arms: Arms) -> PathWork:
        """Totals of a route under all plans, at the clocks of a design."""
        clocks = (spec.pe_array.clock_hz, spec.vector_unit.clock_hz)
        key = (*clocks, arms, len(self.plans))
        if key not in self._works:
            while len(self._works) >= WORKS_KEPT:
                del self._works[next(iter(self._works))]
            self._works[key] = PathWorks(spec).of(self.plans, self._paths[arms])
        return self._works[key]

    def structure(self, plan: int, arms: Arms) -> Structure:
        """The schedule of a route through a plan, but for its times."""
        path, chosen = self._paths[arms], self.plans[plan]
        phase = self._scheduler.costs.phase
        signature = tuple((chosen.groups[g.name].signature, phase(g.name)) for g in path)
        key = (chosen.knobs.budget_bytes, *signature)
        found = self._structures.get(key)
        if found is None:
            schedule = self._scheduler.build(chosen, path, _on_demand(self._marked))
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

    def _first_plan(self, room_bytes: int) -> int:
        """Index of the first plan that fits."""
        for index, plan in enumerate(self.plans):
            if plan.knobs.budget_bytes <= room_bytes:
                return index
        return len(self.plans)


def _on_demand(spec: AcceleratorSpec) -> FetchRule:
    (rule,) = fetch_rules(Policy.ON_DEMAND, spec)
    return rule


Place = tuple[int, int]
"""A design, and the first plan that fits."""


class _Search:
    """Finds the plan of every place: bounds for all, replays for those that may be the best."""

    def __init__(self, family: Family, specs: Sequence[AcceleratorSpec]) -> None:
        self.family, self.specs = family, specs

    def run(self, places: Sequence[Place]) -> dict[Place, dict[Arms, Lane] | NotVectorisedError]:
        """One lane per place and route."""
        exact = self.settle(places)
        # Of equal latency, the plan of the larger budget and then of the earlier knobs.
        plan_of = {(d, first): first + int(exact[first:, d].argmin()) for d, first in places}
        try:
            lanes = self._lanes({(plan, d) for (d, _), plan in plan_of.items()})
        except NotVectorisedError as refusal:
            return dict.fromkeys(places, refusal)
        return {place: lanes[plan, place[0]] for place, plan in plan_of.items()}

    def settle(self, places: Sequence[Place]) -> Times:
        """Mean latencies where they matter, shape (plans, designs); UNKNOWN elsewhere."""
        weights = self.family.weights
        bounds = np.zeros((len(self.family.plans), len(self.specs)))
        for arms, weight in weights.items():
            bounds += weight * self.family.bounds(arms, self.specs)
        bounds /= sum(weights.values())
        exact = np.full(bounds.shape, UNKNOWN, dtype=np.int64)
        while True:
            wanted: set[int] = set()
            for d, first in places:
                known = exact[first:, d]
                open_ps = np.where(known == UNKNOWN, bounds[first:, d], np.inf)
                likeliest = int(open_ps.argmin())
                if open_ps[likeliest] <= known.min():
                    wanted.add(first + likeliest)
            if not wanted:
                return exact
            for plan, latency in self._means(sorted(wanted)):
                exact[plan] = latency

    def _means(self, plans: Sequence[int]) -> Iterator[tuple[int, Times]]:
        """Mean latency of plans on every design, rounded up."""
        weights = self.family.weights
        wanted = {(p, arms): self.family.structure(p, arms) for p in plans for arms in weights}
        distinct = list({id(structure): structure for structure in wanted.values()}.values())
        table = self.family.table(self.specs)
        latency: dict[int, Times] = {}
        for block in _blocks(distinct, len(self.specs)):
            found = replay_block(block, table.durations_ps).latency_ps
            latency.update({id(structure): found[s] for s, structure in enumerate(block)})
        for plan in plans:
            total = sum(w * latency[id(wanted[plan, arms])] for arms, w in weights.items())
            yield plan, ceil_div(np.asarray(total), sum(weights.values()))

    def _lanes(self, chosen: set[tuple[int, int]]) -> dict[tuple[int, int], dict[Arms, Lane]]:
        """What every chosen plan costs on every design that it was chosen for."""
        wanted = {
            (plan, d, arms): self.family.structure(plan, arms)
            for plan, d in chosen
            for arms in self.family.weights
        }
        distinct = list({id(structure): structure for structure in wanted.values()}.values())
        users: dict[int, set[int]] = defaultdict(set)
        for (_, d, _), structure in wanted.items():
            users[id(structure)].add(d)
        table = self.family.table(self.specs)
        lanes = {
            (id(structure), d): lane
            for block in _blocks(distinct, len(self.specs))
            for structure, d, lane in _costed(block, table, users)
        }
        return {
            (plan, d): {a: lanes[id(wanted[plan, d, a]), d] for a in self.family.weights}
            for plan, d in chosen
        }


def _blocks(structures: list[Structure], n_designs: int) -> Iterator[list[Structure]]:
    """Structures of like length together, so that little is filled up."""
    structures = sorted(structures, key=lambda each: len(each.is_command))
    size = max(LANES_AT_ONCE // n_designs, 1)
    for first in range(0, len(structures), size):
        yield structures[first : first + size]


def _costed(
    block: list[Structure], table: DesignTable, users: dict[int, set[int]]
) -> Iterator[tuple[Structure, int, Lane]]:
    """The lanes of a block on the designs that use each structure."""
    times = replay_block(block, table.durations_ps)
    shares = partition_block(block, times, table.durations_ps)
    latency = times.latency_ps
    for s, structure in enumerate(block):
        numbers = np.array([number for number, _ in structure.transfers], dtype=np.int64)
        writes = np.array(
            [kind is TransferKind.OFMAP for _, kind in structure.transfers], dtype=np.bool_
        )
        busy = table.durations_ps[numbers].sum(axis=0)
        read = table.bus_bytes[numbers[~writes]].sum(axis=0)
        written = table.bus_bytes[numbers[writes]].sum(axis=0)
        bursts = table.bursts[numbers].sum(axis=0)
        activates = table.activates[numbers].sum(axis=0)
        for d in users[id(structure)]:
            counts = replace(
                structure.counts,
                dram_read_bytes=int(read[d]),
                dram_write_bytes=int(written[d]),
                dram_bursts=int(bursts[d]),
                dram_activates=int(activates[d]),
            )
            lane = Lane(
                latency_ps=int(latency[s, d]),
                compute_ps=int(shares.compute_ps[s, d]),
                stalls_ps={kind: int(ps[s, d]) for kind, ps in shares.stalls_ps.items()},
                dram_busy_ps=int(busy[d]),
                counts=counts,
                mac_terms=structure.mac_terms,
                weight_bytes=structure.weight_bytes,
                activation_bytes=structure.activation_bytes,
                peak_bytes=peak_bytes(structure, times, s, d),
            )
            yield structure, d, lane
