"""With what a result was made: data, software and arithmetic; no times, no places."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
import torch

from simulator.version import __version__
from workloads.data.dataset import Dataset
from workloads.training.compute import Compute


def provenance(dataset: Dataset, compute: Compute) -> dict[str, Any]:
    """Equal for runs that must end in the same bytes."""
    return {
        "data": dataset.provenance,
        "n_train": len(dataset.train),
        "n_test": len(dataset.test),
        "n_classes": dataset.n_classes,
        "device": compute.device.type,
        "precision": compute.precision.value,
        "threads": torch.get_num_threads(),
        "versions": {
            "simulator": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
    }
