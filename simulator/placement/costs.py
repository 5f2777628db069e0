"""What every stage costs with every width and tier of its nodes, from the simulator itself.

A configuration gives every node a width and says whether it is on chip. The tree is planned and
every route replayed; the timeline is cut at the decisions. Because stages are independent, one
configuration serves all of them at once: 64 cost everything where a stage has two nodes, whatever
the number of stages. Knobs and the activations that leave the chip are fixed first, so every
layer's blocking depends on its own weights alone, and sums over a route are exact unless a store
is still under way when a router decides, or other nodes' widths move a node's weights in DRAM to
another place within a row. `optimise` re-simulates and reports both numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from simulator.cost.memory import memory_of
from simulator.derive import derive_result
from simulator.errors import InfeasiblePlanError
from simulator.fast.recurrence import replay
from simulator.ir import Program, Workload
from simulator.mapping.groups import LayerGroup, all_groups, group_program
from simulator.mapping.layout import place_weights
from simulator.mapping.plan import (
    BALANCES_CYCLES_PER_BYTE,
    RESERVES,
    Knobs,
    MappingProblem,
    Plan,
)
from simulator.mapping.residency import Residency
from simulator.mapping.schedule import FetchRule, Schedule
from simulator.mapping.scheduler import Scheduler
from simulator.placement.stages import Arms, Node, Stage
from simulator.spec import AcceleratorSpec
from simulator.weight_bits import WeightBitsRule, with_weight_bits

Setting = tuple[int, bool]
"""A node's bits, and whether it is on chip when the stage begins."""

FJ_PER_PJ = 1000
_Signature = tuple[object, ...]


@dataclass(frozen=True)
class StageCost:
    """Latency and energy of one stage, once."""

    latency_ps: int
    energy_fj: int


Costs = dict[tuple[Arms, tuple[Setting, ...]], StageCost]
"""By a stage's prefix and its nodes' settings, in order."""


def settings(widths: Sequence[int]) -> list[Setting]:
    """Everything a node can be when a stage begins."""
    return [(bits, on_chip) for bits in widths for on_chip in (False, True)]


@dataclass(frozen=True)
class Frame:
    """What all choices at one division of the scratchpad have in common.

    Attributes:
        knobs: the planner's.
        residency: which activations stay on chip.
    """

    knobs: Knobs
    residency: Residency


