"""A run as data: the summary, the complete result with its provenance, the table of layers."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import platform
from collections import Counter
from dataclasses import asdict, fields
from importlib.metadata import version
from typing import Any

from simulator.cost.energy import ENERGY_COMPONENTS, EnergyBreakdown
from simulator.cost.energy_table import energy_constants
from simulator.cost.memory import memory_of
from simulator.counts import count_program
from simulator.derive import spans
from simulator.ir import Workload
from simulator.mapping.case import Case
from simulator.program_file import workload_to_json
from simulator.result import InferenceResult, LayerResult, SpeculationResult, StallKind
from simulator.segment_use import segment_use
from simulator.simulation import RunResult
from simulator.spec import AcceleratorSpec
from simulator.units import pj_to_j, ps_to_s
from simulator.version import __version__

RESULT_SCHEMA = "simulator.result"
RESULT_VERSION = 1
WINDOW_FIELDS = ("idle_ps", "speculated_ps", "free_bytes", "arm_bytes", "hideable_bytes")


def summarise(run: RunResult) -> dict[str, Any]:
    """The figures most people want: means per inference, but for the latency's percentiles."""
    counts = count_program(run.workload.program, run.spec.precision.weight_bits)
    active = {route.arms: route.params_active for route in counts.routes}
    results = run.results

    def mean(value: str) -> float:
        return run.mean({arms: getattr(r.counts, value) for arms, r in results.items()})

    latency = {arms: r.latency_ps for arms, r in results.items()}
    memory, bursts = memory_of(run.spec), mean("dram_bursts")
    stored = run.compiled.stored
    on_bus = mean("dram_read_bytes") + mean("dram_write_bytes")
    moved = {arms: sum(layer.moved_bytes for layer in r.layers) for arms, r in results.items()}
    return {
        "workload": run.workload.name,
        "spec": run.spec.name,
        "policy": run.policy.value,
        "inferences": len(run.routes),
        "seed": run.seed,
        "latency_s": {
            "mean": ps_to_s(1) * run.mean(latency),
            "p50": ps_to_s(run.latency_percentile_ps(50)),
            "p99": ps_to_s(run.latency_percentile_ps(99)),
            "max": ps_to_s(max(run.latencies_ps)),
        },
        "energy_j": energy_in_joules(run.mean_energy),
        "dram_energy_j": {
            field.removesuffix("_pj"): pj_to_j(value)
            for field, value in asdict(run.mean_energy.dram).items()
        },
        "dram_read_bytes": mean("dram_read_bytes"),
        "dram_write_bytes": mean("dram_write_bytes"),
        "weight_read_bytes": run.mean({a: r.weight_read_bytes for a, r in results.items()}),
        "dram_activates": mean("dram_activates"),
        "dram_refreshes": run.mean(
            {arms: memory.refreshes_in(r.latency_ps) for arms, r in results.items()}
        ),
        "dram_row_hit_fraction": (
            1 - mean("dram_activates") / bursts if mean("dram_activates") else None
        ),
        "dram_burst_efficiency_fraction": run.mean(moved) / on_bus if on_bus else None,
        "weights_in_dram": {
            "layout": run.spec.dram.weight_layout.value,
            "alignment": run.spec.dram.weight_alignment.value,
            "weight_bytes": stored.weight_bytes,
            "stored_bytes": stored.stored_bytes,
            "padding_bytes": stored.padding_bytes,
        },
        "macs": mean("macs"),
        "params_total": counts.params_total,
        "params_active": run.mean({arms: active[r.arms] for arms, r in results.items()}),
        "stalls_s": {kind.value: ps_to_s(1) * run.mean_stall_ps(kind) for kind in StallKind},
        "speculation": _mean_speculation(run),
        "prefetch_windows": _mean_windows(run),
        "pe_utilization_fraction": run.pe_utilization_fraction,
        "scratchpad_peak_bytes": max(r.scratchpad_peak_bytes for r in results.values()),
    }


def _mean_speculation(run: RunResult) -> dict[str, float]:
    """What was speculated on per inference: bytes, and joules of moving them."""
    found: dict[str, float] = {}
    for field in fields(SpeculationResult):
        each = {case: getattr(r.speculation, field.name) for case, r in run.results.items()}
        name, factor = field.name, 1.0
        if name.endswith("_pj"):
            name, factor = f"{name.removesuffix('_pj')}_j", pj_to_j(1)
        found[name] = run.mean(each) * factor
    return found


def _mean_windows(run: RunResult) -> dict[str, dict[str, float]]:
    """By router, means over the inferences that meet it: what could be fetched ahead of it."""
    found: dict[str, dict[str, float]] = {}
    met: Counter[str] = Counter()
    for case, result in run.results.items():
        for window in result.windows:
            count = run.occurrences[case]
            met[window.router] += count
            sums = found.setdefault(window.router, dict.fromkeys(WINDOW_FIELDS, 0.0))
            for field in WINDOW_FIELDS:
                sums[field] += count * getattr(window, field)
    return {
        router: {
            (field.removesuffix("_ps") + "_s" if field.endswith("_ps") else field): (
                total / met[router] * (ps_to_s(1) if field.endswith("_ps") else 1)
            )
            for field, total in sums.items()
        }
        for router, sums in sorted(found.items())
    }


def energy_in_joules(energy: EnergyBreakdown) -> dict[str, float]:
    """A breakdown in joules, with its total first."""
    parts = {
        "dram": pj_to_j(energy.dram_pj),
        "scratchpad": pj_to_j(energy.scratchpad_pj),
        "mac": pj_to_j(energy.mac_pj),
        "vector": pj_to_j(energy.vector_pj),
        "static": pj_to_j(energy.static_pj),
    }
    return {"total": sum(parts.values()), **parts}


