"""What a distribution looked like: cluster sizes, channel choices and their overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from workloads.sigma_branch.channels import Channels, overlap


@dataclass(frozen=True)
class GroupReport:
    """How the branches below a node divided one group of channels.

    Attributes:
        name: the group.
        n_kept: channels each branch keeps.
        n_shared: channels common to all branches.
        n_overlap: channels that two or more branches chose as their own.
        means: (branches, width) mean dense activation of each channel (fig. 2's axes).
        branches: the channels each branch keeps.
    """

    name: str
    n_kept: int
    n_shared: int
    n_overlap: int
    means: Tensor
    branches: tuple[Channels, ...]


@dataclass(frozen=True)
class NodeReport:
    """One node: how its samples were divided and what its children keep.

    Attributes:
        level: of the node; 0 is the trunk.
        node: its number in the level.
        n_samples: samples sent to each child.
        mean_cosine: mean cosine of the node's samples to their centroids; None without router.
        groups: one entry per group of channels.
    """

    level: int
    node: int
    n_samples: tuple[int, ...]
    mean_cosine: float | None
    groups: tuple[GroupReport, ...]


@dataclass(frozen=True)
class DistributionReport:
    """All nodes that have children, level by level.

    Attributes:
        n_samples: training examples looked at.
        n_tied: parameters that siblings hold in common, each counted once.
        nodes: one entry per node.
    """

    n_samples: int
    n_tied: int
    nodes: tuple[NodeReport, ...]

    def as_dict(self) -> dict[str, Any]:
        """The report as plain numbers and lists, for a JSON file."""
        return {
            "n_samples": self.n_samples,
            "n_tied": self.n_tied,
            "nodes": [_node_dict(node) for node in self.nodes],
        }


def group_report(name: str, means: Tensor, branches: Sequence[Channels]) -> GroupReport:
    """The report of one group, from the choice that was made."""
    return GroupReport(
        name=name,
        n_kept=len(branches[0].index),
        n_shared=int(branches[0].shared.sum()),
        n_overlap=overlap(branches),
        means=means,
        branches=tuple(branches),
    )


def _node_dict(node: NodeReport) -> dict[str, Any]:
    return {
        "level": node.level,
        "node": node.node,
        "n_samples": list(node.n_samples),
        "mean_cosine": node.mean_cosine,
        "groups": [
            {
                "name": group.name,
                "n_kept": group.n_kept,
                "n_shared": group.n_shared,
                "n_overlap": group.n_overlap,
                "means": group.means.tolist(),
                "channels": [branch.index.tolist() for branch in group.branches],
                "shared": [branch.shared.tolist() for branch in group.branches],
            }
            for group in node.groups
        ],
    }
