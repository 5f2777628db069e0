"""Builds trees level by level, at the widths the method prescribes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from simulator.errors import WorkloadError
from workloads.sigma_branch.adapters.base import Adapter
from workloads.sigma_branch.router import Router
from workloads.sigma_branch.shape import TreeShape
from workloads.sigma_branch.states import Group
from workloads.sigma_branch.tree import SigmaBTree

DROPOUT = 0.1
"""Dropout of the routers' projections; arXiv 2606.09924 prints no value."""


class TreeBuilder:
    """A tree under construction: the trunk, then routers and specializers of each level.

    Args:
        adapter: the dense network to rebuild; the trunk is a copy of its early stages.
        depth: number of levels the finished tree will have.
        fractions: width of each level's specializers as a share of the dense stage's; the
            adapter's rule where None.

    Raises:
        WorkloadError: a tree deeper than the network can carry, or fractions that do not fit.
    """

    def __init__(
        self, adapter: Adapter[Any], depth: int, fractions: Sequence[float] | None = None
    ) -> None:
        if not 1 <= depth <= adapter.max_depth:
            raise WorkloadError(
                f"tree: depth {depth}: {type(adapter.dense).__name__} carries 1 to "
                f"{adapter.max_depth} levels"
            )
        if fractions is not None and (
            len(fractions) != depth or not all(0.0 < f <= 1.0 for f in fractions)
        ):
            raise WorkloadError(
                f"tree: fractions {tuple(fractions)}: must be {depth} numbers above 0, at most 1"
            )
        self.adapter = adapter
        self.depth = depth
        self.trunk = adapter.trunk(adapter.n_stages - depth)
        self.routers: list[dict[int, Router]] = []
        self.levels: list[list[nn.Module]] = []
        self.arities: list[tuple[int, ...]] = []
        self.fractions: list[float] = []
        self._prescribed = fractions
        self._width = adapter.width(self.stage(0), 1.0)

    def stage(self, level: int) -> int:
        """The dense stage a level stands for; level 0 is the last stage of the trunk."""
        return self.adapter.n_stages - self.depth + level - 1

    @property
    def level(self) -> int:
        """Levels built so far."""
        return len(self.levels)

    @property
    def shape(self) -> TreeShape:
        """The shape of what is built so far (at least one level)."""
        return TreeShape(tuple(self.arities))

    @property
    def n_nodes(self) -> int:
        """Nodes of the last level built."""
        return sum(self.arities[-1]) if self.arities else 1

    def router(self, n_children: int) -> Router:
        """An untrained router for a node of the last level built."""
        pool = self.adapter.pool(self.stage(self.level))
        with self.adapter.device:
            return Router(pool, self._width, n_children, DROPOUT, self.adapter.projection_width)

    def add_level(self, arities: Sequence[int], routers: dict[int, Router]) -> None:
        """Give each node of the last level its children, and a router where it has several."""
        self.arities.append(tuple(arities))
        n_children = self.n_nodes
        fraction = (
            self.adapter.level_fraction(n_children)
            if self._prescribed is None
            else self._prescribed[self.level]
        )
        stage = self.stage(self.level + 1)
        self.routers.append(routers)
        self.levels.append(self.adapter.specializers(stage, self._width, fraction, n_children))
        self.fractions.append(fraction)
        self._width = self.adapter.width(stage, fraction)

    def states(self, x: Tensor, paths: Tensor) -> dict[int, Group]:
        """Run samples down given paths; for each node of the last level who reached it.

        Args:
            x: network input.
            paths: (batch, levels built) the node each sample visits at each level.
        """
        rows = torch.arange(len(x), device=x.device)
        groups = {0: Group(rows, self.trunk(x))}
        for level, specializers in enumerate(self.levels):
            below: dict[int, Group] = {}
            for group in groups.values():
                nodes = paths[group.rows, level]
                for node in nodes.unique().tolist():
                    part = group.part((nodes == node).nonzero()[:, 0])
                    below[node] = Group(part.rows, specializers[node](part.state))
            groups = below
        return groups

    def finish(self) -> SigmaBTree:
        """The tree, with an untrained head at every leaf."""
        fraction = self.fractions[-1]
        heads = [self.adapter.head(self._width, fraction) for _ in range(self.n_nodes)]
        return SigmaBTree(self.shape, self.trunk, self.routers, self.levels, heads)


def build_tree(
    adapter: Adapter[Any], shape: TreeShape, fractions: Sequence[float] | None = None
) -> SigmaBTree:
    """An untrained tree of a given shape (arguments and errors as `TreeBuilder`)."""
    builder = TreeBuilder(adapter, shape.depth, fractions)
    for arities in shape.arities:
        routers = {n: builder.router(arity) for n, arity in enumerate(arities) if arity > 1}
        builder.add_level(arities, routers)
    return builder.finish()
