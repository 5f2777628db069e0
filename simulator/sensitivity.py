"""Which constants energy and latency hang on: each varied alone over its uncertainty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulator.cost.energy_table import energy_table
from simulator.errors import SpecError
from simulator.simulation import RunResult, run_workload
from simulator.spec import AcceleratorSpec
from simulator.spec_file import Override, with_overrides
from simulator.steps import Steps
from simulator.units import PJ_PER_J, pj_to_j, ps_to_s


@dataclass(frozen=True)
class Uncertainty:
    """How far one constant may be off, as factors of its value, and who says so.

    Attributes:
        name: for people. field: of the spec, or of the energy table; its unit is in its name.
        low_factor, high_factor: ends of the range.
        source: where the range comes from, with a trust mark.
    """

    name: str
    field: str
    low_factor: float
    high_factor: float
    source: str


_ASSUMED = "assumed: halved and doubled"
_MAC = "D: log-log interpolation between nodes, +-30 %"
_SRAM = "R: largest error of a power law through CACTI 7's points, +-25 %"

ENERGY_UNCERTAINTIES = (
    Uncertainty(
        "DRAM energy per byte",
        "dram_read_pj_per_byte",
        0.5,
        2.5,
        "S: Accelergy's range for LPDDR4, 4 to 20 pJ per bit around 8",
    ),
    Uncertainty("DRAM energy per activate", "dram_activate_pj", 0.5, 2.0, _ASSUMED),
    Uncertainty("DRAM refresh power", "dram_refresh_w", 0.5, 2.0, _ASSUMED),
    Uncertainty("MAC energy", "mac_pj", 0.7, 1.3, _MAC),
    Uncertainty("vector operation energy", "vector_op_pj", 0.7, 1.3, _MAC),
    Uncertainty("scratchpad energy per byte", "scratchpad_read_pj_per_byte", 0.75, 1.25, _SRAM),
    Uncertainty(
        "scratchpad leakage",
        "scratchpad_static_w",
        0.032,
        12.8,
        "R: CACTI 7 at 22 nm, 0.015 (300 K) to 6 uW/KB (fast cells) around 0.47 (350 K)",
    ),
    Uncertainty("logic static power", "logic_static_w", 0.5, 2.0, _ASSUMED),
    Uncertainty(
        "DRAM background power",
        "dram_static_w",
        0.033,
        1.06,
        "D: LPDDR4 currents, 1.2 mW in self-refresh to 38 mW around 36",
    ),
)
TIMING_UNCERTAINTIES = (
    Uncertainty(
        "DRAM efficiency",
        "dram.efficiency_fraction",
        0.9,
        1.05,
        "R: cycle-level simulators differ by 2 to 3 % on streams, 5 to 8 % at the 90th percentile",
    ),
    Uncertainty("DRAM read latency", "dram.read_latency_ns", 0.5, 2.0, _ASSUMED),
    Uncertainty("DRAM write latency", "dram.write_latency_ns", 0.5, 2.0, _ASSUMED),
    Uncertainty("vector lanes", "vector_unit.lanes", 0.5, 2.0, _ASSUMED),
    Uncertainty("branch latency", "sequencer.branch_latency_ns", 0.5, 2.0, _ASSUMED),
    Uncertainty("DMA set-up", "dma.descriptor_latency_ns", 0.5, 2.0, _ASSUMED),
    Uncertainty("outstanding requests", "dma.outstanding_requests", 0.5, 2.0, _ASSUMED),
    Uncertainty("scratchpad port width", "scratchpad.bank_bytes_per_cycle", 0.5, 2.0, _ASSUMED),
)


@dataclass(frozen=True)
class Outcome:
    """What an inference costs on average with one setting of a constant."""

    value: float
    energy_j: float
    latency_s: float


@dataclass(frozen=True)
class Effect:
    """A constant at both ends of its range."""

    uncertainty: Uncertainty
    low: Outcome
    high: Outcome

    @property
    def energy_spread_j(self) -> float:
        """How far apart the two ends' energies are."""
        return abs(self.high.energy_j - self.low.energy_j)

    @property
    def latency_spread_s(self) -> float:
        """How far apart the two ends' latencies are."""
        return abs(self.high.latency_s - self.low.latency_s)


@dataclass(frozen=True)
class Sensitivity:
    """A run as it is, and its effects in falling order of what they do to the energy."""

    run: RunResult
    energy_j: float
    latency_s: float
    effects: tuple[Effect, ...]


