"""Where and in which precision a network is trained, and how runs are made repeatable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from workloads.training.errors import TrainingError


class Precision(StrEnum):
    """Format of the arithmetic; weights and optimizer state stay in 32 bits."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


_AUTOCAST = {Precision.BF16: torch.bfloat16, Precision.FP16: torch.float16}


@dataclass(frozen=True)
class Compute:
    """A device and a precision."""

    device: torch.device = torch.device("cpu")  # noqa: RUF009  (immutable)
    precision: Precision = Precision.FP32

    def autocast(self) -> AbstractContextManager[object]:
        """Runs the operations that tolerate it in the lower precision."""
        if self.precision is Precision.FP32:
            return nullcontext()
        return torch.autocast(self.device.type, _AUTOCAST[self.precision])

    def make_scaler(self) -> torch.amp.GradScaler:
        """Keeps small fp16 gradients from vanishing; does nothing in other precisions."""
        return torch.amp.GradScaler(self.device.type, enabled=self.precision is Precision.FP16)

    def take(self, tensor: Tensor) -> Tensor:
        """The tensor on the device."""
        return tensor.to(self.device, non_blocking=True)


def choose_compute(device: str = "auto", precision: str = "auto") -> Compute:
    """The GPU with mixed precision where there is one, else the CPU with 32 bits.

    Args:
        device: auto, cpu, cuda or cuda:N.
        precision: auto, fp32, bf16 or fp16.

    Raises:
        TrainingError: a device that is not there, or a precision it cannot train in.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise TrainingError(f"device {device!r} is unknown; there are auto, cpu, cuda") from None
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise TrainingError(f"device {device!r} is not available: torch finds no GPU; use cpu")
    if chosen.type not in ("cpu", "cuda"):
        raise TrainingError(f"device {device!r} is not supported; there are auto, cpu, cuda")
    if precision == "auto":
        if chosen.type == "cpu":
            return Compute(chosen, Precision.FP32)
        return Compute(chosen, Precision.BF16 if _has_bf16() else Precision.FP16)
    if precision not in list(Precision):
        raise TrainingError(f"precision {precision!r} is none of auto, {', '.join(Precision)}")
    if chosen.type == "cpu" and precision == Precision.FP16:
        raise TrainingError("precision 'fp16' trains on a GPU only; use fp32 or bf16")
    return Compute(chosen, Precision(precision))


def _has_bf16() -> bool:
    return bool(torch.cuda.is_bf16_supported())


@contextmanager
def repeatable(compute: Compute, seed: int) -> Iterator[None]:
    """Global random state of its own and, on a GPU, deterministic kernels; restored afterwards.

    Results then repeat on the same machine with the same number of threads. A kernel without a
    deterministic form still runs, with torch's warning.
    """
    on_gpu = compute.device.type == "cuda"
    cudnn = torch.backends.cudnn
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        cudnn.deterministic,
        cudnn.benchmark,
    )
    with torch.random.fork_rng([compute.device] if on_gpu else []):
        torch.manual_seed(seed)
        try:
            if on_gpu:
                # cuBLAS reads it when it first runs; without it its sums are in any order.
                os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
                torch.use_deterministic_algorithms(True, warn_only=True)
                cudnn.deterministic, cudnn.benchmark = True, False
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
            cudnn.deterministic, cudnn.benchmark = before[2:]
