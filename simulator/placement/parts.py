"""From costed stages to the parts and options that are chosen from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from math import prod

from simulator.placement.costs import FJ_PER_PJ, Costs, StageCost
from simulator.placement.hits import NO_LOCALITY, Locality
from simulator.placement.knapsack import Option
from simulator.placement.losses import Losses
from simulator.placement.resimulate import Simulated
from simulator.placement.stages import Arms, Node, PlacementError, Stage, Tier

MOST_OPTIONS = 300_000
"""Of one part: more would take minutes to list."""
COST_SHARES = 10**6
"""Hit rates are rounded to millionths, so that expected costs stay integers."""

Place = tuple[int, int, Tier]
"""A node's index, its bits and its tier."""
Label = tuple[Place, ...]


class Objective(StrEnum):
    """What is minimised, as its mean over the inferences."""

    LATENCY = "latency"
    ENERGY = "energy"

    def of(self, cost: StageCost) -> int:
        """Picoseconds or femtojoules."""
        return cost.latency_ps if self is Objective.LATENCY else cost.energy_fj

    def of_simulation(self, found: Simulated) -> float:
        """The same of a simulation."""
        return found.latency_ps if self is Objective.LATENCY else found.energy_pj * FJ_PER_PJ


@dataclass(frozen=True)
class Tree:
    """A tree as it is placed: its nodes and stages, and how often each route is taken."""

    nodes: tuple[Node, ...]
    stages: tuple[Stage, ...]
    weights: Mapping[Arms, int]

    @property
    def inferences(self) -> int:
        """How many inferences the weights count."""
        return sum(self.weights.values())

    def reach(self, node: int) -> float:
        """Share of the inferences that meet a node."""
        met = [s.prefix for s in self.stages if node in s.nodes]
        count = sum(n for arms, n in self.weights.items() if any(arms[: len(p)] == p for p in met))
        return count / self.inferences

    def parts(self) -> list[tuple[Stage, ...]]:
        """Stages that share a node are placed together."""
        together: list[list[Stage]] = []
        for stage in self.stages:
            joined = [group for group in together if _meet(group, stage)]
            together = [group for group in together if not _meet(group, stage)]
            together.append([*(s for group in joined for s in group), stage])
        return [tuple(group) for group in together]


def _meet(group: Sequence[Stage], stage: Stage) -> bool:
    return any(set(other.nodes) & set(stage.nodes) for other in group)


@dataclass(frozen=True)
class Pricing:
    """What options are made with.

    Attributes:
        tree: what is placed.
        losses: of every node and width.
        widths: that a node may have.
        tiers: that a node may be in.
        objective: what an option's cost is.
        locality: how long managed nodes stay, and how routes repeat.
    """

    tree: Tree
    losses: Losses
    widths: tuple[int, ...]
    tiers: tuple[Tier, ...]
    objective: Objective
    locality: Locality = NO_LOCALITY

    def options(self, costs: Costs) -> list[list[Option[Label]]]:
        """Per part, every combination of its nodes' widths and tiers that fits.

        Raises:
            PlacementError: too many combinations to list.
        """
        return [list(self._part(stages, costs)) for stages in self.tree.parts()]

    def _part(self, stages: Sequence[Stage], costs: Costs) -> Iterator[Option[Label]]:
        nodes = list(dict.fromkeys(node for stage in stages for node in stage.nodes))
        single = [
            (node, bits, tier) for node in nodes for bits in self.widths for tier in self.tiers
        ]
        per_node = [[place for place in single if place[0] == node] for node in nodes]
        if prod(map(len, per_node)) > MOST_OPTIONS:
            named = ", ".join(self.tree.nodes[node].name for node in nodes)
            raise PlacementError(
                f"{named}: hold weights in common and are placed together, in too many ways to "
                "list; give fewer --widths or --tiers"
            )
        hits = {node: self.locality.hit_rate(self.tree.reach(node)) for node in nodes}
        for places in product(*per_node):
            placed = dict(zip(nodes, places, strict=True))
            found = [self._cost(stage, placed, hits, costs) for stage in stages]
            if None not in found:
                yield Option(
                    cost=sum(cost for cost in found if cost is not None),
                    n_bytes=sum(self._bytes(place) for place in places),
                    loss=sum(self.losses.of[node, bits] for node, bits, _ in places),
                    label=places,
                )

    def _bytes(self, place: Place) -> int:
        """Scratchpad bytes a node takes for good, or on average."""
        node, bits, tier = place
        n_bytes = self.tree.nodes[node].n_bytes(bits)
        if tier is Tier.MANAGED:
            return round(n_bytes * self.locality.occupancy(self.tree.reach(node)))
        return n_bytes if tier is Tier.PINNED else 0

    def _cost(
        self,
        stage: Stage,
        places: Mapping[int, Place],
        hits: Mapping[int, float],
        costs: Costs,
    ) -> int | None:
        """The stage's expected cost times the inferences that meet it, in millionths.

        None if it does not fit so.

        A managed node that is met more often is on chip whenever one that is met less often is:
        both were used within the same number of inferences. So the cases are nested.
        """
        count = stage.count(self.tree.weights)
        if not count:
            return 0
        managed = [n for n in stage.nodes if places[n][2] is Tier.MANAGED]
        managed.sort(key=lambda node: -hits[node])
        shares = [round(COST_SHARES * hits[node]) for node in managed]
        total = 0
        for present, (above, below) in enumerate(
            zip([COST_SHARES, *shares], [*shares, 0], strict=True)
        ):
            if above == below:
                continue
            here = {*managed[:present]} | {n for n in stage.nodes if places[n][2] is Tier.PINNED}
            setting = tuple((places[node][1], node in here) for node in stage.nodes)
            cost = costs.get((stage.prefix, setting))
            if cost is None:
                return None
            total += (above - below) * self.objective.of(cost)
        return count * total
