"""What a build is asked for, checked before any work is done."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from simulator.errors import WorkloadError
from workloads.data.registry import DatasetName
from workloads.sigma_branch.distribute import DistributionConfig, Partition
from workloads.sigma_branch.shape import TreeShape
from workloads.sigma_branch.shape_search import Criterion, FixedShape, SearchedShape, ShapeRule
from workloads.sigma_branch.ties import Tie
from workloads.training.recipe import Recipe, recipe_named

_MOST_LEVELS = 8
_SMALL_SIZES = ("small", "tiny")
Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True)
class BuildRequest:
    """The options of `build`, named as on the command line.

    Raises:
        WorkloadError: a value out of its range, or an option that needs another.
    """

    model: str
    data: str
    out: Path
    path: Path | None = None
    size: str = "full"
    seed: int = 0
    data_seed: int = 0
    recipe: str | None = None
    epochs: str | None = None
    pretrained: Path | None = None
    device: str = "auto"
    depth: int = 2
    fractions: str | None = None
    ties: str = Tie.NONE.value
    partition: str = Partition.KMEANS.value
    lambda_resp: float = 0.3
    recalibrate_batch_norm: bool = False
    shape_from_data: str | None = None
    max_children: int = 3
    max_params: int | None = None

    def __post_init__(self) -> None:
        if self.seed < 0 or self.data_seed < 0:
            raise WorkloadError(f"--seed {self.seed}, --data-seed {self.data_seed}: must be >= 0")
        if not 1 <= self.depth <= _MOST_LEVELS:
            raise WorkloadError(f"--depth {self.depth}: must be from 1 to {_MOST_LEVELS}")
        if not 0.0 <= self.lambda_resp < float("inf"):
            raise WorkloadError(f"--lambda-resp {self.lambda_resp}: must be zero or more")
        if self.max_params is not None and self.shape_from_data is None:
            raise WorkloadError("--max-params: needs --shape-from-data, a given shape has its size")
        _ = (self.distribution(), self.training())  # what is wrong with them is found here

    def distribution(self) -> DistributionConfig:
        """How the tree is made."""
        fractions = None
        if self.fractions is not None:
            fractions = tuple(_numbers("--fractions", self.fractions, float))
        return DistributionConfig(
            rule=self._rule(),
            fractions=fractions,
            partition=_choice("--partition", self.partition, Partition),
            tie=_choice("--ties", self.ties, Tie),
            recalibrate_norms=self.recalibrate_batch_norm,
            seed=self.seed,
        )

    def _rule(self) -> ShapeRule:
        if self.shape_from_data is None:
            return FixedShape(TreeShape.binary(self.depth))
        criterion = _choice("--shape-from-data", self.shape_from_data, Criterion)
        return SearchedShape(
            self.depth, criterion, self.max_children, self.max_params, seed=self.seed
        )

    def training(self) -> Recipe:
        """The recipe, with other lengths where asked for."""
        name = self.recipe or self._default_recipe()
        recipe = recipe_named(name)
        if self.epochs is None:
            return recipe
        lengths = _numbers("--epochs", self.epochs, int)
        if len(lengths) != 2 or min(lengths) < 1:
            raise WorkloadError(f"--epochs {self.epochs}: give two lengths of 1 or more, as 15,8")
        return replace(recipe, dense_epochs=lengths[0], finetune_epochs=lengths[1])

    def _default_recipe(self) -> str:
        _choice("--data", self.data, DatasetName)
        return f"{self.data}_small" if self.size in _SMALL_SIZES else self.data

    def as_plain(self) -> dict[str, Any]:
        """The options that decide the result, as JSON holds them: not where it is written."""
        plain = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(self).items()}
        del plain["out"]
        return plain


def _choice(option: str, word: str, choices: type[Choice]) -> Choice:
    if word not in list(choices):
        raise WorkloadError(f"{option} {word}: must be one of {', '.join(choices)}")
    return choices(word)


def _numbers(option: str, text: str, kind: type[Any]) -> list[Any]:
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        raise WorkloadError(f"{option} {text}: must be numbers with commas between") from None