class CostModel:
    """Costs stages of one tree on one accelerator at given scratchpad bytes to work in.

    Args:
        workload: the tree.
        spec: the accelerator; pinned weights take part of its scratchpad.
        nodes, stages: what the tree was cut into.
        weights: how often each route is taken; stages that are never met are not costed.
    """

    def __init__(
        self,
        workload: Workload,
        spec: AcceleratorSpec,
        nodes: Sequence[Node],
        stages: Sequence[Stage],
        weights: Mapping[Arms, int],
    ) -> None:
        self.workload, self.spec = workload, spec
        self.nodes, self.weights = nodes, weights
        self.stages = [stage for stage in stages if stage.count(weights)]
        self.fetch = FetchRule(False, spec.branch_latency_ps)
        self.simulated = 0
        self._problems: dict[tuple[Setting, ...], MappingProblem] = {}
        self._dram = memory_of(spec)

    def program(self, placed: Sequence[Setting]) -> tuple[Program, frozenset[str]]:
        """The tree with every node's width, and the groups whose weights are on chip."""
        rules = [
            WeightBitsRule(segment, bits)
            for node, (bits, _) in zip(self.nodes, placed, strict=True)
            for segment in node.segments
        ]
        program = with_weight_bits(self.workload, rules).program
        on_chip = {
            segment
            for node, (_, here) in zip(self.nodes, placed, strict=True)
            for segment in node.segments
            if here
        }
        groups = all_groups(group_program(program, self.spec.toolchain.fuses_additions))
        return program, frozenset(g.name for g in groups if g.weights and g.segment in on_chip)

    def working_bytes(self) -> list[int]:
        """Of the planner's ladder, the bytes a streamed tree can work in, largest first."""
        problem = self._problem([(self.spec.precision.weight_bits, False)] * len(self.nodes))

        def works(budget: int) -> bool:
            try:
                problem.residency(budget, 0.0)
            except InfeasiblePlanError:
                return False
            return True

        return [b for b in problem.budgets(self.spec.scratchpad.capacity_bytes) if works(b)]

    def frame(self, working_bytes: int) -> Frame | None:
        """What every choice is costed with at a budget; None if the tree does not fit.

        The planner's knobs with the least mean latency, and the activations that leave the chip,
        both for a tree whose weights are all streamed in the spec's width.
        """
        problem = self._problem([(self.spec.precision.weight_bits, False)] * len(self.nodes))
        scheduler = self._scheduler(problem)
        best: tuple[int, Frame] | None = None
        for reserve, balance in product(RESERVES, BALANCES_CYCLES_PER_BYTE):
            try:
                residency = problem.residency(working_bytes, reserve)
            except InfeasiblePlanError:
                continue
            frame = Frame(Knobs(working_bytes, balance, reserve), residency)
            plan = problem.plan(residency, frame.knobs)
            known: dict[_Signature, int] = {}
            latency = 0
            for arms, count in self.weights.items():
                path = problem.path(arms)
                signature = _signature(plan, path, scheduler)
                if signature not in known:
                    schedule = scheduler.build(plan, path, self.fetch)
                    known[signature] = replay(schedule).latency_ps
                latency += count * known[signature]
            if best is None or latency < best[0]:
                best = (latency, frame)
        return None if best is None else best[1]

    def schedules(
        self, placed: Sequence[Setting], frame: Frame, routes: Sequence[Arms] | None = None
    ) -> dict[Arms, Schedule] | None:
        """The schedules of all or some routes as costed; None if some layer does not fit."""
        problem = self._problem(placed)
        if not problem.fits(frame.residency, frame.knobs.budget_bytes):
            return None
        plan, scheduler = problem.plan(frame.residency, frame.knobs), self._scheduler(problem)
        return {
            arms: scheduler.build(plan, problem.path(arms), self.fetch)
            for arms in routes or self.weights
        }

    def costs(self, frame: Frame, widths: Sequence[int]) -> Costs:
        """Every stage with every setting of its nodes that fits.

        All stages are costed at once where each fits with the same settings, one by one otherwise.
        """
        found: Costs = {}
        for stage in sorted(self.stages, key=lambda s: -len(s.nodes)):
            for combination in product(settings(widths), repeat=len(stage.nodes)):
                key = (stage.prefix, combination)
                if key not in found:
                    found |= self._evaluate(self._alike(stage, combination), frame)
                if key not in found:
                    smallest: list[Setting] = [(min(widths), True)] * len(self.nodes)
                    for node, setting in zip(stage.nodes, combination, strict=True):
                        smallest[node] = setting
                    found |= self._evaluate(smallest, frame)
        return found

    def _alike(self, stage: Stage, combination: tuple[Setting, ...]) -> list[Setting]:
        """A stage's nodes as given, the nodes of all others at the same place alike."""
        placed: dict[int, Setting] = dict(zip(stage.nodes, combination, strict=True))
        for other in self.stages:
            for at, node in enumerate(other.nodes):
                placed.setdefault(node, combination[min(at, len(combination) - 1)])
        return [placed.get(node, combination[0]) for node in range(len(self.nodes))]

    def _problem(self, placed: Sequence[Setting]) -> MappingProblem:
        """Prepared once for all divisions of the scratchpad: it remembers blockings."""
        key = tuple(placed)
        if key not in self._problems:
            program, on_chip = self.program(placed)
            self._problems[key] = MappingProblem(program, self.spec, on_chip)
        return self._problems[key]

    def _scheduler(self, problem: MappingProblem) -> Scheduler:
        """Knows where the weights of this configuration lie in DRAM."""
        stored = place_weights(problem.steps, self.spec, self._dram)
        return Scheduler(self.spec, self._dram, stored)

    def _evaluate(self, placed: Sequence[Setting], frame: Frame) -> Costs:
        """One configuration, if it fits, cut at the decisions; routes of one shape once."""
        problem = self._problem(placed)
        if not problem.fits(frame.residency, frame.knobs.budget_bytes):
            return {}
        plan, scheduler = problem.plan(frame.residency, frame.knobs), self._scheduler(problem)
        self.simulated += 1
        known: dict[_Signature, list[StageCost]] = {}
        found: Costs = {}
        for arms in self.weights:
            route = [s for s in self.stages if arms[: len(s.prefix)] == s.prefix]
            path = problem.path(arms)
            signature = _signature(plan, path, scheduler)
            if signature not in known:
                schedule = scheduler.build(plan, path, self.fetch)
                known[signature] = self._cut(schedule, arms, route)
            for stage, cost in zip(route, known[signature], strict=True):
                found[self._key(stage, placed)] = cost
        return found

    def _key(self, stage: Stage, placed: Sequence[Setting]) -> tuple[Arms, tuple[Setting, ...]]:
        return stage.prefix, tuple(placed[node] for node in stage.nodes)

    def _cut(self, schedule: Schedule, arms: Arms, route: Sequence[Stage]) -> list[StageCost]:
        """What each stage of a route adds to its latency and energy."""
        timeline = replay(schedule)
        ends = [timeline.vector_end_ps[tile] for tile in schedule.branch_tiles]
        ends.append(timeline.latency_ps)
        result = derive_result(timeline, arms, self.spec, 0, 0)
        costs = []
        start_ps = 0
        for stage, end_ps in zip(route, ends, strict=True):
            energy_pj = sum(
                layer.energy.total_pj for layer in result.layers if layer.segment in stage.segments
            )
            costs.append(StageCost(end_ps - start_ps, round(energy_pj * FJ_PER_PJ)))
            start_ps = end_ps
        return costs


def _signature(plan: Plan, path: Sequence[LayerGroup], scheduler: Scheduler) -> _Signature:
    """Routes of equal signature take equal time and energy: shapes, tilings, places in DRAM."""
    return tuple(
        (plan.groups[group.name].signature, scheduler.costs.phase(group.name)) for group in path
    )
