"""The memory model of a spec."""

from __future__ import annotations

from simulator.cost.device_dram import DeviceDram
from simulator.cost.dram import DramModel, RateLatencyDram
from simulator.cost.dram_presets import device_of
from simulator.spec import AcceleratorSpec


def memory_of(spec: AcceleratorSpec) -> DramModel:
    """Banks and rows where the spec names a DRAM device, else a rate and a latency."""
    device = device_of(spec.dram)
    return RateLatencyDram(spec) if device is None else DeviceDram(spec, device)
