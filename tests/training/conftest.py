"""A small network with dropout and batch norm, a data set and plans for them."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from workloads.data.dataset import Dataset
from workloads.data.registry import load_dataset
from workloads.training.loop import TrainingPlan
from workloads.training.losses import CrossEntropy
from workloads.training.recipe import Phase, recipe_named


def small_net(n_classes: int = 4, seed: int = 0) -> nn.Module:
    """Dropout and batch norm are there for the state they carry from step to step."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(32, n_classes),
        )


def small_plan(seed: int = 0, **recipe_changes: object) -> TrainingPlan:
    """Three epochs of eight steps on the tiny shapes."""
    recipe = replace(recipe_named("shapes_small"), batch_size=16, dense_epochs=3, name="tiny")
    return TrainingPlan(replace(recipe, **recipe_changes), Phase.DENSE, seed=seed)


@pytest.fixture(scope="session")
def make_net() -> Callable[..., nn.Module]:
    return small_net


@pytest.fixture(scope="session")
def make_plan() -> Callable[..., TrainingPlan]:
    return small_plan


@pytest.fixture(scope="session")
def tiny() -> Dataset:
    """128 training images of 4 classes."""
    return load_dataset("shapes", size="tiny")


@pytest.fixture(scope="session")
def loss() -> CrossEntropy:
    return CrossEntropy(label_smoothing=0.1)
