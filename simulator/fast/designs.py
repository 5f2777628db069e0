"""Designs that differ in durations alone: what each duration and each transfer is on each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.cost.dram import DramModel, MostOccupancy, TransferCost
from simulator.cost.dram_address import Transfer
from simulator.cost.memory import memory_of
from simulator.fast.structure import Common, Durations
from simulator.spec import AcceleratorSpec

COLUMNS = 4
"""Of a design's table: duration, bytes on the bus, bursts, activates."""
SHARED_FIELDS = frozenset(
    {
        *("pe_array.clock_hz", "vector_unit.clock_hz", "scratchpad.capacity_kib"),
        *("dram.peak_bytes_per_s", "dram.read_latency_ns", "dram.write_latency_ns"),
        *("dram.efficiency_fraction", "dma.outstanding_requests", "dma.descriptor_latency_ns"),
        "sequencer.branch_latency_ns",
    }
)
"""Fields of a spec that leave its `structural_key` alone."""


class RecordingDram:
    """Stands for the memories of a family while structures are built: costs are numbers.

    Addresses are kept up to the period in which those memories repeat.
    """

    read_latency_ps = write_latency_ps = 0
    rate_bytes_per_s = Fraction(1)
    most_occupancy = MostOccupancy(0, 0, 0)

    def __init__(self, numbers: Durations, memory: DramModel) -> None:
        self._numbers, self.period_bytes = numbers, memory.period_bytes
        self.row_set_bytes, self.bank_set_bytes = memory.row_set_bytes, memory.bank_set_bytes

    def transfer_cost(self, transfer: Transfer) -> TransferCost:
        """The transfer's number as its occupancy."""
        return TransferCost(self._numbers.number("transfer", *self._extent(transfer)), 0, 0, 0)

    def command_cost(self, extents: Sequence[Transfer]) -> TransferCost:
        """The number of all extents together."""
        parts = [self._extent(extent) for extent in extents]
        return TransferCost(self._numbers.number("extents", len(parts), *parts), 0, 0, 0)

    def _extent(self, transfer: Transfer) -> tuple[int, int, bool, int, int]:
        address = transfer.address % self.period_bytes
        return (
            address,
            transfer.n_bytes,
            transfer.is_write,
            transfer.pieces,
            transfer.stride_bytes,
        )

    def occupancy_ps(self, n_bytes: int) -> int:
        """Nothing: structures keep bytes."""
        del n_bytes
        return 0

    bus_bytes = least_occupancy_ps = refreshes_in = occupancy_ps


Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class DesignTable:
    """Shape (designs, numbers): durations and, of transfers, what they count."""

    durations_ps: Numbers
    bus_bytes: Numbers
    bursts: Numbers
    activates: Numbers


def structural_key(spec: AcceleratorSpec) -> tuple[object, ...]:
    """What plans and schedules depend on: designs of equal keys share them.

    All but times, energies and the scratchpad's capacity, which only limits the budgets.
    """
    dram = spec.dram
    return (
        spec.pe_array.model_copy(update={"clock_hz": 1}),
        spec.vector_unit.model_copy(update={"clock_hz": 1}),
        spec.scratchpad.model_copy(update={"capacity_kib": 1}),
        (spec.dma.channels, spec.dma.preemption_bytes, dram.burst_bytes),
        (dram.device, dram.channels, dram.devices_per_channel),
        (dram.weight_layout, dram.weight_alignment),
        (spec.io, spec.toolchain, spec.block_buffer, spec.precision),
    )


def timing_key(spec: AcceleratorSpec) -> tuple[object, ...]:
    """What durations depend on: designs of equal keys take equal time on equal schedules."""
    clocks = (spec.pe_array.clock_hz, spec.vector_unit.clock_hz)
    return (spec.dram, spec.dma, *clocks, spec.sequencer.branch_latency_ns)


class DesignColumn:
    """All numbers of one design; made longer as structures are added. Equals itself alone."""

    def __init__(self, spec: AcceleratorSpec) -> None:
        self.spec = spec
        dram = self._dram = memory_of(spec)
        latencies = (dram.read_latency_ps, dram.write_latency_ps)
        branch_ps = spec.branch_latency_ps
        common = (0, spec.descriptor_latency_ps, *latencies, branch_ps, branch_ps)
        self._rows = np.zeros((COLUMNS, len(common)), dtype=np.int64)
        self._rows[0] = common
        self._is_full = False

    def rows(self, keys: Sequence[tuple[Any, ...]]) -> Numbers:
        """Shape (columns, numbers): the common ones, then those of the keys."""
        known = self._rows.shape[1] - len(Common)
        if len(keys) > known:
            new = np.array([self._row(*key) for key in keys[known:]], dtype=np.int64)
            self._is_full = True
            self._rows = np.concatenate((self._rows, new.T), axis=1)
        return self._rows

    def forget(self) -> None:
        """Let go of what the memory model remembers, a multiple of the numbers it found."""
        if self._is_full:
            self._dram, self._is_full = memory_of(self.spec), False

    def _row(self, unit: str, amount: int, *rest: Any) -> tuple[int, ...]:
        spec = self.spec
        if unit in ("transfer", "extents"):
            extents = rest if unit == "extents" else [(amount, *rest)]
            cost = self._dram.command_cost([Transfer(*extent) for extent in extents])
            return cost.occupancy_ps, cost.bus_bytes, cost.bursts, cost.activates
        if unit == "room":
            return self._dram.occupancy_ps(amount), 0, 0, 0
        of_layer, of_inference = rest
        setup_ps = spec.layer_setup_ps * of_layer + spec.inference_setup_ps * of_inference
        cycles_to_ps = spec.pe_cycles_to_ps if unit == "pe" else spec.vector_cycles_to_ps
        return cycles_to_ps(amount) + setup_ps, 0, 0, 0


def design_table(numbers: Durations, columns: Sequence[DesignColumn]) -> DesignTable:
    """Every duration known by now on every design."""
    return DesignTable(*np.stack([column.rows(numbers.keys) for column in columns], axis=1))
