"""Fake quantisation of a weight: the values an integer of few bits and a scale can stand for."""

from __future__ import annotations

from enum import StrEnum

import torch
from torch import Tensor

from simulator.errors import WorkloadError

WIDTHS = (16, 8, 6, 4)
UNQUANTISED = 32
"""The width that stands for the weights as they were trained."""
_CLIPPED_FRACTIONS = tuple(step / 40 for step in range(12, 41))
"""Shares of the largest magnitude tried as the clipping point: 0.3 to 1."""


class ScaleRule(StrEnum):
    """How an output channel's scale is chosen.

    max_abs maps the largest magnitude to the largest integer, so nothing is clipped. mse takes
    the clipping point, of 29 from 0.3 to 1 times the largest magnitude, with the least squared
    error.
    """

    MAX_ABS = "max_abs"
    MSE = "mse"


def fake_quantise(weight: Tensor, bits: int, rule: ScaleRule) -> Tensor:
    """The weight as signed integers of `bits` bits times one scale per output channel.

    Symmetric: integers from -(2^(bits-1) - 1) to 2^(bits-1) - 1, zero is zero. Values are rounded
    to the nearest integer, halves to the even one. 32 bits leave the weight as it is.

    Args:
        weight: output channels first.
        bits: one of `WIDTHS`, or 32.
        rule: of the scales.

    Raises:
        WorkloadError: another width.
    """
    if bits == UNQUANTISED:
        return weight.clone()
    if bits not in WIDTHS:
        raise WorkloadError(f"weight bits {bits}: must be one of {', '.join(map(str, WIDTHS))}, 32")
    levels = 2 ** (bits - 1) - 1
    flat = weight.flatten(1)
    largest = flat.abs().amax(1, keepdim=True)
    fractions = (1.0,) if rule is ScaleRule.MAX_ABS else _CLIPPED_FRACTIONS
    best = torch.zeros_like(flat)
    least = torch.full_like(largest, torch.inf)
    for fraction in fractions:
        scale = largest * fraction / levels
        scale = torch.where(scale > 0, scale, torch.ones_like(scale))
        rounded = (flat / scale).round().clamp(-levels, levels) * scale
        error = (rounded - flat).square().sum(1, keepdim=True)
        best = torch.where(error < least, rounded, best)
        least = torch.minimum(error, least)
    return best.view_as(weight)
