"""Silicon area of a device: its scratchpad and the rest of the core, from published tables.

Scratchpad: CACTI 7, one bank, log-log in size and node, times the banks (`cacti7_sram.csv`).
The rest: NVIDIA's estimates for seven NVDLA configurations (nvdla.org primer, "Example Area and
Performance", 28 nm, synthesis, memories included). Less CACTI's area for their convolution
buffers, they lie on a line in the number of MACs, which is what a MAC costs with its registers,
its share of the wiring, vector unit and control. The multiplier and adder alone (Shao et al.,
Aladdin, ISCA 2014, 40 nm, scaled) are less than a sixth of that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from simulator.cost.sram import FINEST_CACTI_NM, OLDEST_NM, bank_area_mm2
from simulator.errors import SpecError
from simulator.spec import AcceleratorSpec
from simulator.spec_file import Override, with_overrides
from simulator.units import BYTES_PER_KIB

NVDLA_NODE_NM = 28.0
NVDLA_BUFFER_BANKS = 16
NVDLA_NATIVE_BITS = 8
NVDLA_AREAS = (
    (2048, 512, 5.5),
    (1024, 256, 3.0),
    (512, 256, 2.3),
    (256, 256, 1.7),
    (128, 256, 1.4),
    (64, 128, 0.91),
    (32, 128, 0.85),
)
"""S: MACs, convolution buffer in KB, area in mm^2 at 28 nm, nvdla.org primer."""


@dataclass(frozen=True)
class Area:
    """Area by part; DRAM and its pads are not in it."""

    scratchpad_mm2: float
    core_mm2: float

    @property
    def total_mm2(self) -> float:
        """Sum of the parts."""
        return self.scratchpad_mm2 + self.core_mm2


def area_of(spec: AcceleratorSpec) -> Area | None:
    """The device's area at its node; None where it names none, or one that no table covers.

    Between nodes the core scales with their square, and a PE with that of its operand width, as a
    multiplier does (both assumed). The vector unit is in the core's share per PE.
    """
    node_nm = spec.energy.node_nm
    if node_nm is None or not FINEST_CACTI_NM <= node_nm <= OLDEST_NM:
        return None
    try:
        bank_mm2 = bank_area_mm2(spec.scratchpad.bank_bytes, node_nm)
    except SpecError:
        return None
    base_mm2, mac_mm2 = core_line()
    width = (spec.pe_array.native_bits / NVDLA_NATIVE_BITS) ** 2
    core_mm2 = (base_mm2 + mac_mm2 * spec.pe_array.pes * width) * (node_nm / NVDLA_NODE_NM) ** 2
    return Area(bank_mm2 * spec.scratchpad.banks, core_mm2)


@lru_cache(maxsize=1)
def core_line() -> tuple[float, float]:
    """Area of an NVDLA core at 28 nm without its buffer: at no MACs, and per MAC (least squares).

    Relative errors are minimised, so that the small configurations count as much.
    """
    macs = np.array([macs for macs, _, _ in NVDLA_AREAS], dtype=np.float64)
    total = np.array([mm2 for _, _, mm2 in NVDLA_AREAS])
    core = total - np.array([_buffer_mm2(kb) for _, kb, _ in NVDLA_AREAS])
    matrix = np.stack([np.ones_like(macs), macs], axis=1) / total[:, None]
    (base_mm2, mac_mm2), *_ = np.linalg.lstsq(matrix, core / total, rcond=None)
    return float(base_mm2), float(mac_mm2)


def _buffer_mm2(kb: int) -> float:
    bank_bytes = kb * BYTES_PER_KIB // NVDLA_BUFFER_BANKS
    return NVDLA_BUFFER_BANKS * bank_area_mm2(bank_bytes, NVDLA_NODE_NM)


def fill_area(spec: AcceleratorSpec, area_mm2: float) -> AcceleratorSpec:
    """The device with the largest scratchpad, in whole KiB per bank, that the area leaves room for.

    Raises:
        SpecError: the area is not known, or the core alone exceeds what is given.
    """
    if area_of(spec) is None:
        raise SpecError(
            f"{spec.name}: its area is not known: energy.node_nm must be from "
            f"{FINEST_CACTI_NM:g} to {OLDEST_NM:g} and a bank within the SRAM table"
        )
    low, high = 0, 2**13
    while high - low > 1:
        middle = (low + high) // 2
        if _fits(spec, middle, area_mm2):
            low = middle
        else:
            high = middle
    if low == 0:
        raise SpecError(
            f"an array of {spec.pe_array.pes} PEs leaves no room for a scratchpad in "
            f"{area_mm2:.3g} mm^2"
        )
    return _with_bank_kib(spec, low)


def _fits(spec: AcceleratorSpec, bank_kib: int, area_mm2: float) -> bool:
    area = area_of(_with_bank_kib(spec, bank_kib))
    return area is not None and area.total_mm2 <= area_mm2


def _with_bank_kib(spec: AcceleratorSpec, bank_kib: int) -> AcceleratorSpec:
    return with_overrides(
        spec, [Override("scratchpad.capacity_kib", bank_kib * spec.scratchpad.banks)]
    )
