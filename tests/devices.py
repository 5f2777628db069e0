"""Accelerator specs for tests: a complete plain one, changed field by field."""

from __future__ import annotations

import copy
import json
from typing import Any

from simulator.spec import AcceleratorSpec

BASE: dict[str, Any] = {
    "name": "test_npu",
    "description": "round numbers for hand-worked tests",
    "pe_array": {"rows": 16, "cols": 16, "dataflow": "dot_product", "clock_hz": 10**9},
    "vector_unit": {"lanes": 16, "clock_hz": 10**9},
    "sequencer": {"branch_latency_ns": 100},
    "scratchpad": {"capacity_kib": 64, "banks": 16, "ports": 2, "bank_bytes_per_cycle": 64},
    "dma": {"channels": 2, "descriptor_latency_ns": 10, "outstanding_requests": 1024},
    "dram": {
        "peak_bytes_per_s": 8 * 10**9,
        "efficiency_fraction": 1,
        "burst_bytes": 32,
        "read_latency_ns": 100,
        "write_latency_ns": 100,
    },
    "io": {"input_location": "dram", "output_location": "dram"},
    "precision": {
        "weight_bits": 8,
        "activation_bits": 8,
        "accumulator_bits": 32,
        "index_bits": 16,
    },
    "energy": {
        "mac_pj": 0.5,
        "vector_op_pj": 0.25,
        "scratchpad_read_pj_per_byte": 2,
        "scratchpad_write_pj_per_byte": 3,
        "dram_read_pj_per_byte": 50,
        "dram_write_pj_per_byte": 70,
        "logic_static_w": 0.1,
        "scratchpad_static_w": 0.02,
        "dram_static_w": 0.03,
    },
}


def device_data(**fields: Any) -> dict[str, Any]:
    """BASE with dotted fields replaced, dots written as two underscores: dram__burst_bytes=64."""
    data = copy.deepcopy(BASE)
    for name, value in fields.items():
        part, _, field = name.partition("__")
        data.setdefault(part, {})[field] = value
    return data


def device(**fields: Any) -> AcceleratorSpec:
    return AcceleratorSpec.model_validate_json(json.dumps(device_data(**fields)))


def ideal_device(**fields: Any) -> AcceleratorSpec:
    """2,048 MACs at full utilisation, 1 GHz, 8 GB/s, weights only: nothing else takes time.

    The vector unit has 2^20 lanes at 100 GHz, so that a layer's epilogue takes 10 ps, once.
    """
    ideal: dict[str, Any] = {
        "pe_array__rows": 64,
        "pe_array__cols": 32,
        "pe_array__dataflow": "ideal",
        "vector_unit__lanes": 2**20,
        "vector_unit__clock_hz": 10**11,
        "sequencer__branch_latency_ns": 0,
        "scratchpad__capacity_kib": 2**20,
        "scratchpad__banks": 4096,
        "scratchpad__ports": 8,
        "scratchpad__bank_bytes_per_cycle": 4096,
        "dma__channels": 64,
        "dma__descriptor_latency_ns": 0,
        "dram__burst_bytes": 1,
        "dram__read_latency_ns": 0,
        "dram__write_latency_ns": 0,
        "io__input_location": "scratchpad",
        "io__output_location": "scratchpad",
    }
    return device(**(ideal | fields))
