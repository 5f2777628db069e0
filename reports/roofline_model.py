"""What each layer attains and what the accelerator allows: the numbers of the roofline figure.

The roofline model is Williams, Waterman and Patterson, CACM 52(4), 2009; work is MACs and
arithmetic intensity MACs per byte moved over the DRAM bus.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from reports.sections import main_sections
from simulator.cost.memory import memory_of
from simulator.simulation import RunResult
from simulator.spec import AcceleratorSpec
from simulator.units import PS_PER_S


@dataclass(frozen=True)
class Dot:
    """A layer, or the whole network: MACs, DRAM bytes and the time it took of the latency."""

    name: str
    section: str
    macs: int
    dram_bytes: int
    time_ps: int

    @property
    def intensity(self) -> float:
        """MACs per DRAM byte; infinite where everything stays on chip."""
        return self.macs / self.dram_bytes if self.dram_bytes else math.inf

    @property
    def macs_per_s(self) -> float:
        """MACs done over the time taken."""
        return self.macs * PS_PER_S / self.time_ps


@dataclass(frozen=True)
class Roof:
    """What the accelerator allows: PE peak, and DRAM rate times arithmetic intensity."""

    peak_macs_per_s: float
    dram_bytes_per_s: float

    @property
    def ridge(self) -> float:
        """MACs per byte from which on the PE array is the limit."""
        return self.peak_macs_per_s / self.dram_bytes_per_s

    def attainable(self, intensity: float) -> float:
        """The most MACs per second at an arithmetic intensity."""
        return min(self.peak_macs_per_s, intensity * self.dram_bytes_per_s)


def weight_widths(run: RunResult) -> set[int]:
    """The widths of weights that the typical inference multiplies with."""
    groups = run.typical.timeline.schedule.groups
    own = {group.shape.weight_bits for group in groups if group.macs}
    return {bits or run.spec.precision.weight_bits for bits in own}


def roof_of(spec: AcceleratorSpec, weight_bits: Iterable[int]) -> Roof:
    """The roof at the fastest of the given widths and the DRAM rate that streams reach."""
    array, activation_bits = spec.pe_array, spec.precision.activation_bits
    widths = set(weight_bits) or {spec.precision.weight_bits}
    rate = max(array.mac_rate(bits, activation_bits) for bits in widths)
    return Roof(
        peak_macs_per_s=float(array.pes * array.clock_hz * rate),
        dram_bytes_per_s=float(memory_of(spec).rate_bytes_per_s),
    )


def layer_dots(run: RunResult, most_sections: int) -> list[Dot]:
    """Layers of the typical inference that have MACs and took time, in at most so many sections."""
    names = main_sections(run, most_sections)
    return [
        Dot(
            name=layer.name,
            section=section,
            macs=layer.counts.macs,
            dram_bytes=layer.counts.dram_read_bytes + layer.counts.dram_write_bytes,
            time_ps=layer.end_ps - layer.start_ps,
        )
        for layer, section in zip(run.typical.layers, names, strict=True)
        if layer.counts.macs and layer.end_ps > layer.start_ps
    ]


def network_dot(run: RunResult) -> Dot:
    """The typical inference as a whole."""
    counts = run.typical.counts
    return Dot(
        name="whole network",
        section="whole network",
        macs=counts.macs,
        dram_bytes=counts.dram_read_bytes + counts.dram_write_bytes,
        time_ps=run.typical.latency_ps,
    )
