"""What bounds a dense network on a device, by a rule that is stated."""

from __future__ import annotations

from enum import StrEnum

from simulator.study.outcome import Outcome

RULE = (
    "A device is *compute-bound* where the dense network keeps its compute units busy at least as "
    "long as its DRAM bus. Where the bus is busy longer, it is *weight-bound* if at least half of "
    "the bytes that are wanted of it are weights, else *activation-bound*."
)


class Regime(StrEnum):
    """The resource that the dense network needs longest."""

    WEIGHT_BOUND = "weight-bound"
    ACTIVATION_BOUND = "activation-bound"
    COMPUTE_BOUND = "compute-bound"


def regime_of(dense: Outcome) -> Regime:
    """The regime of a device, from the dense network's run on it."""
    if metric(dense, "compute_ps") >= metric(dense, "dram_busy_ps"):
        return Regime.COMPUTE_BOUND
    if metric(dense, "weight_read_bytes") >= metric(dense, "activation_dram_bytes"):
        return Regime.WEIGHT_BOUND
    return Regime.ACTIVATION_BOUND


def metric(outcome: Outcome, name: str) -> float:
    """A figure of a feasible point.

    Raises:
        ValueError: the point has no such figure.
    """
    value = outcome.metric(name)
    if value is None:
        raise ValueError(f"{name}: a point without it: {outcome.reason}")
    return float(value)
