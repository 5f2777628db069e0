"""What one run saves against another, and how much of the analytic saving arrived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


def reduction(baseline: float, value: float) -> float:
    """The fraction of the baseline that is saved; negative where it grew."""
    return 1 - value / baseline


@dataclass(frozen=True)
class Savings:
    """Savings of one summary (`simulator.result_file.summarise`) against a baseline's.

    The reduction of active parameters is the analytic one: what a paper can say without
    hardware. `arrived_as_*` is the saving achieved as a fraction of it; None where there is no
    analytic reduction to speak of.
    """

    params_active_reduction_fraction: float
    macs_reduction_fraction: float
    weight_read_reduction_fraction: float
    dram_traffic_reduction_fraction: float
    latency_reduction_fraction: float
    energy_reduction_fraction: float
    arrived_as_latency_fraction: float | None
    arrived_as_energy_fraction: float | None


def compare_summaries(baseline: dict[str, Any], summary: dict[str, Any]) -> Savings:
    """What a summary saves against a baseline's."""
    analytic = reduction(baseline["params_active"], summary["params_active"])
    latency = reduction(baseline["latency_s"]["mean"], summary["latency_s"]["mean"])
    energy = reduction(baseline["energy_j"]["total"], summary["energy_j"]["total"])
    return Savings(
        params_active_reduction_fraction=analytic,
        macs_reduction_fraction=reduction(baseline["macs"], summary["macs"]),
        weight_read_reduction_fraction=reduction(
            baseline["weight_read_bytes"], summary["weight_read_bytes"]
        ),
        dram_traffic_reduction_fraction=reduction(_traffic(baseline), _traffic(summary)),
        latency_reduction_fraction=latency,
        energy_reduction_fraction=energy,
        arrived_as_latency_fraction=latency / analytic if analytic > 0 else None,
        arrived_as_energy_fraction=energy / analytic if analytic > 0 else None,
    )


def _traffic(summary: dict[str, Any]) -> float:
    return float(summary["dram_read_bytes"] + summary["dram_write_bytes"])
