"""Places a tree: for every division of the scratchpad the best choice, and the best of these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from simulator.errors import InfeasiblePlanError
from simulator.mapping.placement import PinnedWeights
from simulator.placement.costs import CostModel, Costs, Frame
from simulator.placement.hits import Locality
from simulator.placement.knapsack import Choice, Option, greedy, solve
from simulator.placement.managed import simulate_managed
from simulator.placement.parts import COST_SHARES, Label, Place, Pricing
from simulator.placement.resimulate import Simulated, resimulate, simulate_schedules
from simulator.placement.stages import Tier
from simulator.steps import Steps
from simulator.units import BYTES_PER_KIB

MOST_DIVISIONS = 8
"""Divisions of the scratchpad that are costed first, from the planner's ladder of budgets."""
MOST_REFINED = 4
"""Further ones beside the best of these."""
WINDOWS = (1, 2, 4, 8, 16, 32)
"""Inferences that managed nodes may stay on chip after their last use."""


@dataclass(frozen=True)
class Division:
    """A scratchpad divided into what tiles and activations work in and what weights may keep.

    Attributes:
        frame: what choices are costed with.
        weight_bytes: for pinned and managed weights.
        costs: of every stage.
    """

    frame: Frame
    weight_bytes: int
    costs: Costs


@dataclass(frozen=True)
class Placed:
    """A choice for every node.

    Attributes:
        places: per node, its bits and tier.
        predicted: the objective per inference: picoseconds or femtojoules.
        loss: of accuracy, in the budget's units, as predicted.
        n_bytes: of the scratchpad for weights.
        frame: it was costed with.
        locality: of the managed nodes.
        visited: partial choices the search looked at; 0 for greedy ones.
    """

    places: tuple[Place, ...]
    predicted: float
    loss: int
    n_bytes: int
    frame: Frame
    locality: Locality
    visited: int


class Optimiser:
    """Places one tree on one accelerator for any accuracy budget; costs it once.

    Args:
        model: costs the stages.
        pricing: what options are made with; its window is replaced where a node may be managed.
        budget: of accuracy, at which the division that is best at first is refined.
        steps: divisions to cost and choices to simulate.

    Raises:
        InfeasiblePlanError: the tree fits no division.
    """

    def __init__(
        self, model: CostModel, pricing: Pricing, budget: int, steps: Steps | None = None
    ) -> None:
        self.model, self.pricing = model, pricing
        self.steps = steps or Steps()
        ladder = model.working_bytes()
        first = _spread(ladder, MOST_DIVISIONS)
        self.divisions = self._divisions(first)
        found = self.exact(budget)
        if found:
            best = min(found, key=lambda placed: placed.predicted).frame.knobs.budget_bytes
            at = first.index(best)
            high = first[at - 1] if at else best + 1
            low = first[at + 1] if at + 1 < len(first) else 0
            between = [b for b in ladder if low < b < high and b != best]
            self.divisions += self._divisions(_spread(between, MOST_REFINED))
        if not self.divisions:
            capacity = model.spec.scratchpad.capacity_bytes
            raise InfeasiblePlanError("the tree", "scratchpad", capacity + 1, capacity)

    def _divisions(self, working_bytes: Sequence[int]) -> list[Division]:
        spec = self.model.spec
        found = []
        for working in working_bytes:
            room = spec.scratchpad.capacity_bytes - working
            if spec.toolchain.weight_capacity_kib is not None:
                room = min(room, spec.toolchain.weight_capacity_kib * BYTES_PER_KIB)
            frame = self.model.frame(working)
            if frame is not None:
                found.append(Division(frame, room, self.model.costs(frame, self.pricing.widths)))
                self.steps.advance()
        return found

    def exact(self, budget: int) -> list[Placed]:
        """The best choice within an accuracy budget, for each division in which there is one."""
        found = []
        for division, pricing, parts in self._parts():
            solved = solve(parts, division.weight_bytes, budget)
            if solved.best is not None and _holds_a_path(solved.best, pricing):
                found.append(_placed(solved.best, division, pricing, solved.visited))
        return _best_per_division(found)

    def greedy(self, budget: int) -> list[Placed]:
        """What the greedy method chooses, division by division."""
        found = []
        for division, pricing, parts in self._parts():
            choice = greedy(parts, division.weight_bytes, budget)
            if choice is not None and _holds_a_path(choice, pricing):
                found.append(_placed(choice, division, pricing, 0))
        return _best_per_division(found)

    def _parts(self) -> Iterator[tuple[Division, Pricing, list[list[Option[Label]]]]]:
        """Every division, without managed nodes and once for each window these may stay for."""
        tiers = tuple(tier for tier in self.pricing.tiers if tier is not Tier.MANAGED)
        variants = [replace(self.pricing, tiers=tiers)] if tiers else []
        if tiers != self.pricing.tiers:
            for window in WINDOWS:
                locality = replace(self.pricing.locality, window=window)
                variants.append(replace(self.pricing, locality=locality))
        for division in self.divisions:
            for pricing in variants:
                parts = pricing.options(division.costs)
                if all(parts):
                    yield division, pricing, parts

    def best(self, found: Sequence[Placed]) -> tuple[Placed, Simulated] | None:
        """The choice that is best on the exact engine, with what that says of it."""
        simulated = []
        for placed in found:
            simulated.append((placed, self.simulate(placed)))
            self.steps.advance()
        objective = self.pricing.objective
        return min(simulated, key=lambda pair: objective.of_simulation(pair[1]), default=None)

    def simulate(self, placed: Placed) -> Simulated:
        """What the exact engine says of a choice: as costed, or compiled anew if that is better.

        The compiler tries every knob, but chooses the activations that leave the chip for the
        tree as a whole, which may be worse. Managed nodes are simulated on a stream.
        """
        tree = self.pricing.tree
        if any(tier is Tier.MANAGED for _, _, tier in placed.places):
            return simulate_managed(self.model, tree, placed.places, placed.frame, placed.locality)
        settings = [(bits, tier is Tier.PINNED) for _, bits, tier in placed.places]
        program, groups = self.model.program(settings)
        pinned = PinnedWeights(groups, placed.n_bytes)
        spec, weights = self.model.spec, tree.weights
        found = [resimulate(program, spec, weights, pinned)]
        schedules = self.model.schedules(settings, placed.frame)
        if schedules is not None:
            found.append(simulate_schedules(schedules, spec, weights, placed.n_bytes))
        return min(found, key=self.pricing.objective.of_simulation)


