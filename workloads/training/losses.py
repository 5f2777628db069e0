"""What a training minimises, as the loop calls it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor, nn
from torch.nn import functional as F

LossFunction: TypeAlias = Callable[[nn.Module, Tensor, Tensor], tuple[Tensor, Mapping[str, Tensor]]]
"""(model, inputs, targets) to the scalar to minimise and named scalars to record."""


@dataclass(frozen=True)
class CrossEntropy:
    """Loss of dense training: cross-entropy with label smoothing (arXiv 1512.00567, section 7)."""

    label_smoothing: float = 0.0

    def __call__(
        self, model: nn.Module, inputs: Tensor, targets: Tensor
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Mean loss of the batch, and the share of it classified correctly."""
        logits = model(inputs)
        correct = (logits.detach().argmax(1) == targets).float().mean()
        loss = F.cross_entropy(logits, targets, label_smoothing=self.label_smoothing)
        return loss, {"train_top1_fraction": correct}