def provenance(run: RunResult, spec_origin: str) -> dict[str, Any]:
    """What it takes to repeat the run: inputs by content, seed, versions."""
    return {
        **inputs_provenance(run.workload, run.spec, spec_origin),
        "policy": run.policy.value,
        "policy_parameters": run.choice.text,
        "placement": run.placement.value,
        "seed": run.seed,
        "versions": used_versions(),
    }


def inputs_provenance(
    workload: Workload, spec: AcceleratorSpec, spec_origin: str
) -> dict[str, Any]:
    """What was simulated on what: both by content."""
    program = workload_to_json(workload)
    return {
        "spec": spec.model_dump(mode="json"),
        "spec_origin": spec_origin,
        "energy_constants": {
            name: asdict(constant) for name, constant in energy_constants(spec).items()
        },
        "workload": workload.name,
        "workload_source": workload.source,
        "workload_sha256": hashlib.sha256(program.encode()).hexdigest(),
        "leaf_shares_source": workload.leaf_shares_source,
    }


def used_versions() -> dict[str, str]:
    """Versions of the simulator and of what its results rest on."""
    return {
        "simulator": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in ("numpy", "pydantic", "simpy")},
    }


def run_to_json(run: RunResult, spec_origin: str) -> str:
    """The complete result: same inputs and versions, same bytes."""
    plan = run.compiled.plans[run.typical_case]
    data = {
        "schema": RESULT_SCHEMA,
        "schema_version": RESULT_VERSION,
        "summary": summarise(run),
        "provenance": provenance(run, spec_origin),
        "assumed_fields": {
            field: run.spec.sources.get(field, "no source given")
            for field in run.spec.assumed_fields()
        },
        "plan": {
            **asdict(plan.knobs),
            "pinned_weight_bytes": run.compiled.pinned.n_bytes,
            "pinned_layers": sorted(run.compiled.pinned.groups),
            "tensors_in_dram": sorted(plan.residency.in_dram),
            "plans_considered": run.compiled.plans_considered,
            "plans_replayed": run.compiled.plans_replayed,
        },
        "routes": [list(route.arms) for route in run.routes],
        "inferences": [
            _inference_to_data(result, run.occurrences[case], _wanted(case))
            for case, result in run.results.items()
        ],
    }
    return json.dumps(data, indent=1) + "\n"


def _wanted(case: tuple[int, ...]) -> list[list[int]]:
    """Per branch met, the arms speculated on."""
    return [list(want.arms) for want in case.wants] if isinstance(case, Case) else []


def _inference_to_data(
    result: InferenceResult, occurrences: int, wanted: list[list[int]]
) -> dict[str, Any]:
    return {
        "arms": list(result.arms),
        "speculated_on": wanted,
        "occurrences": occurrences,
        "latency_ps": result.latency_ps,
        "compute_ps": result.compute_ps,
        "stalls_ps": {kind.value: result.stalls_ps[kind] for kind in StallKind},
        "counts": asdict(result.counts),
        "energy_pj": {
            **{f"{part}_pj": getattr(result.energy, f"{part}_pj") for part in ENERGY_COMPONENTS},
            "dram_by_command": asdict(result.energy.dram),
        },
        "weight_read_bytes": result.weight_read_bytes,
        "scratchpad_peak_bytes": result.scratchpad_peak_bytes,
        "event_count": result.event_count,
        "segments": [
            {
                "segment": name,
                **asdict(use),
                "row_hit_fraction": use.row_hit_fraction,
                "burst_efficiency_fraction": use.burst_efficiency_fraction,
            }
            for name, use in segment_use(result.layers).items()
        ],
        "speculation": asdict(result.speculation),
        "prefetch_windows": [asdict(window) for window in result.windows],
        "layers": [layer_to_row(layer) for layer in result.layers],
        "spans": {
            "columns": ["resource", "kind", "label", "start_ps", "end_ps", "n_bytes"],
            "rows": [list(asdict(span).values()) for span in spans(result.timeline)],
        },
    }


def layer_to_row(layer: LayerResult) -> dict[str, Any]:
    """One layer as a flat row; `duration_ps` is compute plus all stalls."""
    return {
        "layer": layer.name,
        "segment": layer.segment,
        "op": layer.op,
        "fused": " ".join(layer.fused),
        "start_ps": layer.start_ps,
        "duration_ps": layer.end_ps - layer.start_ps,
        "compute_ps": layer.compute_ps,
        **{f"{kind.value}_ps": layer.stalls_ps[kind] for kind in StallKind},
        "pe_busy_ps": layer.pe_busy_ps,
        "vector_busy_ps": layer.vector_busy_ps,
        "dram_busy_ps": layer.dram_busy_ps,
        "bound": layer.bound.value,
        "macs": layer.counts.macs,
        "weight_bytes": layer.weight_bytes,
        "ifmap_bytes": layer.ifmap_bytes,
        "ofmap_bytes": layer.ofmap_bytes,
        "wasted_bytes": layer.wasted_bytes,
        "dram_read_bytes": layer.counts.dram_read_bytes,
        "dram_write_bytes": layer.counts.dram_write_bytes,
        "dram_activates": layer.counts.dram_activates,
        "dram_row_hits": layer.counts.dram_bursts - layer.counts.dram_activates,
        "energy_pj": layer.energy.total_pj,
        "tiles": layer.tiles,
        "tiling": layer.tiling,
    }


def layers_to_csv(run: RunResult) -> str:
    """Every layer of every distinct route, one per line, under a header."""
    text = io.StringIO()
    rows = [
        {"route": "-".join(map(str, arms)) or "dense", **layer_to_row(layer)}
        for arms, result in run.results.items()
        for layer in result.layers
    ]
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
