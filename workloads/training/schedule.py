"""Learning rates as pure functions of the step, so that resuming needs no schedule state."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol


class Schedule(Protocol):
    """Factor of the peak learning rate over a training."""

    def factor(self, step: int, steps_per_epoch: int, epochs: int) -> float:
        """Factor during step `step`, counted from 0 over all epochs."""
        ...


@dataclass(frozen=True)
class Cosine:
    """A linear rise over `warmup_epochs`, then half a cosine down to zero (arXiv 1608.03983).

    A warm-up as long as the whole training or longer is cut to half of it.
    """

    warmup_epochs: int

    def factor(self, step: int, steps_per_epoch: int, epochs: int) -> float:
        total = epochs * steps_per_epoch
        warmup = min(self.warmup_epochs * steps_per_epoch, total // 2)
        if step < warmup:
            return (step + 1) / warmup
        return (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2


@dataclass(frozen=True)
class Step:
    """Multiplied by `decay` after every `every_epochs` epochs."""

    decay: float
    every_epochs: int

    def factor(self, step: int, steps_per_epoch: int, epochs: int) -> float:
        return math.pow(self.decay, step // steps_per_epoch // self.every_epochs)
