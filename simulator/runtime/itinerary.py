"""What an inference passes through: nodes of weights, and the legs between its decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from simulator.ir import Workload, leaf_routes
from simulator.mapping.groups import GroupedStep, LayerGroup

Arms = tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """The weights of one segment: needed together, kept or given up part by part.

    Attributes:
        name: the segment's.
        groups: its layer groups, in execution order.
    """

    name: str
    groups: tuple[LayerGroup, ...]


@dataclass(frozen=True)
class Leg:
    """What surely runs once the decisions so far are known, up to the next one.

    Attributes:
        nodes: in execution order, a branch's router last.
        branch: the branch that ends the leg; None at the end of the inference.
        n_arms: of that branch.
    """

    nodes: tuple[int, ...]
    branch: str | None
    n_arms: int


@dataclass(frozen=True)
class Itinerary:
    """All nodes of a workload and its legs, by the arms taken before each."""

    nodes: tuple[Node, ...]
    legs: Mapping[Arms, Leg]
    shares: Mapping[Arms, float]

    @cached_property
    def backbone(self) -> frozenset[int]:
        """Nodes that every inference runs."""
        return frozenset.intersection(*(frozenset(self.path(arms)) for arms in self.shares))

    @cached_property
    def reachable(self) -> Mapping[Arms, frozenset[int]]:
        """Nodes that an inference may still run after some arms, its current leg included."""
        return {
            prefix: frozenset(
                node
                for arms, leg in self.legs.items()
                if arms[: len(prefix)] == prefix
                for node in leg.nodes
            )
            for prefix in self.legs
        }

    @cached_property
    def probabilities(self) -> tuple[float, ...]:
        """How likely an inference is to run each node, by the workload's leaf shares."""
        found = [0.0] * len(self.nodes)
        for arms, share in self.shares.items():
            for node in self.path(arms):
                found[node] += share
        return tuple(found)

    def path(self, arms: Arms) -> tuple[int, ...]:
        """The nodes one route runs, in order."""
        return tuple(
            node for depth in range(len(arms) + 1) for node in self.legs[arms[:depth]].nodes
        )


def itinerary_of(workload: Workload, steps: Sequence[GroupedStep]) -> Itinerary:
    """The nodes and legs of a workload whose program was grouped into `steps`.

    A segment is one node wherever it is met, so code after branches that join again is too.
    """
    numbers: dict[str, int] = {}
    nodes: list[Node] = []
    legs: dict[Arms, Leg] = {}

    def visit(groups: Sequence[LayerGroup]) -> tuple[int, ...]:
        found: list[int] = []
        for segment in dict.fromkeys(group.segment for group in groups):
            mine = tuple(group for group in groups if group.segment == segment)
            first = mine[0].name
            if first not in numbers:
                numbers[first] = len(nodes)
                nodes.append(Node(segment, mine))
            found.append(numbers[first])
        return tuple(found)

    def walk(left: Sequence[GroupedStep], prefix: Arms) -> None:
        run: list[LayerGroup] = []
        for index, step in enumerate(left):
            if isinstance(step, LayerGroup):
                run.append(step)
                continue
            legs[prefix] = Leg(visit([*run, *step.router]), step.name, len(step.arms))
            for arm, code in enumerate(step.arms):
                walk([*code, *left[index + 1 :]], (*prefix, arm))
            return
        legs[prefix] = Leg(visit(run), None, 0)

    walk(steps, ())
    total = sum(workload.leaf_shares)
    shares = {
        arms: share / total
        for arms, share in zip(leaf_routes(workload.program), workload.leaf_shares, strict=True)
    }
    return Itinerary(tuple(nodes), legs, shares)
