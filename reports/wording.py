"""How figures name things and write numbers."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.mapping.placement import Placement
from simulator.result import InferenceResult, Resource, StallKind
from simulator.simulation import RunResult
from simulator.spec import AcceleratorSpec, PeArray
from simulator.spec_dram import Dram
from simulator.speculated import USEFUL, WASTED

TRANSFER_NAMES = {USEFUL: "guessed, used", WASTED: "guessed, wasted"}
RESOURCE_NAMES = {
    Resource.PE_ARRAY: "PE array",
    Resource.VECTOR_UNIT: "vector unit",
    Resource.DRAM: "DRAM",
}


@dataclass(frozen=True)
class Scale:
    """A unit that makes a quantity readable, and what one of it is in the simulator's unit."""

    unit: str
    factor: float

    def of(self, value: float) -> float:
        """A value in this unit."""
        return value / self.factor


_TIMES = (Scale("s", 1e12), Scale("ms", 1e9), Scale("µs", 1e6), Scale("ns", 1e3))
_ENERGIES = (Scale("J", 1e12), Scale("mJ", 1e9), Scale("µJ", 1e6), Scale("nJ", 1e3))
_BYTES = (Scale("GB", 1e9), Scale("MB", 1e6), Scale("kB", 1e3), Scale("B", 1))


def time_scale(largest_ps: float) -> Scale:
    """The unit for times up to the given one."""
    return _fitting(_TIMES, largest_ps)


def energy_scale(largest_pj: float) -> Scale:
    """The unit for energies up to the given one."""
    return _fitting(_ENERGIES, largest_pj)


def byte_scale(largest_bytes: float) -> Scale:
    """The unit for amounts of data up to the given one."""
    return _fitting(_BYTES, largest_bytes)


def _fitting(scales: tuple[Scale, ...], largest: float) -> Scale:
    return next((scale for scale in scales if largest >= scale.factor), scales[-1])


def three_digits(value: float) -> str:
    """A positive number with about three digits and no exponent: 1,234 or 12.3 or 0.012."""
    if value >= 99.95:
        return f"{value:,.0f}"
    if value >= 9.995:
        return f"{value:.1f}"
    if value >= 0.9995:
        return f"{value:.2f}"
    if 0 < value < 0.0005:
        return "<0.001"
    return f"{value:.3f}"


def percent(part: float, whole: float) -> str:
    """A share of a whole, as 12.3 %."""
    share = 100 * part / whole if whole else 0.0
    return "<0.1 %" if 0 < share < 0.05 else f"{share:.1f} %"


def change(value: float, base: float) -> str:
    """A value against a base, as −12.3 %."""
    if not base:
        return "no base"
    return f"{100 * (value / base - 1):+.1f} %".replace("-", "−")


def stall_name(kind: StallKind) -> str:
    """`route wait` for route_wait."""
    return kind.value.replace("_", " ")


def clip(text: str, most: int) -> str:
    """At most so many characters: a longer text loses its middle."""
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[head + 1 - most :]}"


def hardware(spec: AcceleratorSpec) -> str:
    """The accelerator in one line, with the numbers that sweeps change most."""
    array = spec.pe_array
    return (
        f"{clip(spec.name, 40)}: {_shape(array)} PEs at {array.clock_hz / 1e9:g} GHz, "
        f"{spec.scratchpad.capacity_kib:,} KiB scratchpad, "
        f"{_memory(spec.dram)}"
    )


def _memory(dram: Dram) -> str:
    """6.4 GB/s DRAM at 94 %, or 6.4 GB/s LPDDR4-3200."""
    rate = f"{dram.peak_bytes_per_s / 1e9:g} GB/s"
    share = f" at {100 * dram.efficiency_fraction:g} %" if dram.efficiency_fraction < 1 else ""
    if dram.device is None:
        return f"{rate} DRAM{share}"
    return f"{rate} {dram.device.upper().replace('_', '-')}{share}"


def _shape(array: PeArray) -> str:
    """64 × 32, with the output pixels worked on at once as a third dimension."""
    planes = f" × {array.parallel_pixels}" if array.parallel_pixels > 1 else ""
    return f"{array.rows} × {array.cols}{planes}"


def typical_caption(run: RunResult) -> str:
    """What the typical inference of a run is, over what it ran on."""
    result = run.typical
    scale = time_scale(result.latency_ps)
    return (
        f"{clip(run.workload.name, 36)}, {regime(run)}, {_route(run, result)}: "
        f"{scale.of(result.latency_ps):.3f} {scale.unit}\n{hardware(run.spec)}"
    )


def regime(run: RunResult) -> str:
    """The policy, and the placement unless every weight is streamed."""
    if run.placement is Placement.STREAM:
        return run.policy.value
    return f"{run.policy.value}, placement {run.placement.value}"


def _route(run: RunResult, result: InferenceResult) -> str:
    if not result.arms:
        return "single path"
    arms = clip("-".join(map(str, result.arms)), 16)
    return f"route {arms} ({run.occurrences[run.typical_case]} of {len(run.routes)} inferences)"
