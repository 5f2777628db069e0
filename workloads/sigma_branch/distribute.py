"""Activation-based weight distribution: a pretrained dense network becomes a tree.

Phases 0 to 5 of arXiv 2606.09924, algorithm 1. No gradient is computed; every choice depends
on the data, the dense weights and the seed alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor, nn

from simulator.errors import WorkloadError
from workloads.data.dataset import Source
from workloads.sigma_branch.adapters.base import Adapter, Chosen
from workloads.sigma_branch.channels import LayerCopy, copy_layer, select_channels
from workloads.sigma_branch.grow import TreeBuilder, build_tree
from workloads.sigma_branch.kmeans import Clustering, random_clusters, spherical_kmeans
from workloads.sigma_branch.norms import fresh_statistics, in_company
from workloads.sigma_branch.plan import TreePlan, inputs_of, tie_tree
from workloads.sigma_branch.report import DistributionReport, NodeReport, group_report
from workloads.sigma_branch.router import Router
from workloads.sigma_branch.samples import Samples
from workloads.sigma_branch.shape import TreeShape
from workloads.sigma_branch.shape_search import FixedShape, ShapeRule
from workloads.sigma_branch.ties import Tie
from workloads.sigma_branch.tree import SigmaBTree
from workloads.training.evaluate import evaluating


class Partition(StrEnum):
    """How a node's samples are divided among its children."""

    KMEANS = "kmeans"
    RANDOM = "random"


@dataclass(frozen=True)
class DistributionConfig:
    """Constants of the method; the defaults are the paper's.

    Attributes:
        rule: the tree's shape, given or searched.
        shared_fraction: kappa, share of a branch's channels that siblings have in common.
        fractions: width of each level as a share of the dense stage's; None is the paper's.
        partition: spherical k-means, or the ablation "random partition".
        tie: how much siblings keep in common through fine-tuning.
        recalibrate_norms: measure batch-norm statistics anew, level by level, instead of
            copying them.
        max_samples: latents kept at most, a random subset of the training set.
        n_restarts: k-means runs per node.
        batch_size: samples per forward pass.
        seed: of the subset, the projections and the clusterings.
    """

    rule: ShapeRule = field(default_factory=lambda: FixedShape(TreeShape.binary(2)))
    shared_fraction: float = 0.5
    fractions: tuple[float, ...] | None = None
    partition: Partition = Partition.KMEANS
    tie: Tie = Tie.NONE
    recalibrate_norms: bool = False
    max_samples: int = 50_000
    n_restarts: int = 5
    batch_size: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 <= self.shared_fraction <= 1.0:
            raise WorkloadError(f"shared_fraction: {self.shared_fraction}: must be from 0 to 1")
        if min(self.max_samples, self.n_restarts, self.batch_size) < 1:
            raise WorkloadError("max_samples, n_restarts and batch_size must be at least 1")


@dataclass(frozen=True)
class Distribution:
    """A rebuilt network.

    Attributes:
        tree: in eval mode.
        plan: the choices behind it.
        report: what they looked like.
        indices: (samples,) the training examples looked at.
        paths: (samples, levels) the node each of them was sent to at each level.
    """

    tree: SigmaBTree
    plan: TreePlan
    report: DistributionReport
    indices: Tensor
    paths: Tensor


def distribute(adapter: Adapter[Any], train: Source, config: DistributionConfig) -> Distribution:
    """Rebuild a pretrained dense network as a tree.

    Args:
        adapter: the dense network, which is left as it is.
        train: training examples; they are read in the evaluation view, without augmentation.
        config: constants of the method.

    Raises:
        WorkloadError: a tree that the network cannot carry, or a node whose samples cannot be
            divided; the message names the node.
    """
    samples = Samples(train, config.max_samples, config.batch_size, config.seed, adapter.device)
    with evaluating(adapter.dense), torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(config.seed)
        return _Distributor(adapter, samples, config).run()