def _placed(choice: Choice[Label], division: Division, pricing: Pricing, visited: int) -> Placed:
    places = sorted(place for option in choice.options for place in option.label)
    predicted = choice.cost / COST_SHARES / pricing.tree.inferences
    return Placed(
        tuple(places),
        predicted,
        choice.loss,
        choice.n_bytes,
        division.frame,
        pricing.locality,
        visited,
    )


def _holds_a_path(choice: Choice[Label], pricing: Pricing) -> bool:
    """Whether the region can hold what one inference uses of it, which hit rates presume."""
    managed = {
        node: bits
        for option in choice.options
        for node, bits, tier in option.label
        if tier is Tier.MANAGED
    }
    tree, stay = pricing.tree, pricing.locality.occupancy
    sizes = {node: tree.nodes[node].n_bytes(bits) for node, bits in managed.items()}
    region = sum(round(sizes[node] * stay(tree.reach(node))) for node in managed)
    paths = [
        {n for s in tree.stages if arms[: len(s.prefix)] == s.prefix for n in s.nodes}
        for arms in tree.weights
    ]
    return all(sum(sizes[n] for n in path & managed.keys()) <= region for path in paths)


def _best_per_division(found: Sequence[Placed]) -> list[Placed]:
    """The best with managed nodes, of all windows, and the best without, which is no estimate."""
    best: dict[tuple[int, bool], Placed] = {}
    for placed in found:
        is_managed = any(tier is Tier.MANAGED for _, _, tier in placed.places)
        key = (placed.frame.knobs.budget_bytes, is_managed)
        known = best.get(key)
        visited = placed.visited + (known.visited if known else 0)
        if known is None or placed.predicted < known.predicted:
            known = placed
        best[key] = replace(known, visited=visited)
    return list(best.values())


def _spread(ladder: Sequence[int], most: int) -> list[int]:
    """At most so many members of a descending ladder, of which neighbours differ by one factor."""
    ratio = 1.0
    kept = list(ladder)
    while len(kept) > most:
        ratio *= 1.05
        kept = list(ladder[:1])
        for member in ladder[1:]:
            if kept[-1] >= ratio * member:
                kept.append(member)
    return kept
