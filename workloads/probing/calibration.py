"""Temperature scaling, and how far stated probabilities are from the truth."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

BINS = 15
"""Of equal width, as in Guo et al., "On Calibration of Modern Neural Networks", ICML 2017."""
LEAST, MOST = 0.25, 10.0
"""Temperatures between which the best is sought: where every fitted decision is right, the
likelihood alone would have probabilities of one."""
_STEPS = 80


def fit_temperature(logits: Tensor, targets: Tensor) -> float:
    """The temperature T for which softmax(logits / T) gives the targets the largest likelihood.

    The loss is convex in 1/T, so thirds of the interval are discarded until it is small (Guo et
    al., ICML 2017, section 4.2). 1 where there is nothing to fit.
    """
    if not len(targets):
        return 1.0
    low, high = torch.tensor([1 / MOST, 1 / LEAST]).log().tolist()

    def loss(log_inverse: float) -> float:
        scale = float(torch.tensor(log_inverse).exp())
        return float(F.cross_entropy(logits.double() * scale, targets))

    for _ in range(_STEPS):
        third = (high - low) / 3
        if loss(low + third) <= loss(high - third):
            high -= third
        else:
            low += third
    return float(torch.tensor(-(low + high) / 2).exp())


def expected_calibration_error(probabilities: Tensor, targets: Tensor) -> float:
    """Mean gap between confidence and accuracy over bins of confidence, weighted by inputs."""
    if not len(targets):
        return 0.0
    confidence, guesses = probabilities.double().max(1)
    right = (guesses == targets).double()
    bins = (confidence * BINS).ceil().long().clamp(1, BINS) - 1
    gap = torch.zeros(BINS, dtype=torch.float64).index_add_(0, bins, confidence - right)
    return float(gap.abs().sum() / len(targets))
