"""A linear probe of an earlier state, trained to say what the router will."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from workloads.probing.calibration import expected_calibration_error, fit_temperature
from workloads.sigma_branch.router import Router

STEPS = 400
RATE = 0.01
WEIGHT_DECAY = 1e-3
HELD_OUT_FRACTION = 0.2
"""Of the training inputs, kept from the probe and used for its temperature."""


@dataclass(frozen=True)
class Examples:
    """Pooled states and the router's decisions for them."""

    features: Tensor
    decisions: Tensor


@dataclass(frozen=True)
class ProbeResult:
    """A probe on test inputs that meet the branch.

    Attributes:
        accuracy_fraction: how often it says what the router decides.
        temperature: fitted on held-out training inputs.
        ece_before, ece_after: expected calibration error without and with it.
        params: of linear, norm and gate.
        probabilities: (all test inputs, arms) calibrated; met or not.
    """

    accuracy_fraction: float
    temperature: float
    ece_before: float
    ece_after: float
    params: int
    probabilities: Tensor


def train_probe(
    train: Examples, test: Examples, met: Tensor, widths: tuple[int, int], seed: int
) -> ProbeResult:
    """Train linear, layer norm, linear on pooled states, as the router is made.

    Args:
        train: training inputs that meet the branch.
        test: all test inputs.
        met: (test inputs,) which of them meet the branch.
        widths: of the projection, and arms.
        seed: of weights and of the held-out inputs.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        order = torch.randperm(len(train.decisions))
        n_held = int(HELD_OUT_FRACTION * len(order))
        held, kept = order[:n_held], order[n_held:]
        probe = _fitted(train.features[kept], train.decisions[kept], widths)
    with torch.inference_mode():
        logits = probe(test.features)
        temperature = fit_temperature(probe(train.features[held]), train.decisions[held])
    plain, scaled = logits.softmax(1), (logits / temperature).softmax(1)
    decisions = test.decisions[met]
    right = (plain[met].argmax(1) == decisions).double()
    return ProbeResult(
        accuracy_fraction=float(right.mean()) if len(right) else 0.0,
        temperature=temperature,
        ece_before=expected_calibration_error(plain[met], decisions),
        ece_after=expected_calibration_error(scaled[met], decisions),
        params=sum(p.numel() for p in probe.parameters()),
        probabilities=scaled,
    )


def _fitted(features: Tensor, decisions: Tensor, widths: tuple[int, int]) -> Router:
    """All inputs at once, Adam with a cosine schedule; features enter standardised.

    The standardisation is folded into the first linear layer, so that the probe has the router's
    form and reads features as they are.
    """
    mean = features.mean(0)
    deviation = features.std(0, correction=0).clamp_min(1e-6)
    standard = (features - mean) / deviation
    probe = Router(nn.Identity(), features.shape[1], widths[1], 0.0, widths[0])
    optimizer = torch.optim.AdamW(probe.parameters(), RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        optimizer.zero_grad()
        F.cross_entropy(probe(standard), decisions).backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        probe.linear.weight.div_(deviation)
        probe.linear.bias.sub_(probe.linear.weight @ mean)
    return probe.eval()
