"""What is kept of one point: its figures, or why there are none."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum

from simulator.cost.energy import ENERGY_COMPONENTS
from simulator.inferences import Inferences
from simulator.result import SpeculationResult, StallKind
from simulator.study.area import area_of

Number = int | float | None


class Status(StrEnum):
    """Whether a point has figures."""

    OK = "ok"
    INFEASIBLE = "infeasible"


class Engine(StrEnum):
    """What computed a point: the SimPy engine, or the recurrence, for one design or many at once.

    They agree in every figure, to the picosecond.
    """

    EVENT = "event"
    RECURRENCE = "recurrence"
    VECTOR = "vector"


SPECULATION = tuple(f"speculation_{field.name}" for field in fields(SpeculationResult))
COUNTS = ("dram_read_bytes", "dram_write_bytes", "dram_bursts", "dram_activates", "macs")
METRICS = (
    "latency_mean_ps",
    "latency_p50_ps",
    "latency_p99_ps",
    "latency_max_ps",
    "compute_ps",
    "dram_busy_ps",
    *(f"{kind.value}_ps" for kind in StallKind),
    "energy_pj",
    *(f"energy_{part}_pj" for part in ENERGY_COMPONENTS),
    "dram_read_bytes",
    "dram_write_bytes",
    "dram_bursts",
    "dram_activates",
    "weight_read_bytes",
    "activation_dram_bytes",
    *SPECULATION,
    "macs",
    "pe_utilization_fraction",
    "scratchpad_peak_bytes",
    "area_mm2",
)
"""Means per inference but for the percentiles, the peak and the area, which may be unknown.

dram_busy_ps is how long the bus is occupied; weight_read_bytes and activation_dram_bytes (read and
written) are what is wanted of it, dram_read_bytes and dram_write_bytes whole bursts.
"""


@dataclass(frozen=True)
class Outcome:
    """One evaluated point: its metrics in the order of METRICS, or the reason there are none."""

    key: str
    status: Status
    reason: str
    engine: str
    metrics: tuple[Number, ...]

    @classmethod
    def infeasible(cls, key: str, reason: str) -> Outcome:
        """A point that cannot be built or mapped."""
        return cls(key, Status.INFEASIBLE, reason, "", (None,) * len(METRICS))

    def metric(self, name: str) -> Number:
        """One figure by its name in METRICS."""
        return self.metrics[METRICS.index(name)]


def outcome_of(key: str, run: Inferences, engine: Engine) -> Outcome:
    """The figures of a run."""
    results, energy = run.measured, run.mean_energy
    area = area_of(run.spec)
    found: dict[str, Number] = {
        "latency_mean_ps": run.mean({arms: r.latency_ps for arms, r in results.items()}),
        "latency_p50_ps": run.latency_percentile_ps(50),
        "latency_p99_ps": run.latency_percentile_ps(99),
        "latency_max_ps": max(r.latency_ps for r in results.values()),
        "compute_ps": run.mean({arms: r.compute_ps for arms, r in results.items()}),
        **{f"{kind.value}_ps": run.mean_stall_ps(kind) for kind in StallKind},
        "energy_pj": energy.total_pj,
        **{f"energy_{part}_pj": getattr(energy, f"{part}_pj") for part in ENERGY_COMPONENTS},
        "weight_read_bytes": run.mean({a: r.weight_read_bytes for a, r in results.items()}),
        "dram_busy_ps": run.mean({a: r.dram_busy_ps for a, r in results.items()}),
        "activation_dram_bytes": run.mean({a: r.activation_dram_bytes for a, r in results.items()}),
        "pe_utilization_fraction": run.pe_utilization_fraction,
        "scratchpad_peak_bytes": max(r.scratchpad_peak_bytes for r in results.values()),
        "area_mm2": area.total_mm2 if area else None,
    }
    for field in fields(SpeculationResult):
        each = {case: getattr(r.speculation, field.name) for case, r in results.items()}
        found[f"speculation_{field.name}"] = run.mean(each)
    for count in COUNTS:
        found[count] = run.mean({a: getattr(r.counts, count) for a, r in results.items()})
    return Outcome(key, Status.OK, "", engine, tuple(found[name] for name in METRICS))
