"""What is recorded of a training, epoch by epoch, and how long it took."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workloads.training.checkpoint import write_atomically


@dataclass(frozen=True)
class EpochRecord:
    """One epoch's figures; the same for the same seed, so no times.

    Attributes:
        epoch: counted from 1.
        learning_rate: of its last step.
        loss: mean over its steps.
        scalars: what the loss function named, each the mean over the epoch's steps.
        metrics: what was measured after the epoch, empty where nothing was.
    """

    epoch: int
    learning_rate: float
    loss: float
    scalars: Mapping[str, float]
    metrics: Mapping[str, float]

    def to_plain(self) -> dict[str, Any]:
        """As nested mappings, for a checkpoint or a JSON file."""
        return asdict(self)


@dataclass(frozen=True)
class EpochTime:
    """How long one epoch took, without what was measured after it."""

    epoch: int
    duration_s: float
    n_examples: int


def times_path(checkpoint: Path) -> Path:
    """Where the times of a checkpoint's training are; apart, because no two runs agree on them."""
    return checkpoint.with_name(checkpoint.name + ".times.json")


def append_time(checkpoint: Path, time: EpochTime) -> None:
    """Adds an epoch's time to the file beside the checkpoint; a damaged file is begun anew.

    Raises:
        TrainingError: it cannot be written.
    """
    path = times_path(checkpoint)
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["epochs"]
        kept = [entry for entry in entries if entry["epoch"] < time.epoch]
    except (OSError, ValueError, KeyError, TypeError):
        kept = []
    content = {"epochs": [*kept, asdict(time)]}
    write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())
