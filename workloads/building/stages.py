"""The stages of a build: a dense network, its tree, the fine-tuned tree. Each resumes exactly."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from workloads.building.networks import make_network
from workloads.data.dataset import Dataset
from workloads.sigma_branch.adapters import adapter_for
from workloads.sigma_branch.distribute import Distribution, DistributionConfig, distribute
from workloads.sigma_branch.evaluate import HardEvaluation, evaluate_hard, measure_tree
from workloads.sigma_branch.loss import LossWeights, SigmaBranchLoss
from workloads.training.compute import Compute
from workloads.training.evaluate import Accuracy, evaluate
from workloads.training.history import EpochRecord
from workloads.training.loop import CheckpointPolicy, TrainingPlan, train
from workloads.training.losses import CrossEntropy
from workloads.training.pretrained import load_pretrained
from workloads.training.progress import Progress
from workloads.training.recipe import Phase, Recipe


@dataclass(frozen=True)
class Setting:
    """What all stages of a build share.

    Attributes:
        dataset: to train on and to evaluate on.
        recipe: of both trainings.
        seed: of weights, order, augmentation and clustering.
        compute: device and precision.
        progress: told about the trainings.
        measure_every_epochs: how often a training is measured on the test set.
    """

    dataset: Dataset
    recipe: Recipe
    seed: int
    compute: Compute
    progress: Progress
    measure_every_epochs: int = 1


@dataclass(frozen=True)
class DenseStage:
    """A trained or loaded dense network, what it reaches, and its epochs (none if loaded)."""

    model: nn.Module
    accuracy: Accuracy
    history: tuple[EpochRecord, ...]


@dataclass(frozen=True)
class TreeStage:
    """A fine-tuned tree.

    Attributes:
        distribution: the tree (fine-tuned in place), its plan and the report of its making.
        initial: hard routing before fine-tuning.
        final: hard routing after it.
        history: of the fine-tuning's epochs.
    """

    distribution: Distribution
    initial: HardEvaluation
    final: HardEvaluation
    history: tuple[EpochRecord, ...]


def dense_stage(
    setting: Setting, model: str, pretrained: Path | None, checkpoint: CheckpointPolicy
) -> DenseStage:
    """Train the named network, or load its weights from a file of someone else's.

    Raises:
        WorkloadError: an unknown model, or one that cannot read the data.
        TrainingError: the training diverges, or a file does not fit.
    """
    dataset, compute = setting.dataset, setting.compute
    network = make_network(model, dataset, setting.seed).to(compute.device)
    history: tuple[EpochRecord, ...] = ()
    if pretrained is not None:
        load_pretrained(network, pretrained)
    else:
        plan = TrainingPlan(
            setting.recipe,
            Phase.DENSE,
            setting.seed,
            compute,
            measure_every_epochs=setting.measure_every_epochs,
            variant=model,
        )
        loss = CrossEntropy(setting.recipe.label_smoothing)
        history = train(network, dataset, loss, plan, checkpoint, setting.progress)
    network.eval()
    return DenseStage(network, evaluate(network, dataset.test, compute), history)


def continued_stage(
    setting: Setting, dense: DenseStage, checkpoint: CheckpointPolicy
) -> DenseStage:
    """Train a copy of the dense network for as long, and with the same rates, as a tree is tuned.

    What fine-tuning alone brings: without it a tree that is better than the dense network may
    owe that to the further epochs.

    Raises:
        TrainingError: the training diverges, or its checkpoint does not fit.
    """
    dataset, compute, recipe = setting.dataset, setting.compute, setting.recipe
    network = copy.deepcopy(dense.model)
    plan = TrainingPlan(
        recipe,
        Phase.FINETUNE,
        setting.seed,
        compute,
        measure_every_epochs=setting.measure_every_epochs,
        variant="dense, continued",
    )
    loss = CrossEntropy(recipe.label_smoothing)
    history = train(network, dataset, loss, plan, checkpoint, setting.progress)
    network.eval()
    return DenseStage(network, evaluate(network, dataset.test, compute), history)


def tree_stage(
    setting: Setting,
    dense: nn.Module,
    config: DistributionConfig,
    responsibility: float,
    checkpoint: CheckpointPolicy,
) -> TreeStage:
    """Distribute a dense network's weights over a tree and fine-tune it with soft routing.

    The distribution is a function of weights, data and seed, so resuming repeats it and takes
    up the fine-tuning where it was.

    Args:
        setting: data, recipe and seed.
        dense: the network; left as it is.
        config: how the tree is made.
        responsibility: lambda_resp of the loss.
        checkpoint: of the fine-tuning.

    Raises:
        WorkloadError: a tree the network cannot carry, or samples that cannot be divided.
        TrainingError: the fine-tuning diverges, or its checkpoint does not fit.
    """
    dataset, compute, recipe = setting.dataset, setting.compute, setting.recipe
    adapter: Any = adapter_for(dense)
    distribution = distribute(adapter, dataset.train, config)
    tree = distribution.tree
    initial = evaluate_hard(tree, dataset.test, compute)
    weights = LossWeights(responsibility=responsibility, label_smoothing=recipe.label_smoothing)
    plan = TrainingPlan(
        recipe,
        Phase.FINETUNE,
        setting.seed,
        compute,
        measure=measure_tree,
        measure_every_epochs=setting.measure_every_epochs,
        variant=f"{config} {weights}",
    )
    history = train(tree, dataset, SigmaBranchLoss(weights), plan, checkpoint, setting.progress)
    return TreeStage(
        distribution, initial, evaluate_hard(tree.eval(), dataset.test, compute), history
    )
