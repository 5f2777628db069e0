"""The state that flows between stages: a tensor or a tuple of tensors, samples first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Group:
    """The samples of a batch that stand at one node, and their state there.

    Attributes:
        rows: (samples,) their positions in the batch.
        state: what the node computed for them.
    """

    rows: Tensor
    state: Any

    def part(self, here: Tensor) -> Group:
        """Some of the samples, by their positions within the group."""
        return Group(self.rows[here], take(self.state, here))


def take(state: Any, rows: Tensor) -> Any:
    """The state of some samples only; the state itself where all are taken in order."""
    if isinstance(state, tuple):
        return tuple(take(part, rows) for part in state)
    if state is None or _is_everything(rows, state.shape[0]):
        return state
    return state[rows]


def _is_everything(rows: Tensor, count: int) -> bool:
    return len(rows) == count and torch.equal(rows, torch.arange(count, device=rows.device))
