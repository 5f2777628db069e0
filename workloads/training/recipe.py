"""Named training recipes: the paper's three, and small ones for the bundled sets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import torch
from torch import nn

from workloads.training.errors import TrainingError
from workloads.training.schedule import Cosine, Schedule, Step


class OptimizerKind(StrEnum):
    """How a gradient becomes a step."""

    SGD = "sgd"
    ADAM = "adam"


class Phase(StrEnum):
    """What is trained: the dense network, or the soft tree made from it."""

    DENSE = "dense"
    FINETUNE = "finetune"


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        name: as `recipe_named` knows it.
        optimizer: SGD with Nesterov momentum 0.9, or Adam with betas 0.9 and 0.999.
        lr: peak learning rate of dense training.
        finetune_lr: peak learning rate of fine-tuning.
        weight_decay: L2 penalty on every parameter.
        schedule: how the learning rate changes.
        batch_size: examples per step.
        label_smoothing: share of each target spread over all classes.
        dense_epochs: length of dense training.
        finetune_epochs: length of fine-tuning.
    """

    name: str
    optimizer: OptimizerKind
    lr: float
    finetune_lr: float
    weight_decay: float
    schedule: Schedule
    batch_size: int
    label_smoothing: float
    dense_epochs: int
    finetune_epochs: int

    def epochs(self, phase: Phase) -> int:
        """Length of a phase."""
        return self.dense_epochs if phase is Phase.DENSE else self.finetune_epochs

    def learning_rate(self, phase: Phase, step: int, steps_per_epoch: int) -> float:
        """Learning rate during step `step` of the phase, counted from 0 over all epochs."""
        peak = self.lr if phase is Phase.DENSE else self.finetune_lr
        return peak * self.schedule.factor(step, steps_per_epoch, self.epochs(phase))

    def make_optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Over all parameters that take a gradient; the loop sets the learning rate each step."""
        parameters = [p for p in model.parameters() if p.requires_grad]
        if self.optimizer is OptimizerKind.ADAM:
            return torch.optim.Adam(parameters, lr=self.lr, weight_decay=self.weight_decay)
        return torch.optim.SGD(
            parameters, lr=self.lr, momentum=0.9, nesterov=True, weight_decay=self.weight_decay
        )


_CIFAR100 = Recipe(
    name="cifar100",
    optimizer=OptimizerKind.SGD,
    lr=0.1,
    finetune_lr=0.1,
    weight_decay=1e-4,
    schedule=Cosine(warmup_epochs=5),
    batch_size=256,
    label_smoothing=0.1,
    dense_epochs=200,
    finetune_epochs=60,
)
_MODELNET40 = Recipe(
    name="modelnet40",
    optimizer=OptimizerKind.ADAM,
    lr=1e-3,
    finetune_lr=1e-3,
    weight_decay=1e-4,
    schedule=Step(decay=0.7, every_epochs=20),
    batch_size=32,
    label_smoothing=0.0,
    dense_epochs=200,
    finetune_epochs=200,
)
# Sized for networks of about 0.1 M parameters on one CPU core, from runs of a few of each.
_SHAPES_SMALL = Recipe(
    name="shapes_small",
    optimizer=OptimizerKind.SGD,
    lr=0.05,
    finetune_lr=0.05,
    weight_decay=5e-4,
    schedule=Cosine(warmup_epochs=1),
    batch_size=64,
    label_smoothing=0.1,
    dense_epochs=24,
    finetune_epochs=12,
)
_SOLIDS_SMALL = Recipe(
    name="solids_small",
    optimizer=OptimizerKind.ADAM,
    lr=2e-3,
    finetune_lr=2e-3,
    weight_decay=1e-4,
    schedule=Cosine(warmup_epochs=1),
    batch_size=32,
    label_smoothing=0.0,
    dense_epochs=16,
    finetune_epochs=8,
)

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        # arXiv 2606.09924, section IV; momentum 0.9 is the usual value, the paper names none.
        _CIFAR100,
        replace(_CIFAR100, name="imagenet", dense_epochs=90, finetune_epochs=100),
        _MODELNET40,
        _SHAPES_SMALL,
        _SOLIDS_SMALL,
        replace(_SHAPES_SMALL, name="shapes", dense_epochs=10, finetune_epochs=5),
        replace(_SOLIDS_SMALL, name="solids", dense_epochs=10, finetune_epochs=5),
        replace(_SHAPES_SMALL, name="digits", dense_epochs=15, finetune_epochs=8),
        # For a GPU: the paper's recipe, shortened to a set of 20,000 images.
        replace(_CIFAR100, name="shapes_gpu", dense_epochs=60, finetune_epochs=30),
    )
}


def recipe_named(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        TrainingError: there is none.
    """
    if name not in RECIPES:
        raise TrainingError(f"recipe {name!r} is unknown; there are {', '.join(RECIPES)}")
    return RECIPES[name]