def analyse_sensitivity(run: RunResult, steps: Steps | None = None) -> Sensitivity:
    """Vary every constant alone; those that are simulated anew are the `steps`.

    Energy is linear in its constants, so these need no further run. A timing constant is
    simulated anew at both ends, with the plan chosen anew: latency moves, and with it the energy
    of static power and of what the plan moves.
    """
    steps = steps or Steps()
    steps.total += len(TIMING_UNCERTAINTIES)
    base = _outcome(run, 0.0)
    found = [_energy_effect(run, base, each) for each in ENERGY_UNCERTAINTIES]
    for uncertainty in TIMING_UNCERTAINTIES:
        steps.begin(uncertainty.name)
        found.append(_timing_effect(run, uncertainty))
        steps.advance()
    effects = [effect for effect in found if effect.energy_spread_j or effect.latency_spread_s]
    effects.sort(key=lambda effect: (-effect.energy_spread_j, effect.uncertainty.name))
    return Sensitivity(run, base.energy_j, base.latency_s, tuple(effects))


def _outcome(run: RunResult, value: float) -> Outcome:
    latency_ps = run.mean({arms: result.latency_ps for arms, result in run.results.items()})
    return Outcome(value, pj_to_j(run.mean_energy.total_pj), ps_to_s(1) * latency_ps)


def _contribution_j(run: RunResult, latency_s: float, field: str) -> float:
    """The part of the energy that is proportional to a constant (both directions together)."""
    table, energy = energy_table(run.spec), run.mean_energy
    parts: dict[str, Callable[[], float]] = {
        "dram_read_pj_per_byte": lambda: energy.dram.read_pj + energy.dram.write_pj,
        "dram_activate_pj": lambda: energy.dram.activate_pj,
        "dram_refresh_w": lambda: energy.dram.refresh_pj,
        "mac_pj": lambda: energy.mac_pj,
        "vector_op_pj": lambda: energy.vector_pj,
        "scratchpad_read_pj_per_byte": lambda: energy.scratchpad_pj,
        "scratchpad_static_w": lambda: table.scratchpad_static_w * latency_s * PJ_PER_J,
        "logic_static_w": lambda: table.logic_static_w * latency_s * PJ_PER_J,
        "dram_static_w": lambda: energy.dram.background_pj,
    }
    return pj_to_j(parts[field]())


def _energy_effect(run: RunResult, base: Outcome, each: Uncertainty) -> Effect:
    value: float = getattr(energy_table(run.spec), each.field)
    part = _contribution_j(run, base.latency_s, each.field)

    def at(factor: float) -> Outcome:
        return Outcome(value * factor, base.energy_j + (factor - 1) * part, base.latency_s)

    return Effect(each, at(each.low_factor), at(each.high_factor))


def _timing_effect(run: RunResult, each: Uncertainty) -> Effect:
    return Effect(each, _rerun(run, each, each.low_factor), _rerun(run, each, each.high_factor))


def _rerun(run: RunResult, each: Uncertainty, factor: float) -> Outcome:
    """The run with one field scaled; as it is where the device cannot take that value."""
    part, field = each.field.split(".")
    old = getattr(getattr(run.spec, part), field)
    new = max(round(old * factor), 1) if isinstance(old, int) else old * factor
    spec = _scaled(run.spec, each.field, min(new, 1.0) if field == "efficiency_fraction" else new)
    if spec is None:
        return _outcome(run, old)
    again = run_workload(run.workload, spec, run.policy, run.routes, run.seed, run.placement)
    return _outcome(again, getattr(getattr(spec, part), field))


def _scaled(spec: AcceleratorSpec, field: str, value: float) -> AcceleratorSpec | None:
    try:
        return with_overrides(spec, [Override(field, value)])
    except SpecError:
        return None


def sensitivity_to_data(found: Sensitivity) -> dict[str, Any]:
    """The analysis as data, for a file."""
    return {
        "schema": "simulator.sensitivity",
        "schema_version": 1,
        "workload": found.run.workload.name,
        "spec": found.run.spec.name,
        "energy_j": found.energy_j,
        "latency_s": found.latency_s,
        "effects": [
            {
                "name": effect.uncertainty.name,
                "field": effect.uncertainty.field,
                "range_source": effect.uncertainty.source,
                **{
                    end: {
                        "value": outcome.value,
                        "energy_j": outcome.energy_j,
                        "latency_s": outcome.latency_s,
                    }
                    for end, outcome in (("low", effect.low), ("high", effect.high))
                },
            }
            for effect in found.effects
        ],
    }
