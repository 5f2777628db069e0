"""Top-1 and top-5 accuracy over a whole source, in its order and without augmentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn

from workloads.data.dataset import Source
from workloads.training.compute import Compute
from workloads.training.errors import TrainingError

Predict: TypeAlias = Callable[[nn.Module, Tensor], Tensor]
"""(model in evaluation mode, inputs) to logits (batch, classes)."""

_TOP = 5


@dataclass(frozen=True)
class Accuracy:
    """Shares of the examples whose class is the first, or among the first five, guesses."""

    top1_fraction: float
    top5_fraction: float
    n_examples: int


def forward(model: nn.Module, inputs: Tensor) -> Tensor:
    """The logits of a network that returns just them."""
    logits: Tensor = model(inputs)
    return logits


def evaluate(
    model: nn.Module,
    source: Source,
    compute: Compute | None = None,
    batch_size: int = 256,
    predict: Predict = forward,
) -> Accuracy:
    """Accuracy of the model, which is left as it was.

    With fewer than five classes top-5 counts all of them.

    Raises:
        TrainingError: an output that is not a finite number for each class.
    """
    compute = compute or Compute()
    top1 = top5 = 0
    with evaluating(model), torch.inference_mode(), compute.autocast():
        for start in range(0, len(source), batch_size):
            indices = torch.arange(start, min(start + batch_size, len(source)))
            inputs, targets = source.batch(indices)
            logits = predict(model, compute.take(inputs)).float().cpu()
            _check_logits(logits, targets, start)
            guesses = logits.topk(min(_TOP, logits.shape[1]), dim=1).indices
            hits = guesses == targets[:, None]
            top1 += int(hits[:, 0].sum())
            top5 += int(hits.sum())
    return Accuracy(top1 / len(source), top5 / len(source), len(source))


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode; each module's own mode is restored afterwards."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _check_logits(logits: Tensor, targets: Tensor, start: int) -> None:
    if logits.ndim != 2 or logits.shape[1] <= int(targets.max()):
        raise TrainingError(
            f"the network's output has shape {tuple(logits.shape)}, "
            f"the data has class {int(targets.max())}: its number of classes does not fit"
        )
    finite = logits.isfinite().all(1)
    if not finite.all():
        first = start + int((~finite).nonzero()[0])
        raise TrainingError(
            f"the network's output for example {first} is not finite: "
            "its weights are damaged or its training has diverged"
        )