class _Distributor:
    """Grows the tree level by level, keeping where each sample has gone."""

    def __init__(self, adapter: Adapter[Any], samples: Samples, config: DistributionConfig) -> None:
        self.adapter = adapter
        self.samples = samples
        self.config = config
        self.builder = TreeBuilder(adapter, config.rule.depth, config.fractions)
        self.builder.trunk.eval()
        self.paths = torch.zeros(len(samples), 0, dtype=torch.int64, device=adapter.device)
        self.chosen: list[tuple[Chosen, ...]] = []
        self.nodes: list[NodeReport] = []
        self.cosines: list[float | None] = []

    def run(self) -> Distribution:
        for _ in range(self.builder.depth):
            self._divide()
            self._specialize()
            if self.config.recalibrate_norms:
                self._recalibrate(self.builder.levels[-1], ())
        plan = TreePlan(
            self.builder.shape,
            tuple(self.builder.fractions),
            self.config.tie,
            tuple(self.chosen),
        )
        tree = self.builder.finish().eval()
        for leaf, head in enumerate(tree.heads):
            for layer in plan.head_copies(self.adapter, leaf):
                self._copy(head, layer)
        if self.config.recalibrate_norms:
            self._recalibrate(tree.heads, tree.heads)
        n_tied = tie_tree(tree, self.adapter, plan)
        report = DistributionReport(len(self.samples), n_tied, tuple(self.nodes))
        return Distribution(tree, plan, report, self.samples.indices, self.paths)

    def _divide(self) -> None:
        """Phase 1 and 3: cluster each node's latents, aim its router, send samples down."""
        level, n_nodes = self.builder.level, self.builder.n_nodes
        routers = {node: self.builder.router(2).eval() for node in range(n_nodes)}
        latents = self._latents(routers)
        here = self._here()
        by_node = [latents[here == node] for node in range(n_nodes)]
        arities = self.config.rule.arities(self.builder.arities, by_node, self._params_of)
        below = torch.empty_like(here)
        self.cosines = []
        first = 0
        for node, arity in enumerate(arities):
            below[here == node] = first
            if arity > 1:
                found = self._cluster(level, node, by_node[node], arity)
                routers[node].aim(found.centroids)
                below[here == node] = first + found.labels
                self.cosines.append(found.mean_cosine)
            else:
                del routers[node]
                self.cosines.append(None)
            first += arity
        self.builder.add_level(arities, routers)
        self.paths = torch.cat((self.paths, below[:, None]), 1)

    def _cluster(self, level: int, node: int, latents: Tensor, k: int) -> Clustering:
        seed = self.config.seed
        try:
            if self.config.partition is Partition.RANDOM:
                return random_clusters(latents, k, seed)
            return spherical_kmeans(latents, k, self.config.n_restarts, seed)
        except WorkloadError as error:
            raise WorkloadError(f"level {level + 1}, node {node}: {error}") from None

    def _specialize(self) -> None:
        """Phases 2 and 4: choose each branch's channels and copy the dense weights."""
        builder, adapter = self.builder, self.adapter
        level, shape = builder.level, builder.shape
        stage = builder.stage(level)
        fraction = builder.fractions[-1]
        means, counts = self._channel_means(stage)
        row: list[Chosen] = []
        for node in range(shape.n_nodes(level - 1)):
            children = shape.children(level - 1, node)
            here = slice(children.start, children.stop)
            branches = {
                group: select_channels(means[group][here], keep, self.config.shared_fraction)
                for group, keep in adapter.group_widths(stage, fraction).items()
            }
            groups = tuple(group_report(g, means[g][here], b) for g, b in branches.items())
            sizes = tuple(counts[here].tolist())
            self.nodes.append(NodeReport(level - 1, node, sizes, self.cosines[node], groups))
            for index, child in enumerate(children):
                choice = {group: chosen[index] for group, chosen in branches.items()}
                row.append(choice)
                inputs = inputs_of(adapter, stage, self.chosen[-1][node] if self.chosen else None)
                specializer = builder.levels[-1][child].eval()
                for layer in adapter.specializer_copies(stage, inputs, choice, fraction):
                    self._copy(specializer, layer)
        self.chosen.append(tuple(row))

    def _copy(self, module: nn.Module, layer: LayerCopy) -> None:
        target = module.get_submodule(layer.target)
        copy_layer(target, self.adapter.dense.get_submodule(layer.source), layer)

    def _latents(self, routers: dict[int, Router]) -> Tensor:
        """Each sample's projection by the router of the node it has reached."""
        latents = torch.empty(
            len(self.samples), self.adapter.projection_width, device=self.adapter.device
        )
        for window, x in self.samples:
            part = latents[window]
            for node, group in self.builder.states(x, self.paths[window]).items():
                part[group.rows] = routers[node].project(group.state)
        return latents

    def _channel_means(self, stage: int) -> tuple[dict[str, Tensor], Tensor]:
        """Mean dense activation of each channel over the samples of each new node."""
        here, n_nodes = self._here(), self.builder.n_nodes
        sums: dict[str, Tensor] = {}
        for window, x in self.samples:
            for group, pooled in self.adapter.channel_means(x, stage).items():
                if group not in sums:
                    size = (n_nodes, pooled.shape[1])
                    sums[group] = torch.zeros(size, dtype=torch.float64, device=x.device)
                sums[group].index_add_(0, here[window], pooled.double())
        counts = torch.bincount(here, minlength=n_nodes)
        return {g: total / counts.clamp_min(1)[:, None] for g, total in sums.items()}, counts

    def _here(self) -> Tensor:
        """The node of the last level each sample has reached."""
        if self.paths.shape[1] == 0:
            return torch.zeros(len(self.samples), dtype=torch.int64, device=self.adapter.device)
        return self.paths[:, -1]

    def _params_of(self, shape: TreeShape) -> int:
        """Parameters of the finished tree if all levels below the given ones do not split."""
        missing = self.builder.depth - shape.depth
        single = ((1,) * shape.n_leaves,) * missing
        with torch.device("meta"):
            tree = build_tree(
                self.adapter.on_meta(), TreeShape(shape.arities + single), self.config.fractions
            )
        return sum(parameter.numel() for parameter in tree.parameters())

    def _recalibrate(self, modules: Sequence[nn.Module], heads: Sequence[nn.Module]) -> None:
        """Measure batch-norm statistics of the last level or the heads on what reaches them."""
        with fresh_statistics(modules):
            for window, x in self.samples:
                paths = self.paths[window]
                rows = in_company(paths[:, -1])
                for node, group in self.builder.states(x[rows], paths[rows]).items():
                    if heads:
                        heads[node](group.state)
