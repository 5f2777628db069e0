"""What an inference costs when it is served: the interface of a device, and one that forgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from simulator.compile import Arms, compile_program
from simulator.cost.dram_address import Transfer
from simulator.cost.energy import EventCounts, energy_of
from simulator.cost.memory import memory_of
from simulator.derive import derive_result
from simulator.engine import simulate
from simulator.ir import Workload
from simulator.mapping.placement import Placement
from simulator.policy import Policy
from simulator.prefetch.stream import Speculator
from simulator.spec import AcceleratorSpec


class Served(Protocol):
    """What one inference took. `hit_bytes` are weights that an earlier one had left on chip."""

    @property
    def latency_ps(self) -> int: ...
    @property
    def energy_pj(self) -> float: ...
    @property
    def weight_read_bytes(self) -> int: ...
    @property
    def hit_bytes(self) -> int: ...


class Device(Protocol):
    """An NPU running one network, with whatever state it keeps between inferences.

    `simulator.runtime.device.Device` is one that keeps weights.
    """

    def serve(self, arms: Arms) -> Served:
        """Run one inference and keep what it leaves on chip."""

    def peek(self, arms: Arms) -> int:
        """The latency that `serve` would have now, in picoseconds."""

    def reset(self) -> None:
        """Forget everything: another network has overwritten the scratchpad."""


@dataclass(frozen=True)
class Inference:
    """The cost of one inference."""

    latency_ps: int
    energy_pj: float
    weight_read_bytes: int
    hit_bytes: int = 0

    def __add__(self, other: Inference) -> Inference:
        return Inference(
            self.latency_ps + other.latency_ps,
            self.energy_pj + other.energy_pj,
            self.weight_read_bytes + other.weight_read_bytes,
            self.hit_bytes + other.hit_bytes,
        )


@dataclass(frozen=True)
class ServiceTable:
    """Simulated once: every route's inference, and what it takes to bring pinned weights back.

    Attributes:
        inferences: by the arms taken, or the case where weights are speculated on.
        reload: fetching the pinned weights after another network has overwritten them; None
            where nothing is pinned.
    """

    inferences: Mapping[Arms, Inference]
    reload: Inference | None = None


class StatelessDevice:
    """Keeps no weights between inferences but those its placement pins, there from the start.

    With a speculator, what is fetched before a decision follows from the routes served before.
    """

    def __init__(self, table: ServiceTable, speculator: Speculator | None = None) -> None:
        self._table, self._speculator = table, speculator
        self._reload: Inference | None = None

    def serve(self, arms: Arms) -> Inference:
        """The route's inference, after a reload if the pinned weights were overwritten."""
        inference, reload = self._table.inferences[self._case(arms)], self._reload
        if self._speculator:
            self._speculator.observe(arms)
        if reload is None:
            return inference
        self._reload = None
        return reload + inference

    def peek(self, arms: Arms) -> int:
        """The latency that `serve` would have now, in picoseconds."""
        reload_ps = self._reload.latency_ps if self._reload else 0
        return reload_ps + self._table.inferences[self._case(arms)].latency_ps

    def reset(self) -> None:
        """The pinned weights are gone: the next inference starts by fetching them."""
        self._reload = self._table.reload

    def _case(self, arms: Arms) -> Arms:
        return self._speculator.case(arms) if self._speculator else arms


def service_table(
    workload: Workload,
    spec: AcceleratorSpec,
    policy: Policy,
    weights: Mapping[Arms, int],
    placement: Placement = Placement.STREAM,
) -> ServiceTable:
    """Compile for routes or cases that occur as often as `weights` says; simulate each once.

    Raises:
        InfeasiblePlanError: no blocking of some layer fits the scratchpad.
    """
    compiled = compile_program(workload.program, spec, policy, dict(weights), placement)
    inferences = {}
    for case, schedule in compiled.schedules.items():
        run = simulate(schedule)
        peak = run.scratchpad_peak_bytes + compiled.pinned.n_bytes
        result = derive_result(run.timeline, tuple(case), spec, peak, run.event_count)
        inferences[case] = Inference(
            result.latency_ps, result.energy.total_pj, result.weight_read_bytes
        )
    pinned_bytes = compiled.pinned.n_bytes
    return ServiceTable(inferences, _reload(pinned_bytes, spec) if pinned_bytes else None)


def _reload(n_bytes: int, spec: AcceleratorSpec) -> Inference:
    """Pinned weights read in one go at the DRAM's sequential rate."""
    dram = memory_of(spec)
    cost = dram.transfer_cost(Transfer(0, n_bytes))
    latency_ps = cost.occupancy_ps + dram.read_latency_ps
    counts = EventCounts(
        dram_read_bytes=cost.bus_bytes,
        scratchpad_write_bytes=n_bytes,
        dram_bursts=cost.bursts,
        dram_activates=cost.activates,
    )
    energy_pj = energy_of(counts, latency_ps, spec).total_pj
    return Inference(latency_ps, energy_pj, n_bytes)
