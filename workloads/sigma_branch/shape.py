"""The shape of a tree: how many children each node has."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from simulator.errors import WorkloadError


@dataclass(frozen=True)
class TreeShape:
    """Number of children of every node, level by level; nodes of a level are numbered.

    `arities[l][i]` is the number of specializers of level l + 1 below node i of level l, where
    level 0 is the trunk. A node with one child has no router. The nodes of the last level are
    the leaves.

    Raises:
        WorkloadError: a level that does not match the one above, or a node without children.
    """

    arities: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        expected = 1
        for level, row in enumerate(self.arities):
            if len(row) != expected or any(arity < 1 for arity in row):
                raise WorkloadError(
                    f"tree shape: level {level}: children {row}: there must be {expected} "
                    "entries, each at least 1"
                )
            expected = sum(row)
        if not self.arities:
            raise WorkloadError("tree shape: has no level, it needs at least one")

    @classmethod
    def binary(cls, depth: int) -> Self:
        """Every node of every level splits in two; depth 2 is arXiv 2606.09924's shape."""
        return cls(tuple((2,) * 2**level for level in range(depth)))

    @property
    def depth(self) -> int:
        """Number of levels below the trunk."""
        return len(self.arities)

    @property
    def n_leaves(self) -> int:
        """Nodes of the last level."""
        return self.n_nodes(self.depth)

    def n_nodes(self, level: int) -> int:
        """Nodes of a level; the trunk is the only one of level 0."""
        return sum(self.arities[level - 1]) if level else 1

    def children(self, level: int, node: int) -> range:
        """The nodes of level + 1 below a node."""
        first = sum(self.arities[level][:node])
        return range(first, first + self.arities[level][node])

    def parent(self, level: int, node: int) -> int:
        """The node of level - 1 above a node of `level`."""
        return next(
            above
            for above in range(self.n_nodes(level - 1))
            if node in self.children(level - 1, above)
        )

    def ancestors(self, leaf: int) -> tuple[int, ...]:
        """The nodes from level 1 down to the leaf, one per level."""
        path = [leaf]
        for level in range(self.depth, 1, -1):
            path.append(self.parent(level, path[-1]))
        return tuple(reversed(path))

    def leaf_name(self, leaf: int) -> str:
        """A letter for the node of level 1, then the child's number at each level below it.

        In the canonical shape A1, A2, B1, B2 (arXiv 2606.09924, table VI).
        """
        path = self.ancestors(leaf)
        numbers = [
            1 + node - self.children(level, above).start
            for level, (above, node) in enumerate(pairwise(path), start=1)
        ]
        return chr(ord("A") + path[0]) + ".".join(map(str, numbers))

    def router_nodes(self, level: int) -> tuple[int, ...]:
        """The nodes of `level` that choose between several children."""
        return tuple(node for node, arity in enumerate(self.arities[level]) if arity > 1)
