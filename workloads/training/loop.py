"""The training loop, for a dense network as for a soft tree.

A run is a function of the model's initial weights, the data and the plan. Every random draw has
an address (`workloads.data.seeds`), the learning rate follows from the step, and a checkpoint
holds the rest; so a run that is killed and resumed ends in the same bytes as one that is not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from workloads.data.dataset import Dataset, Source
from workloads.data.seeds import Stream, derive_seed
from workloads.training.batches import epoch_batches, steps_per_epoch
from workloads.training.checkpoint import load_checkpoint, save_checkpoint
from workloads.training.compute import Compute, repeatable
from workloads.training.errors import TrainingError
from workloads.training.evaluate import evaluate
from workloads.training.history import EpochRecord, EpochTime, append_time
from workloads.training.losses import LossFunction
from workloads.training.progress import NoProgress, Progress
from workloads.training.recipe import Phase, Recipe

_FORMAT = 1

Measure: TypeAlias = Callable[[nn.Module, Source, Compute], Mapping[str, float]]
"""(model, test source, compute) to named figures of an epoch."""


def measure_accuracy(model: nn.Module, source: Source, compute: Compute) -> Mapping[str, float]:
    """Top-1 and top-5 of the model's logits."""
    accuracy = evaluate(model, source, compute)
    return {"top1_fraction": accuracy.top1_fraction, "top5_fraction": accuracy.top5_fraction}


@dataclass(frozen=True)
class TrainingPlan:
    """Everything but model, data and loss that a training depends on.

    Attributes:
        recipe: optimizer, learning rate, batch size and length.
        phase: which of the recipe's two lengths and rates.
        seed: of order, augmentation and dropout.
        compute: device and precision.
        measure: called on the test set, which never influences the training.
        measure_every_epochs: how often, besides after the last epoch.
        checkpoint_every_steps: extra checkpoints within an epoch, for epochs that take long.
        variant: what else tells this training from others on the same data, such as the loss's
            settings; a checkpoint of another variant is not resumed.
    """

    recipe: Recipe
    phase: Phase
    seed: int = 0
    compute: Compute = field(default_factory=Compute)
    measure: Measure = measure_accuracy
    measure_every_epochs: int = 1
    checkpoint_every_steps: int | None = None
    variant: str = ""

    @property
    def epochs(self) -> int:
        """Length of the training."""
        return self.recipe.epochs(self.phase)


@dataclass(frozen=True)
class CheckpointPolicy:
    """Where checkpoints go, and whether one that is there is gone on from or replaced."""

    path: Path
    resume: bool = False


def train(
    model: nn.Module,
    dataset: Dataset,
    loss: LossFunction,
    plan: TrainingPlan,
    checkpoint: CheckpointPolicy | None = None,
    progress: Progress | None = None,
) -> tuple[EpochRecord, ...]:
    """Trains the model in place; returns what was recorded of each epoch.

    Resuming a finished training only loads its result; resuming where there is no checkpoint
    yet starts from the beginning.

    Raises:
        TrainingError: the loss is not finite, the training set is smaller than a batch, or a
            checkpoint to resume is damaged or of another training.
    """
    progress = progress or NoProgress()
    with repeatable(plan.compute, derive_seed(plan.seed, Stream.MODEL)):
        run = _Run(model, dataset, loss, plan, checkpoint)
        if checkpoint is not None and checkpoint.resume and checkpoint.path.exists():
            run.restore(checkpoint.path)
        progress.begin(
            f"{plan.recipe.name} {plan.phase}", plan.epochs, run.steps_per_epoch, run.steps_done
        )
        try:
            while run.epoch < plan.epochs:
                run.train_epoch(progress)
        finally:
            progress.close()
    return tuple(run.history)


