"""What training sees of a data set: two indexable sources and their meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

Batch: TypeAlias = tuple[Tensor, Tensor]
View: TypeAlias = Callable[[Tensor], Tensor]
Augmentation: TypeAlias = Callable[[Tensor, torch.Generator], Tensor]


class Source(Protocol):
    """Examples fetched in batches by index, as the network takes them."""

    @property
    def targets(self) -> Tensor:
        """Class of every example, int64, in the order of the files."""
        ...

    def __len__(self) -> int: ...

    def batch(self, indices: Tensor, generator: torch.Generator | None = None) -> Batch:
        """Inputs (float32, batch first) and targets (int64) of the given examples.

        Without a generator this is the evaluation view, a pure function of the indices. With
        one the training augmentation is applied, and all its randomness comes from there.
        """
        ...


@dataclass(frozen=True)
class TensorSource:
    """Examples held in memory.

    Attributes:
        inputs: all examples as stored, e.g. uint8 images (N, channels, height, width).
        targets: int64 class of each.
        view: turns a stored batch into the network's float32 input.
        augmentation: random change of a stored batch before `view`, or None.
    """

    inputs: Tensor
    targets: Tensor
    view: View
    augmentation: Augmentation | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def batch(self, indices: Tensor, generator: torch.Generator | None = None) -> Batch:
        stored = self.inputs[indices]
        if generator is not None and self.augmentation is not None:
            stored = self.augmentation(stored, generator)
        return self.view(stored), self.targets[indices]


@dataclass(frozen=True)
class Dataset:
    """A training and a test set of the same classes.

    Attributes:
        name: as `load_dataset` knows it.
        train: training examples, with augmentation.
        test: test examples; their order is the data set's own and never changes.
        class_names: one per class, in the order of the targets.
        input_shape: shape of one network input, without the batch dimension.
        superclass_names: coarse classes, empty where the data set has none.
        superclasses: coarse class of each class, empty where there is none.
        provenance: where the examples come from, one line, the same for the same examples.
    """

    name: str
    train: Source
    test: Source
    class_names: tuple[str, ...]
    input_shape: tuple[int, ...]
    provenance: str
    superclass_names: tuple[str, ...] = ()
    superclasses: tuple[int, ...] = ()

    @property
    def n_classes(self) -> int:
        """How many classes there are."""
        return len(self.class_names)
