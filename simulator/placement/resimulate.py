"""A placement on the exact engine: compiled anew with every knob, every route's events replayed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simulator.compile import compile_program
from simulator.derive import derive_result
from simulator.engine import simulate
from simulator.ir import Program
from simulator.mapping.placement import PinnedWeights, Placement
from simulator.mapping.schedule import Schedule
from simulator.placement.stages import Arms
from simulator.policy import Policy
from simulator.spec import AcceleratorSpec


@dataclass(frozen=True)
class Simulated:
    """Means over the given inferences.

    Attributes:
        latency_ps, energy_pj: of one inference.
        weight_read_bytes: weights it loads.
        pinned_bytes: of the scratchpad for weights that stay.
        hit_fraction: share of the managed nodes met that were on chip, if there are any.
    """

    latency_ps: float
    energy_pj: float
    weight_read_bytes: float
    pinned_bytes: int
    hit_fraction: float | None = None


def resimulate(
    program: Program,
    spec: AcceleratorSpec,
    weights: Mapping[Arms, int],
    placement: Placement | PinnedWeights,
) -> Simulated:
    """Compile with a placement and replay every distinct route on the event engine.

    Raises:
        InfeasiblePlanError: what the placement leaves of the scratchpad is too little.
    """
    compiled = compile_program(program, spec, Policy.ON_DEMAND, dict(weights), placement)
    return simulate_schedules(compiled.schedules, spec, weights, compiled.pinned.n_bytes)


def simulate_schedules(
    schedules: Mapping[Arms, Schedule],
    spec: AcceleratorSpec,
    weights: Mapping[Arms, int],
    pinned_bytes: int,
) -> Simulated:
    """Replay a schedule per route on the event engine, which checks the scratchpad's capacity."""
    total = sum(weights.values())
    latency = energy = read = 0.0
    for arms, schedule in schedules.items():
        run = simulate(schedule)
        peak = run.scratchpad_peak_bytes + pinned_bytes
        result = derive_result(run.timeline, arms, spec, peak, run.event_count)
        share = weights[arms] / total
        latency += share * result.latency_ps
        energy += share * result.energy.total_pj
        read += share * result.weight_read_bytes
    return Simulated(latency, energy, read, pinned_bytes)