class _Run:
    """A training under way: model, optimizer, position and what has been recorded."""

    def __init__(
        self,
        model: nn.Module,
        dataset: Dataset,
        loss: LossFunction,
        plan: TrainingPlan,
        checkpoint: CheckpointPolicy | None,
    ) -> None:
        self.model = model.to(plan.compute.device)
        self.dataset = dataset
        self.loss = loss
        self.plan = plan
        self.path = checkpoint.path if checkpoint else None
        self.optimizer = plan.recipe.make_optimizer(model)
        self.scaler = plan.compute.make_scaler()
        self.steps_per_epoch = steps_per_epoch(dataset.train, plan.recipe.batch_size)
        self.epoch = 0
        self.step = 0
        self.sums: dict[str, Tensor] = {}
        self.history: list[EpochRecord] = []
        if self.steps_per_epoch == 0:
            raise TrainingError(
                f"data set {dataset.name!r} has {len(dataset.train)} training examples, fewer "
                f"than one batch of {plan.recipe.batch_size} of recipe {plan.recipe.name!r}"
            )

    @property
    def steps_done(self) -> int:
        return self.epoch * self.steps_per_epoch + self.step

    def train_epoch(self, progress: Progress) -> None:
        """The rest of the current epoch, its record and its checkpoint."""
        started_s, first_step = time.perf_counter(), self.step
        batch_size = self.plan.recipe.batch_size
        self.model.train()
        for inputs, targets in epoch_batches(
            self.dataset.train, batch_size, self.plan.seed, self.epoch, self.step
        ):
            value = self._take_step(inputs, targets)
            progress.update(value, len(targets))
            every = self.plan.checkpoint_every_steps
            if every and self.step % every == 0 and self.step < self.steps_per_epoch:
                self._save()
        duration_s = time.perf_counter() - started_s
        n_examples = (self.step - first_step) * batch_size
        self._finish_epoch()
        self._save()
        if self.path is not None:
            append_time(self.path, EpochTime(self.epoch, duration_s, n_examples))

    def _take_step(self, inputs: Tensor, targets: Tensor) -> float:
        """One update of the weights; the loss before it."""
        compute = self.plan.compute
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        with compute.autocast():
            loss, scalars = self.loss(self.model, compute.take(inputs), compute.take(targets))
        value = float(loss.detach())
        if not math.isfinite(value):
            raise self._diverged(f"the loss is {value}")
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        for name, scalar in {"loss": loss, **scalars}.items():
            added = scalar.detach().to("cpu", torch.float64)
            self.sums[name] = self.sums.get(name, torch.zeros((), dtype=torch.float64)) + added
        self.step += 1
        return value

    def _learning_rate(self) -> float:
        return self.plan.recipe.learning_rate(
            self.plan.phase, self.steps_done, self.steps_per_epoch
        )

    def _finish_epoch(self) -> None:
        """Records the epoch's means and what is measured after it."""
        means = {name: float(total) / self.steps_per_epoch for name, total in self.sums.items()}
        number = self.epoch + 1
        metrics: Mapping[str, float] = {}
        if number == self.plan.epochs or number % self.plan.measure_every_epochs == 0:
            metrics = self.plan.measure(self.model, self.dataset.test, self.plan.compute)
        rate = float(self.optimizer.param_groups[0]["lr"])
        self.history.append(EpochRecord(number, rate, means.pop("loss"), means, dict(metrics)))
        self.epoch, self.step, self.sums = number, 0, {}

    def _diverged(self, what: str) -> TrainingError:
        recipe = self.plan.recipe
        return TrainingError(
            f"training diverged in epoch {self.epoch + 1}, step {self.step + 1}: {what}; "
            f"try a lower learning rate than recipe {recipe.name!r}'s "
            f"(here {self._learning_rate():.3g}), a longer warm-up, or precision fp32"
        )

    def _identity(self) -> dict[str, Any]:
        """What must be equal for a checkpoint to be of this training."""
        recipe = {f"recipe.{key}": repr(v) for key, v in asdict(self.plan.recipe).items()}
        return {
            "format": _FORMAT,
            "phase": str(self.plan.phase),
            "variant": self.plan.variant,
            "seed": self.plan.seed,
            "precision": str(self.plan.compute.precision),
            "data": self.dataset.provenance,
            **recipe,
            "parameters": sum(p.numel() for p in self.model.parameters()),
        }

    def _save(self) -> None:
        if self.path is None:
            return
        model = self.model.state_dict()
        for name, tensor in model.items():
            if tensor.is_floating_point() and not tensor.isfinite().all():
                raise self._diverged(f"{name} is not finite")
        on_gpu = self.plan.compute.device.type == "cuda"
        state = {
            "identity": self._identity(),
            "epoch": self.epoch,
            "step": self.step,
            "sums": self.sums,
            "history": [record.to_plain() for record in self.history],
            "model": model,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "cpu_rng": torch.get_rng_state(),
            "gpu_rng": torch.cuda.get_rng_state(self.plan.compute.device) if on_gpu else None,
        }
        save_checkpoint(self.path, state)

    def restore(self, path: Path) -> None:
        """Takes up the training where the checkpoint left it.

        Raises:
            TrainingError: it is damaged or of another training.
        """
        state = load_checkpoint(path)
        found, wanted = state.get("identity"), self._identity()
        if not isinstance(found, dict):
            raise TrainingError(f"{path}: is not a checkpoint of a training")
        for key in wanted:
            if found.get(key) != wanted[key]:
                raise TrainingError(
                    f"{path}: is of another training: {key} is {found.get(key)!r} there and "
                    f"{wanted[key]!r} here; start anew, or resume with the same settings"
                )
        try:
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.scaler.load_state_dict(state["scaler"])
            self.history = [EpochRecord(**record) for record in state["history"]]
            self.epoch, self.step, self.sums = state["epoch"], state["step"], state["sums"]
            torch.set_rng_state(state["cpu_rng"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise TrainingError(f"{path}: does not fit this network: {reason}") from None
        if state.get("gpu_rng") is not None and self.plan.compute.device.type == "cuda":
            torch.cuda.set_rng_state(state["gpu_rng"], self.plan.compute.device)
