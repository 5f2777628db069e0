"""Every energy constant of a spec, given or derived, with the source it traces to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from simulator.cost.arithmetic_energy import (
    MacWidths,
    mac_pj,
    mac_source,
    vector_op_pj,
    vector_source,
)
from simulator.cost.dram_presets import ENERGY_SOURCES, device_of
from simulator.cost.sram import WARMEST_K, SramBank, sram_bank
from simulator.spec import (
    DERIVABLE_ENERGY,
    DRAM_ENERGY,
    AcceleratorSpec,
    Energy,
    NumberFormat,
    Precision,
)
from simulator.spec_dram import Dram
from simulator.units import PS_PER_S, pj_to_j

SCALING_NODE_NM = 22.0
"""Node whose ratios carry a given mac_pj to other widths where the spec names no node."""


@dataclass(frozen=True)
class Operands:
    """Widths of what a layer multiplies; None stands for the spec's.

    If one of them is `floating`, both are widened to the same 16 or 32 bits of floating point.
    """

    weight_bits: int | None = None
    activation_bits: int | None = None
    floating: bool = False

    def widths(self, spec: MacWidths) -> MacWidths:
        """The widths of a MAC on an accelerator whose own are given."""
        own = replace(
            spec,
            weight_bits=self.weight_bits or spec.weight_bits,
            activation_bits=self.activation_bits or spec.activation_bits,
        )
        if not self.floating:
            return own
        bits = 16 if max(own.weight_bits, own.activation_bits) <= 16 else 32
        return replace(
            own, number_format=NumberFormat.FLOAT, weight_bits=bits, activation_bits=bits
        )


SPEC_OPERANDS = Operands()


@dataclass(frozen=True)
class EnergyTable:
    """Energy per event and static power of one accelerator, complete.

    `mac_pj` holds for the array's native operand width. `node_nm` scales it to other widths.
    Activates and refreshes of a memory without rows are part of its energy per byte.
    """

    mac_pj: float
    vector_op_pj: float
    scratchpad_read_pj_per_byte: float
    scratchpad_write_pj_per_byte: float
    dram_read_pj_per_byte: float
    dram_write_pj_per_byte: float
    logic_static_w: float
    scratchpad_static_w: float
    dram_static_w: float
    node_nm: float
    native: MacWidths
    widths: MacWidths
    dram_activate_pj: float = 0.0
    dram_refresh_w: float = 0.0

    @property
    def static_w(self) -> float:
        """Power that chip and memory draw all the time, busy or not."""
        return self.on_chip_static_w + self.dram_static_w + self.dram_refresh_w

    @property
    def on_chip_static_w(self) -> float:
        """Power the chip draws all the time, busy or not; DRAM's background is DRAM's."""
        return self.logic_static_w + self.scratchpad_static_w

    def mac_pj_at(self, operands: Operands = SPEC_OPERANDS) -> float:
        """Energy of a MAC of such operands."""
        widths = operands.widths(self.widths)
        if widths == self.native:
            return self.mac_pj
        return self.mac_pj * mac_pj(widths, self.node_nm) / mac_pj(self.native, self.node_nm)


@dataclass(frozen=True)
class EnergyConstant:
    """One number of the table, for output."""

    value: float
    source: str


def energy_table(spec: AcceleratorSpec) -> EnergyTable:
    """The energy constants of a spec; what it leaves out is derived from its node.

    Raises:
        SpecError: a bank or a node outside the range of the tables.
    """
    return _table(
        spec.energy,
        spec.precision,
        spec.pe_array.native_bits,
        (spec.scratchpad.banks, spec.scratchpad.bank_bytes),
        spec.dram,
    )


@lru_cache(maxsize=256)
def _table(
    energy: Energy, precision: Precision, native_bits: int, banks: tuple[int, int], dram: Dram
) -> EnergyTable:
    node_nm = energy.node_nm or SCALING_NODE_NM
    widths = MacWidths.of(precision)
    native = widths.native(native_bits)
    derived = _of_device(dram)
    if energy.node_nm is not None:
        derived |= {"mac_pj": mac_pj(native, node_nm), "vector_op_pj": vector_op_pj(node_nm)}
        derived |= _scratchpad(energy, banks)
    given = energy.model_dump(exclude={"node_nm", "temperature_k"}, exclude_none=True)
    return EnergyTable(**(derived | given), node_nm=node_nm, native=native, widths=widths)


def _of_device(dram: Dram) -> dict[str, float]:
    """What a DRAM device draws: per command, and all the time over all its channels."""
    device = device_of(dram)
    if device is None:
        return {}
    table, timing = device.energy, device.timing
    refreshes_per_s = PS_PER_S / (timing.refi * timing.tck_ps) if timing.refi else 0.0
    return {
        "dram_activate_pj": table.activate_pj,
        "dram_read_pj_per_byte": table.read_pj_per_byte,
        "dram_write_pj_per_byte": table.write_pj_per_byte,
        "dram_refresh_w": pj_to_j(table.refresh_pj) * refreshes_per_s * dram.channels,
        "dram_static_w": table.background_w * dram.channels,
    }


def _scratchpad(energy: Energy, banks: tuple[int, int]) -> dict[str, float]:
    """The derived scratchpad constants; nothing where all of them are given."""
    if not any(getattr(energy, name) is None for name in DERIVABLE_ENERGY if "scratch" in name):
        return {}
    bank = _bank(energy, banks[1])
    return {
        "scratchpad_read_pj_per_byte": bank.read_pj_per_byte,
        "scratchpad_write_pj_per_byte": bank.write_pj_per_byte,
        "scratchpad_static_w": bank.leakage_w * banks[0],
    }


def _bank(energy: Energy, bank_bytes: int) -> SramBank:
    node_nm = energy.node_nm or SCALING_NODE_NM
    return sram_bank(bank_bytes, node_nm, energy.temperature_k or WARMEST_K)


def energy_constants(spec: AcceleratorSpec) -> dict[str, EnergyConstant]:
    """Every constant in use by its field's name, with its source: for output.

    A MAC at the precision of the spec is listed as `mac_pj_at_precision` where it differs from
    the native one.
    """
    table = energy_table(spec)
    sources = _derived_sources(spec, table)
    found = {}
    for name in Energy.model_fields:
        if name in ("node_nm", "temperature_k"):
            continue
        given = getattr(spec.energy, name) is not None
        source = spec.sources.get(f"energy.{name}", "assumed: no source given")
        found[name] = EnergyConstant(getattr(table, name), source if given else sources[name])
    if spec.dram.device is not None:
        for name in ("dram_activate_pj", "dram_refresh_w"):
            found[name] = EnergyConstant(getattr(table, name), ENERGY_SOURCES[spec.dram.device])
    if table.widths != table.native:
        text = (
            f"D: mac_pj times {table.mac_pj_at() / table.mac_pj if table.mac_pj else 0:.4g}, "
            f"the ratio of {mac_source(table.widths, table.node_nm).removeprefix('D: ')} "
            "to the native width"
        )
        found["mac_pj_at_precision"] = EnergyConstant(table.mac_pj_at(), text)
    return found


def _derived_sources(spec: AcceleratorSpec, table: EnergyTable) -> Mapping[str, str]:
    sources: dict[str, str] = {}
    if spec.dram.device is not None:
        sources = dict.fromkeys(DRAM_ENERGY, ENERGY_SOURCES[spec.dram.device])
    if spec.energy.node_nm is None:
        return sources
    sources |= {
        "mac_pj": mac_source(table.native, table.node_nm),
        "vector_op_pj": vector_source(table.node_nm),
    }
    if _scratchpad(spec.energy, (1, spec.scratchpad.bank_bytes)):
        bank = _bank(spec.energy, spec.scratchpad.bank_bytes)
        sources["scratchpad_read_pj_per_byte"] = bank.energy_source
        sources["scratchpad_write_pj_per_byte"] = bank.energy_source
        sources["scratchpad_static_w"] = f"{bank.leakage_source}, x {spec.scratchpad.banks} banks"
    return sources
