"""Places a tree: for every division of the scratchpad the best choice, and the best of these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from simulator.errors import InfeasiblePlanError
from simulator.mapping.placement import PinnedWeights
from simulator.placement.costs import CostModel, Costs, Frame
from simulator.placement.knapsack import Choice, Option, greedy, solve
from simulator.placement.parts import COST_SHARES, Label, Place, Pricing
from simulator.placement.resimulate import Simulated, resimulate, simulate_schedules
from simulator.placement.stages import Tier
from simulator.units import BYTES_PER_KIB

MOST_DIVISIONS = 8
"""Divisions of the scratchpad that are costed: the planner's ladder of budgets, thinned evenly."""


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
        visited: partial choices the search looked at; 0 for greedy ones.
    """

    places: tuple[Place, ...]
    predicted: float
    loss: int
    n_bytes: int
    frame: Frame
    visited: int


class Optimiser:
    """Places one tree on one accelerator for any accuracy budget; costs it once."""

    def __init__(self, model: CostModel, pricing: Pricing) -> None:
        self.model, self.pricing = model, pricing
        self.divisions = self._divisions()

    def _divisions(self) -> list[Division]:
        spec = self.model.spec
        found = []
        for working in _thinned(self.model.working_bytes(), MOST_DIVISIONS):
            room = spec.scratchpad.capacity_bytes - working
            if spec.toolchain.weight_capacity_kib is not None:
                room = min(room, spec.toolchain.weight_capacity_kib * BYTES_PER_KIB)
            frame = self.model.frame(working)
            if frame is not None:
                found.append(Division(frame, room, self.model.costs(frame, self.pricing.widths)))
        if not found:
            raise InfeasiblePlanError(
                what="the tree with every width",
                resource="scratchpad",
                demand_bytes=spec.scratchpad.capacity_bytes + 1,
                capacity_bytes=spec.scratchpad.capacity_bytes,
            )
        return found

    def exact(self, budget: int) -> list[Placed]:
        """The best choice within an accuracy budget, for each division in which there is one."""
        found = []
        for division, parts in self._parts():
            solved = solve(parts, division.weight_bytes, budget)
            if solved.best is not None:
                found.append(self._placed(solved.best, division, solved.visited))
        return found

    def greedy(self, budget: int) -> list[Placed]:
        """What the greedy method chooses, division by division."""
        found = []
        for division, parts in self._parts():
            choice = greedy(parts, division.weight_bytes, budget)
            if choice is not None:
                found.append(self._placed(choice, division, 0))
        return found

    def _parts(self) -> Iterator[tuple[Division, list[list[Option[Label]]]]]:
        for division in self.divisions:
            parts = self.pricing.options(division.costs)
            if all(parts):
                yield division, parts

    def _placed(self, choice: Choice[Label], division: Division, visited: int) -> Placed:
        places = sorted(place for option in choice.options for place in option.label)
        predicted = choice.cost / COST_SHARES / self.pricing.tree.inferences
        return Placed(
            tuple(places), predicted, choice.loss, choice.n_bytes, division.frame, visited
        )

    def best(self, found: Sequence[Placed]) -> tuple[Placed, Simulated] | None:
        """The choice that is best on the exact engine, with what that says of it."""
        simulated = [(placed, self.simulate(placed)) for placed in found]
        objective = self.pricing.objective
        return min(simulated, key=lambda pair: objective.of_simulation(pair[1]), default=None)

    def simulate(self, placed: Placed) -> Simulated:
        """What the exact engine says of a choice: as costed, or compiled anew if that is better.

        The compiler tries every knob, but chooses the activations that leave the chip for the
        tree as a whole, which may be worse.
        """
        settings = [(bits, tier is Tier.PINNED) for _, bits, tier in placed.places]
        program, groups = self.model.program(settings)
        pinned = PinnedWeights(groups, placed.n_bytes)
        spec, weights = self.model.spec, self.pricing.tree.weights
        found = [resimulate(program, spec, weights, pinned)]
        schedules = self.model.schedules(settings, placed.frame)
        if schedules is not None:
            found.append(simulate_schedules(schedules, spec, weights, placed.n_bytes))
        return min(found, key=self.pricing.objective.of_simulation)


def _thinned(ladder: Sequence[int], most: int) -> list[int]:
    """Evenly spaced members of a ladder, both ends included."""
    if len(ladder) <= most:
        return list(ladder)
    step = (len(ladder) - 1) / (most - 1)
    return [ladder[round(at * step)] for at in range(most)]
