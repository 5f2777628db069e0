"""Recipes against the paper's text, schedules against hand-worked rates."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from workloads.training.errors import TrainingError
from workloads.training.recipe import RECIPES, OptimizerKind, Phase, recipe_named
from workloads.training.schedule import Cosine, Step


def test_cifar_and_imagenet_recipes_are_the_papers() -> None:
    for name, dense, finetune in (("cifar100", 200, 60), ("imagenet", 90, 100)):
        recipe = recipe_named(name)
        assert (recipe.epochs(Phase.DENSE), recipe.epochs(Phase.FINETUNE)) == (dense, finetune)
        assert (recipe.lr, recipe.weight_decay, recipe.batch_size) == (0.1, 1e-4, 256)
        assert recipe.schedule == Cosine(warmup_epochs=5)
        assert recipe.label_smoothing == 0.1
        optimizer = recipe.make_optimizer(nn.Linear(2, 2))
        assert isinstance(optimizer, torch.optim.SGD)
        assert optimizer.defaults["nesterov"]


def test_modelnet_recipe_is_the_papers() -> None:
    recipe = recipe_named("modelnet40")
    assert (recipe.dense_epochs, recipe.finetune_epochs) == (200, 200)
    assert (recipe.lr, recipe.weight_decay, recipe.batch_size) == (1e-3, 1e-4, 32)
    assert recipe.schedule == Step(decay=0.7, every_epochs=20)
    optimizer = recipe.make_optimizer(nn.Linear(2, 2))
    assert isinstance(optimizer, torch.optim.Adam)
    assert optimizer.defaults["weight_decay"] == 1e-4


def test_cosine_by_hand() -> None:
    recipe = recipe_named("cifar100")
    # 200 epochs of 10 steps: 50 warm-up steps of 0.002 each, then 1,950 down to zero.
    assert recipe.learning_rate(Phase.DENSE, 0, 10) == pytest.approx(0.002)
    assert recipe.learning_rate(Phase.DENSE, 49, 10) == pytest.approx(0.1)
    assert recipe.learning_rate(Phase.DENSE, 50, 10) == pytest.approx(0.1)
    assert recipe.learning_rate(Phase.DENSE, 50 + 975, 10) == pytest.approx(0.05)
    # One step before the end: 0.1 (1 + cos(pi - pi / 1950)) / 2.
    assert recipe.learning_rate(Phase.DENSE, 1999, 10) == pytest.approx(
        0.05 * (1 - math.cos(math.pi / 1950))
    )


def test_steps_by_hand() -> None:
    recipe = recipe_named("modelnet40")
    rates = [recipe.learning_rate(Phase.FINETUNE, epoch * 7 + 3, 7) for epoch in (0, 19, 20, 199)]
    # Nine decays by the 200th epoch: 0.7^9 = 0.040353607.
    assert rates == pytest.approx([1e-3, 1e-3, 0.7e-3, 1e-3 * 0.040353607])


@given(st.integers(0, 8), st.integers(1, 10), st.integers(1, 12))
def test_cosine_rises_then_falls_and_stays_in_range(
    warmup: int, epochs: int, steps_per_epoch: int
) -> None:
    schedule = Cosine(warmup)
    rates = [schedule.factor(s, steps_per_epoch, epochs) for s in range(epochs * steps_per_epoch)]
    assert all(0 < rate <= 1 for rate in rates)
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_every_recipe_trains_both_phases() -> None:
    for name, recipe in RECIPES.items():
        assert recipe.name == name
        assert recipe.optimizer in OptimizerKind
        for phase in Phase:
            assert recipe.epochs(phase) > 0
            assert recipe.learning_rate(phase, 0, 10) > 0


def test_an_optimizer_takes_only_parameters_with_a_gradient() -> None:
    model = nn.Linear(2, 2)
    model.bias.requires_grad = False
    (group,) = recipe_named("shapes").make_optimizer(model).param_groups
    assert group["params"] == [model.weight]


def test_an_unknown_recipe_is_explained() -> None:
    with pytest.raises(TrainingError, match="'cifar' is unknown; there are cifar100, imagenet"):
        recipe_named("cifar")
