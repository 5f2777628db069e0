"""Simulates a stream of inferences of one workload on one accelerator."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from simulator.compile import CompiledProgram, compile_program
from simulator.cost.energy import EnergyBreakdown
from simulator.derive import derive_result
from simulator.engine import simulate
from simulator.ir import Route, Workload
from simulator.mapping.placement import Placement
from simulator.policy import Policy
from simulator.result import InferenceResult, StallKind
from simulator.spec import AcceleratorSpec


@dataclass(frozen=True)
class RunResult:
    """Inferences replayed one after the other, each from a cold scratchpad.

    Attributes:
        workload, spec, policy, placement: what was simulated.
        seed: of the drawn routes; None where routes were given.
        routes: one per inference, in order.
        results: one per distinct route, by its arms: equal routes take equal time.
        compiled: the plan and its schedules.
    """

    workload: Workload
    spec: AcceleratorSpec
    policy: Policy
    placement: Placement
    seed: int | None
    routes: tuple[Route, ...]
    results: dict[tuple[int, ...], InferenceResult]
    compiled: CompiledProgram

    @cached_property
    def occurrences(self) -> dict[tuple[int, ...], int]:
        """How many inferences took each route."""
        return dict(Counter(route.arms for route in self.routes))

    @cached_property
    def latencies_ps(self) -> tuple[int, ...]:
        """Latency of each inference, in order."""
        return tuple(self.results[route.arms].latency_ps for route in self.routes)

    def latency_percentile_ps(self, percent: float) -> int:
        """The smallest latency that at least this percentage of the inferences do not exceed."""
        ordered = sorted(self.latencies_ps)
        return ordered[max(math.ceil(len(ordered) * percent / 100) - 1, 0)]

    def mean(self, value: Mapping[tuple[int, ...], float]) -> float:
        """Mean over the inferences of a value given per distinct route."""
        total = math.fsum(value[arms] * count for arms, count in self.occurrences.items())
        return total / len(self.routes)

    @property
    def typical(self) -> InferenceResult:
        """The inference of the most frequent route, the first among equals: shown in detail."""
        arms = max(self.results, key=lambda arms: self.occurrences[arms])
        return self.results[arms]

    @cached_property
    def mean_energy(self) -> EnergyBreakdown:
        """Mean energy of an inference by component."""
        energies = {arms: result.energy for arms, result in self.results.items()}
        return EnergyBreakdown(
            mac_pj=self.mean({arms: e.mac_pj for arms, e in energies.items()}),
            vector_pj=self.mean({arms: e.vector_pj for arms, e in energies.items()}),
            scratchpad_pj=self.mean({arms: e.scratchpad_pj for arms, e in energies.items()}),
            dram_pj=self.mean({arms: e.dram_pj for arms, e in energies.items()}),
            static_pj=self.mean({arms: e.static_pj for arms, e in energies.items()}),
        )

    def mean_stall_ps(self, kind: StallKind) -> float:
        """Mean stall time of one kind."""
        return self.mean({arms: r.stalls_ps[kind] for arms, r in self.results.items()})

    @cached_property
    def pe_utilization_fraction(self) -> float:
        """MACs done over MACs the array could do in the same time."""
        macs = self.mean({arms: r.counts.macs for arms, r in self.results.items()})
        seconds = self.mean({arms: r.latency_ps for arms, r in self.results.items()}) / 1e12
        return macs / (self.spec.pe_array.pes * self.spec.pe_array.clock_hz * seconds)


def run_workload(
    workload: Workload,
    spec: AcceleratorSpec,
    policy: Policy,
    routes: Sequence[Route],
    seed: int | None = None,
    placement: Placement = Placement.STREAM,
) -> RunResult:
    """Compile for the given routes and replay each distinct one on the event engine.

    Raises:
        InfeasiblePlanError: no blocking of some layer fits the scratchpad.
    """
    weights = dict(sorted(Counter(route.arms for route in routes).items()))
    compiled = compile_program(workload.program, spec, policy, weights, placement)
    results = {}
    for arms, schedule in compiled.schedules.items():
        run = simulate(schedule)
        results[arms] = derive_result(
            run.timeline,
            arms,
            spec,
            run.scratchpad_peak_bytes + compiled.pinned.n_bytes,
            run.event_count,
        )
    return RunResult(workload, spec, policy, placement, seed, tuple(routes), results, compiled)
