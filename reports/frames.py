"""Results as pandas frames, for notebooks and studies; nothing on the simulator's path."""

from __future__ import annotations

import pandas as pd

from simulator.result import LayerResult, StallKind
from simulator.simulation import RunResult


def layer_frame(run: RunResult) -> pd.DataFrame:
    """The typical inference of a run, one row per layer in order of execution.

    Columns: segment, layer, op, fused (names joined by spaces), bound, tiling, tiles, start_ps,
    end_ps, compute_ps, a column per stall kind such as weight_wait_ps (with compute they sum to
    end_ps − start_ps), the work of each resource (pe_busy_ps, vector_busy_ps, dram_busy_ps),
    weight_bytes, ifmap_bytes and ofmap_bytes moved, macs, and energy by component in picojoules.
    """
    return pd.DataFrame([_row(layer) for layer in run.typical.layers])


def inference_frame(run: RunResult) -> pd.DataFrame:
    """All inferences of a run, one row each in order.

    Columns: route (the arms joined by hyphens), latency_ps, compute_ps, a column per stall kind,
    energy_pj, dram_read_bytes, dram_write_bytes, weight_read_bytes and macs.
    """
    by_case = {
        arms: {
            "route": "-".join(map(str, arms)),
            "latency_ps": result.latency_ps,
            "compute_ps": result.compute_ps,
            **_stall_columns(result.stalls_ps),
            "energy_pj": result.energy.total_pj,
            "dram_read_bytes": result.counts.dram_read_bytes,
            "dram_write_bytes": result.counts.dram_write_bytes,
            "weight_read_bytes": result.weight_read_bytes,
            "macs": result.counts.macs,
        }
        for arms, result in run.results.items()
    }
    return pd.DataFrame([by_case[case] for case in run.cases])


def _row(layer: LayerResult) -> dict[str, str | int | float]:
    return {
        "segment": layer.segment,
        "layer": layer.name,
        "op": layer.op,
        "fused": " ".join(layer.fused),
        "bound": layer.bound.value,
        "tiling": layer.tiling,
        "tiles": layer.tiles,
        "start_ps": layer.start_ps,
        "end_ps": layer.end_ps,
        "compute_ps": layer.compute_ps,
        **_stall_columns(layer.stalls_ps),
        "pe_busy_ps": layer.pe_busy_ps,
        "vector_busy_ps": layer.vector_busy_ps,
        "dram_busy_ps": layer.dram_busy_ps,
        "weight_bytes": layer.weight_bytes,
        "ifmap_bytes": layer.ifmap_bytes,
        "ofmap_bytes": layer.ofmap_bytes,
        "macs": layer.counts.macs,
        "mac_pj": layer.energy.mac_pj,
        "vector_pj": layer.energy.vector_pj,
        "scratchpad_pj": layer.energy.scratchpad_pj,
        "dram_pj": layer.energy.dram_pj,
        "static_pj": layer.energy.static_pj,
    }


def _stall_columns(stalls_ps: dict[StallKind, int]) -> dict[str, int]:
    return {f"{kind.value}_ps": stalls_ps[kind] for kind in StallKind}
