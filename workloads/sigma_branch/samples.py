"""The training examples that the clustering looks at: a fixed random subset, unaugmented."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from simulator.errors import WorkloadError
from workloads.data.dataset import Source


class Samples:
    """A random subset of a source, always in the same order.

    Iterating gives, batch by batch, the positions within the subset and the inputs.

    Args:
        source: training examples, read in the evaluation view.
        max_samples: size of the subset where the source holds more.
        batch_size: samples per batch.
        seed: of the choice.
        device: where the batches are wanted.

    Raises:
        WorkloadError: an empty source.
    """

    def __init__(
        self, source: Source, max_samples: int, batch_size: int, seed: int, device: torch.device
    ) -> None:
        if len(source) == 0:
            raise WorkloadError("training examples: the set is empty")
        order = torch.randperm(len(source), generator=torch.Generator().manual_seed(seed))
        self.indices = order[:max_samples].sort().values
        self._source = source
        self._batch_size = batch_size
        self._device = device

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[tuple[slice, Tensor]]:
        for start in range(0, len(self), self._batch_size):
            window = slice(start, min(start + self._batch_size, len(self)))
            inputs, _ = self._source.batch(self.indices[window])
            yield window, inputs.to(self._device)
