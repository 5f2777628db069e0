"""A device that serves one input after the other and remembers what its scratchpad holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import cached_property
from typing import Protocol

from simulator.compile import compile_program
from simulator.cost.memory import memory_of
from simulator.errors import RouteError
from simulator.ir import Workload
from simulator.mapping.plan import MappingProblem
from simulator.mapping.schedule import FetchRule
from simulator.mapping.scheduler import Scheduler
from simulator.policy import Policy
from simulator.runtime.costs import CostModel, Mapped, NodeUse
from simulator.runtime.cut import NodeCut, cut_node
from simulator.runtime.inference import Inference
from simulator.runtime.itinerary import Arms, Itinerary, Leg, itinerary_of
from simulator.runtime.region import Region
from simulator.runtime.residency import Residency, Scope, replacement_of
from simulator.spec import AcceleratorSpec

SHARE_STEPS = 1_000_000
"""Leaf shares enter the choice of a plan as integers out of so many."""

Choose = Callable[[str, Sequence[float], bool], int]
"""(branch's name, resident fraction of the weights each arm surely needs next, whether a node of
this inference ran in fewer bits) to the arm taken."""


class Server(Protocol):
    """What queueing and batching need of a device."""

    def serve(self, arms: Arms) -> Inference:
        """Run one input along a route; what it leaves on chip is there for the next."""

    def peek(self, arms: Arms) -> int:
        """The latency in picoseconds that `serve` would have now, changing nothing."""

    def reset(self) -> None:
        """Forget everything: the scratchpad is empty again."""


class Device:
    """One workload on one accelerator, with a managed region carried from input to input.

    Every route runs on one plan, made for the scratchpad beside the region. Latency and energy
    of an inference follow from its route and what is resident of it, by the same schedule and
    recurrence as everywhere; each such case is simulated once.

    Raises:
        InfeasiblePlanError: no blocking of some layer fits beside the region.
    """

    def __init__(
        self,
        workload: Workload,
        spec: AcceleratorSpec,
        policy: Policy = Policy.ON_DEMAND,
        residency: Residency | None = None,
        future: Sequence[Arms] | None = None,
    ) -> None:
        self.workload, self.spec, self.policy = workload, spec, policy
        self.residency = residency or Residency()
        reserved_bytes = self.residency.region_bytes + self.residency.others_bytes
        self._mapped = map_workload(workload, spec, policy, reserved_bytes)
        self.itinerary: Itinerary = itinerary_of(workload, self._mapped.problem.steps)
        self.cuts: tuple[NodeCut, ...] = tuple(
            cut_node(
                node,
                self._mapped.plan,
                self._mapped.scheduler,
                self.residency.granularity,
                self.residency.bit_slices,
            )
            for node in self.itinerary.nodes
        )
        self.costs = CostModel(self._mapped, self.cuts)
        self._future = future
        self.reset()

    def alike(self, residency: Residency, future: Sequence[Arms] | None = None) -> Device:
        """A device with an empty scratchpad that keeps weights in another way.

        Beside a region of the same size and with the same units it shares the plan, and what has
        been simulated already.
        """
        mine = self.residency
        if (residency.region_bytes, residency.granularity, residency.bit_slices) != (
            mine.region_bytes,
            mine.granularity,
            mine.bit_slices,
        ):
            return Device(self.workload, self.spec, self.policy, residency, future)
        found = copy(self)
        found.residency, found._future = residency, future
        found.reset()
        return found

    def reset(self, future: Sequence[Arms] | None = None) -> None:
        """Forget everything: the scratchpad is empty again. belady is told another `future`."""
        if future is not None:
            self._future = future
        barred = self.itinerary.backbone if self.residency.scope is Scope.BRANCHES else frozenset()
        self.region = Region(
            self.residency.region_bytes,
            [cut.prefix_bytes for cut in self.cuts],
            replacement_of(self.residency.policy, self.itinerary, self._future),
            barred,
            [cut.standin_units or 0 for cut in self.cuts] if self.residency.standin else None,
        )

    def serve(self, arms: Arms) -> Inference:
        """Run one input along a route; what it leaves on chip is there for the next.

        Raises:
            RouteError: the workload has no such route.
        """
        if arms not in self.itinerary.shares:
            raise RouteError(f"route {list(arms)}: {self.workload.name} has no such route")
        return self._run(lambda leg, taken, uses: arms[len(taken)])

    def peek(self, arms: Arms) -> int:
        """The latency in picoseconds that `serve` would have now, changing nothing."""
        state = self.region.save()
        latency_ps = self.serve(arms).latency_ps
        self.region.restore(state)
        return latency_ps

    def decide(self, choose: Choose) -> Inference:
        """Run one input whose route is decided on the way, knowing what is resident."""

        def decision(leg: Leg, arms: Arms, uses: Sequence[NodeUse]) -> int:
            resident = [self._resident_fraction((*arms, arm)) for arm in range(leg.n_arms)]
            return choose(leg.branch or "", resident, any(use.standin for use in uses))

        return self._run(decision)

    def _run(self, decision: Callable[[Leg, Arms, Sequence[NodeUse]], int]) -> Inference:
        legs, reachable, region = self.itinerary.legs, self.itinerary.reachable, self.region
        region.begin()
        arms: Arms = ()
        uses: list[NodeUse] = []
        while True:
            leg = legs[arms]
            region.enter_leg(leg.nodes, reachable[arms])
            uses += [self._enter(node) for node in leg.nodes]
            if leg.branch is None:
                return self.costs.of(arms, tuple(uses))
            arms = (*arms, decision(leg, arms, uses))

    @cached_property
    def plan_budget_bytes(self) -> int:
        """Scratchpad bytes that the plan uses beside the region."""
        return self._mapped.plan.knobs.budget_bytes

    def _resident_fraction(self, arms: Arms) -> float:
        nodes = self.itinerary.legs[arms].nodes
        needed = sum(self.cuts[node].n_bytes for node in nodes)
        return self.region.resident_bytes(nodes) / needed if needed else 0.0

    def _enter(self, node: int) -> NodeUse:
        cut, region = self.cuts[node], self.region
        enough = cut.standin_units
        if (
            self.residency.standin
            and enough is not None
            and node not in self.itinerary.backbone
            and enough <= region.units(node) < cut.n_units
        ):
            return NodeUse(node, *region.enter(node, take_in=False), standin=True)
        return NodeUse(node, *region.enter(node))


def map_workload(
    workload: Workload, spec: AcceleratorSpec, policy: Policy, region_bytes: int
) -> Mapped:
    """Map a workload beside a managed region, all routes on one plan.

    The plan is the one with the least mean latency on demand; what a policy knows beforehand
    changes when data is fetched, not the plan, since what is resident must fit every route.

    Raises:
        InfeasiblePlanError: no blocking of some layer fits beside the region.
    """
    problem = MappingProblem(workload.program, spec)
    shares = itinerary_of(workload, problem.steps).shares
    weights = {arms: round(share * SHARE_STEPS) for arms, share in shares.items()}
    compiled = compile_program(
        workload.program, spec, Policy.ON_DEMAND, weights, reserved_bytes=region_bytes
    )
    first = next(iter(weights))
    fetch = compiled.fetches[first]
    if policy is Policy.ORACLE:
        fetch = FetchRule(True, 0)
    scheduler = Scheduler(spec, memory_of(spec))
    return Mapped(spec, problem, compiled.plans[first], scheduler, fetch)
