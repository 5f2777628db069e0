"""Means and percentiles over the inferences of a stream, whatever engine computed them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Protocol

from simulator.cost.dram_energy import DramEnergy
from simulator.cost.energy import EnergyBreakdown, EventCounts
from simulator.result import SpeculationResult, StallKind
from simulator.spec import AcceleratorSpec


class Measured(Protocol):
    """What a study keeps of one inference."""

    @property
    def latency_ps(self) -> int: ...
    @property
    def compute_ps(self) -> int: ...
    @property
    def dram_busy_ps(self) -> int: ...
    @property
    def stalls_ps(self) -> Mapping[StallKind, int]: ...
    @property
    def counts(self) -> EventCounts: ...
    @property
    def energy(self) -> EnergyBreakdown: ...
    @property
    def weight_read_bytes(self) -> int: ...
    @property
    def activation_dram_bytes(self) -> int: ...
    @property
    def scratchpad_peak_bytes(self) -> int: ...
    @property
    def speculation(self) -> SpeculationResult: ...


class Inferences:
    """Statistics of a stream, from one inference per distinct case and how often it occurs."""

    spec: AcceleratorSpec

    @property
    def measured(self) -> Mapping[Any, Measured]:
        """One inference per distinct case."""
        raise NotImplementedError

    @property
    def occurrences(self) -> Mapping[Any, int]:
        """How many inferences each case stands for."""
        raise NotImplementedError

    @cached_property
    def n_inferences(self) -> int:
        """How many inferences there were."""
        return sum(self.occurrences.values())

    def latency_percentile_ps(self, percent: float) -> int:
        """The smallest latency that at least this percentage of the inferences do not exceed."""
        rank = max(math.ceil(self.n_inferences * percent / 100), 1)
        ordered = sorted((r.latency_ps, self.occurrences[c]) for c, r in self.measured.items())
        for latency_ps, count in ordered:
            rank -= count
            if rank <= 0:
                return latency_ps
        return ordered[-1][0]

    def mean(self, value: Mapping[Any, float]) -> float:
        """Mean over the inferences of a value given per distinct case."""
        total = math.fsum(value[case] * count for case, count in self.occurrences.items())
        return total / self.n_inferences

    @cached_property
    def mean_energy(self) -> EnergyBreakdown:
        """Mean energy of an inference by component."""
        energies = {case: result.energy for case, result in self.measured.items()}
        return EnergyBreakdown(
            mac_pj=self.mean({case: e.mac_pj for case, e in energies.items()}),
            vector_pj=self.mean({case: e.vector_pj for case, e in energies.items()}),
            scratchpad_pj=self.mean({case: e.scratchpad_pj for case, e in energies.items()}),
            dram=DramEnergy.combine(
                lambda part: self.mean({case: part(e.dram) for case, e in energies.items()})
            ),
            static_pj=self.mean({case: e.static_pj for case, e in energies.items()}),
        )

    def mean_stall_ps(self, kind: StallKind) -> float:
        """Mean stall time of one kind."""
        return self.mean({case: r.stalls_ps[kind] for case, r in self.measured.items()})

    @cached_property
    def pe_utilization_fraction(self) -> float:
        """MACs done over MACs the array could do in the same time."""
        macs = self.mean({case: r.counts.macs for case, r in self.measured.items()})
        seconds = self.mean({case: r.latency_ps for case, r in self.measured.items()}) / 1e12
        return macs / (self.spec.pe_array.pes * self.spec.pe_array.clock_hz * seconds)
