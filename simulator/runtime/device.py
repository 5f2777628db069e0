"""A device that serves one input after the other and remembers what its scratchpad holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy

from simulator.errors import RouteError, UserError
from simulator.ir import Workload
from simulator.mapping.case import Wants
from simulator.policy import Policy, PolicyChoice
from simulator.runtime.costs import CostModel, NodeUse, Passage
from simulator.runtime.cut import NodeCut, cut_node
from simulator.runtime.guesses import Guesses
from simulator.runtime.inference import Inference
from simulator.runtime.itinerary import Arms, Itinerary, Leg, itinerary_of
from simulator.runtime.mapped import map_workload
from simulator.runtime.region import Region
from simulator.runtime.residency import Residency, Scope, replacement_of
from simulator.spec import AcceleratorSpec

Choose = Callable[[str, Sequence[float], bool], int]
"""(branch's name, resident fraction of the weights each arm surely needs next, whether a node of
this inference ran in fewer bits) to the arm taken."""


class Device:
    """One workload on one accelerator, with a managed region carried from input to input.

    Every route runs on one plan, made for the scratchpad beside the region. Latency and energy
    of an inference follow from its route and what is resident of it, by the same schedule and
    recurrence as everywhere; each such case is simulated once.

    Raises:
        InfeasiblePlanError: no blocking of some layer fits beside the region.
        UserError: a policy that does not go with a region.
    """

    def __init__(
        self,
        workload: Workload,
        spec: AcceleratorSpec,
        policy: Policy | PolicyChoice = Policy.ON_DEMAND,
        residency: Residency | None = None,
        future: Sequence[Arms] | None = None,
    ) -> None:
        self.workload, self.spec, self.choice = workload, spec, PolicyChoice.of(policy)
        self.residency = residency or Residency()
        if self.choice.policy is Policy.TIED and self.residency.region_bytes:
            raise UserError(
                "--policy tied: fetches shared weights before a decision, but what is resident of "
                "them may differ between the arms; keep weights with another policy"
            )
        self._reserved_bytes = self.residency.region_bytes + self.residency.others_bytes
        self._mapped = map_workload(workload, spec, self.choice, self._reserved_bytes)
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
        units = ("region_bytes", "others_bytes", "granularity", "bit_slices")
        if any(getattr(residency, name) != getattr(self.residency, name) for name in units):
            return Device(self.workload, self.spec, self.choice, residency, future)
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
        leg_bytes = {
            arms: sum(self.cuts[node].n_bytes for node in leg.nodes)
            for arms, leg in self.itinerary.legs.items()
        }
        free_bytes = self.spec.scratchpad.capacity_bytes - self._reserved_bytes
        self._guesses = Guesses(self.workload, self.spec, self.choice, leg_bytes, free_bytes)

    def serve(self, arms: Arms) -> Inference:
        """Run one input along a route; what it leaves on chip is there for the next.

        Raises:
            RouteError: the workload has no such route.
        """
        inference = self._follow(arms)
        self._guesses.observe(arms)
        return inference

    def peek(self, arms: Arms) -> int:
        """The latency in picoseconds that `serve` would have now, changing nothing."""
        state = self.region.save()
        latency_ps = self._follow(arms).latency_ps
        self.region.restore(state)
        return latency_ps

    def decide(self, choose: Choose) -> Inference:
        """Run one input whose route is decided on the way, knowing what is resident."""

        def decision(leg: Leg, arms: Arms, uses: Sequence[NodeUse]) -> int:
            resident = [self._resident_fraction((*arms, arm)) for arm in range(leg.n_arms)]
            return choose(leg.branch or "", resident, any(use.standin for use in uses))

        inference = self.costs.of(self._run(decision))
        self._guesses.observe(inference.arms)
        return inference

    def passage(self, arms: Arms) -> Passage:
        """Run one input along a route: what its cost depends on, without working that out.

        Raises:
            RouteError: the workload has no such route.
        """
        if arms not in self.itinerary.shares:
            raise RouteError(f"route {list(arms)}: {self.workload.name} has no such route")
        return self._run(lambda leg, taken, uses: arms[len(taken)])

    def _follow(self, arms: Arms) -> Inference:
        return self.costs.of(self.passage(arms))

    def _run(self, decision: Callable[[Leg, Arms, Sequence[NodeUse]], int]) -> Passage:
        legs, reachable, region = self.itinerary.legs, self.itinerary.reachable, self.region
        region.begin()
        arms: Arms = ()
        uses: list[NodeUse] = []
        passed: list[NodeUse] = []
        wants: list[Wants] = []
        guessed = False
        while True:
            leg = legs[arms]
            region.enter_leg(leg.nodes, reachable[arms])
            uses += [self._enter(node, not guessed) for node in leg.nodes]
            if leg.branch is None:
                guesses = tuple(wants) if any(want.arms for want in wants) else ()
                return Passage(arms, tuple(uses), guesses, tuple(passed))
            wants.append(self._guesses.wants(arms, leg))
            taken = decision(leg, arms, uses)
            for arm in wants[-1].arms:
                if arm != taken:
                    passed += [self._pass_by(node) for node in legs[(*arms, arm)].nodes]
            guessed = taken in wants[-1].arms
            arms = (*arms, taken)

    def _resident_fraction(self, arms: Arms) -> float:
        nodes = self.itinerary.legs[arms].nodes
        needed = sum(self.cuts[node].n_bytes for node in nodes)
        return self.region.resident_bytes(nodes) / needed if needed else 0.0

    def _enter(self, node: int, take_in: bool) -> NodeUse:
        standin = self._stands_in(node)
        return NodeUse(node, *self.region.enter(node, take_in and not standin), standin)

    def _pass_by(self, node: int) -> NodeUse:
        """A node of an arm that was speculated on and not taken: it stays as it is."""
        units = self.region.units(node)
        return NodeUse(node, units, units, self._stands_in(node))

    def _stands_in(self, node: int) -> bool:
        """Whether a node behind a branch runs on the bits of it that are resident."""
        cut = self.cuts[node]
        return (
            self.residency.standin
            and cut.standin_units is not None
            and node not in self.itinerary.backbone
            and cut.standin_units <= self.region.units(node) < cut.n_units
        )
