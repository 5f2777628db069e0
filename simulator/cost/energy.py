"""Energy of an inference from its event counts and its duration."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.cost.dram_energy import DramEnergy
from simulator.cost.energy_table import SPEC_OPERANDS, Operands, energy_table
from simulator.spec import AcceleratorSpec
from simulator.units import PJ_PER_J, ps_to_s


@dataclass(frozen=True)
class EventCounts:
    """Everything that draws energy, counted; addable.

    `dram_bursts` are column commands; `dram_activates` rows opened, none in a memory without rows.
    """

    macs: int = 0
    vector_operations: int = 0
    scratchpad_read_bytes: int = 0
    scratchpad_write_bytes: int = 0
    dram_read_bytes: int = 0
    dram_write_bytes: int = 0
    dram_bursts: int = 0
    dram_activates: int = 0

    def __add__(self, other: EventCounts) -> EventCounts:
        return EventCounts(
            self.macs + other.macs,
            self.vector_operations + other.vector_operations,
            self.scratchpad_read_bytes + other.scratchpad_read_bytes,
            self.scratchpad_write_bytes + other.scratchpad_write_bytes,
            self.dram_read_bytes + other.dram_read_bytes,
            self.dram_write_bytes + other.dram_write_bytes,
            self.dram_bursts + other.dram_bursts,
            self.dram_activates + other.dram_activates,
        )


ENERGY_COMPONENTS = ("mac", "vector", "scratchpad", "dram", "static")
"""The components of an `EnergyBreakdown`, by the names its properties have without _pj."""


@dataclass(frozen=True)
class EnergyBreakdown:
    """Energy by component, in picojoules; `total_pj` is their sum.

    `dram` holds the memory's parts, its background power among them; `static_pj` is the chip's.
    """

    mac_pj: float
    vector_pj: float
    scratchpad_pj: float
    dram: DramEnergy
    static_pj: float

    @property
    def dram_pj(self) -> float:
        """Everything the memory draws."""
        return self.dram.total_pj

    @property
    def total_pj(self) -> float:
        """Sum of the components."""
        return self.mac_pj + self.vector_pj + self.scratchpad_pj + self.dram_pj + self.static_pj


def energy_of(
    counts: EventCounts,
    duration_ps: int,
    spec: AcceleratorSpec,
    operands: Operands = SPEC_OPERANDS,
) -> EnergyBreakdown:
    """Energy of counted events, plus static power over the whole duration.

    `operands` are those multiplied, the spec's if not given.
    """
    table = energy_table(spec)
    duration_pj_per_w = ps_to_s(duration_ps) * PJ_PER_J
    return EnergyBreakdown(
        mac_pj=counts.macs * table.mac_pj_at(operands),
        vector_pj=counts.vector_operations * table.vector_op_pj,
        scratchpad_pj=counts.scratchpad_read_bytes * table.scratchpad_read_pj_per_byte
        + counts.scratchpad_write_bytes * table.scratchpad_write_pj_per_byte,
        dram=DramEnergy(
            activate_pj=counts.dram_activates * table.dram_activate_pj,
            read_pj=counts.dram_read_bytes * table.dram_read_pj_per_byte,
            write_pj=counts.dram_write_bytes * table.dram_write_pj_per_byte,
            refresh_pj=table.dram_refresh_w * duration_pj_per_w,
            background_pj=table.dram_static_w * duration_pj_per_w,
        ),
        static_pj=table.on_chip_static_w * duration_pj_per_w,
    )
