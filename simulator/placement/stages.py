"""A tree cut at its decisions, and the parts of it that have bits and a tier of their own.

On demand, nothing behind a branch is fetched before its decision, and whatever the code before
it needed has been fetched by then. So a route falls into *stages*: from one decision to the next
the time depends on the weights of that stage alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from simulator.errors import UserError
from simulator.ir import Program, Segment
from simulator.units import bits_to_bytes

Arms = tuple[int, ...]


class PlacementError(UserError):
    """A program, an option or a file that `place` cannot work with."""


class Tier(StrEnum):
    """Where a node's weights are when an inference begins.

    pinned: on chip for good. dram: loaded by every inference that meets the node. managed: in a
    region of the scratchpad that keeps the nodes used last, and loaded on a miss.
    """

    PINNED = "pinned"
    MANAGED = "managed"
    DRAM = "dram"


@dataclass(frozen=True)
class Node:
    """Segments whose weights share one width and one tier: one, or several with blocks in common.

    Attributes:
        name: its segments' names, joined by a plus.
        segments: in the program's order.
        blocks: parameters of every weight block, by name.
    """

    name: str
    segments: tuple[str, ...]
    blocks: Mapping[str, int]

    def n_bytes(self, bits: int) -> int:
        """Bytes of all blocks in a width, each padded to whole bytes."""
        return sum(bits_to_bytes(params, bits) for params in self.blocks.values())


@dataclass(frozen=True)
class Stage:
    """What runs between two decisions.

    Attributes:
        prefix: the arms taken before it.
        segments: names, in order; the last is a router unless the stage ends a path.
        nodes: indices of the nodes its weights belong to, in order.
    """

    prefix: Arms
    segments: tuple[str, ...]
    nodes: tuple[int, ...]

    def count(self, weights: Mapping[Arms, int]) -> int:
        """How many of the given inferences meet it."""
        depth = len(self.prefix)
        return sum(n for arms, n in weights.items() if arms[:depth] == self.prefix)


def cut(program: Program) -> tuple[tuple[Node, ...], tuple[Stage, ...]]:
    """Nodes and stages of a tree, depth first.

    Raises:
        PlacementError: code follows a branch, so that paths meet again.
    """
    found: list[tuple[Arms, list[Segment]]] = []

    def walk(part: Program, prefix: Arms) -> None:
        segments: list[Segment] = []
        found.append((prefix, segments))
        for step in part.steps:
            if isinstance(step, Segment):
                segments.append(step)
                continue
            if step is not part.steps[-1]:
                raise PlacementError(
                    f"branch {step.name}: code follows its arms; place works on trees, whose "
                    "paths never meet again"
                )
            segments.append(step.router)
            for index, arm in enumerate(step.arms):
                walk(arm, (*prefix, index))

    walk(program, ())
    nodes = _nodes([segment for _, segments in found for segment in segments])
    of_segment = {name: at for at, node in enumerate(nodes) for name in node.segments}
    stages = []
    for prefix, segments in found:
        names = tuple(segment.name for segment in segments)
        met = dict.fromkeys(of_segment[name] for name in names if name in of_segment)
        stages.append(Stage(prefix, names, tuple(met)))
    return tuple(nodes), tuple(stages)


def _nodes(segments: list[Segment]) -> list[Node]:
    """Segments with weights; those that name a common block are one node."""
    blocks = {
        segment.name: {b.name: b.params for layer in segment.layers for b in layer.weights}
        for segment in segments
    }
    together: dict[str, set[str]] = {name: {name} for name, held in blocks.items() if held}
    holder: dict[str, str] = {}
    for name in together:
        for block in blocks[name]:
            first = holder.setdefault(block, name)
            merged = together[first] | together[name]
            for each in merged:
                together[each] = merged
    groups = dict.fromkeys(tuple(n for n in together if n in group) for group in together.values())
    return [
        Node("+".join(names), names, {b: p for name in names for b, p in blocks[name].items()})
        for names in groups
    ]
