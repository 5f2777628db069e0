"""The file `trace.json`: one inference as a Chrome trace, for ui.perfetto.dev.

Format: Google's "Trace Event Format". Times are microseconds with three decimals; whole
nanoseconds are the finest that viewers keep, so both ends of a slice are rounded to one and
slices that do not overlap in the simulation do not overlap in the trace.
"""

from __future__ import annotations

import json
from typing import Any

from reports.events import (
    decisions,
    scratchpad_occupancy,
    segment_intervals,
    stall_intervals,
)
from reports.wording import RESOURCE_NAMES, hardware
from simulator.derive import spans
from simulator.result import InferenceResult, Resource
from simulator.simulation import RunResult

PROCESS = 1
LAYER_TRACK, STALL_TRACK, PE_TRACK, VECTOR_TRACK, DRAM_TRACK = range(1, 6)
_TRACK_OF = {
    Resource.PE_ARRAY: PE_TRACK,
    Resource.VECTOR_UNIT: VECTOR_TRACK,
    Resource.DRAM: DRAM_TRACK,
}
_TRACK_NAMES = {
    LAYER_TRACK: "segments and layers",
    STALL_TRACK: "stalls",
    **{track: RESOURCE_NAMES[resource] for resource, track in _TRACK_OF.items()},
}

Event = dict[str, Any]


def trace_json(run: RunResult) -> str:
    """The typical inference of a run as the text of a trace file."""
    result = run.typical
    trace = {
        "displayTimeUnit": "ns",
        "otherData": {
            "workload": run.workload.name,
            "accelerator": hardware(run.spec),
            "policy": run.policy.value,
            "placement": run.placement.value,
            "route": "-".join(map(str, result.arms)),
            "latency_ps": result.latency_ps,
        },
        "traceEvents": [
            *_names(run),
            *_layer_slices(result),
            *_stall_slices(result),
            *_resource_slices(result),
            *_decision_marks(result),
            *_occupancy_counter(run),
        ],
    }
    return json.dumps(trace, separators=(",", ":")) + "\n"


def _names(run: RunResult) -> list[Event]:
    name = f"{run.workload.name} on {run.spec.name}"
    events: list[Event] = [
        {"ph": "M", "pid": PROCESS, "name": "process_name", "args": {"name": name}}
    ]
    for track, label in _TRACK_NAMES.items():
        common = {"ph": "M", "pid": PROCESS, "tid": track}
        events.append({**common, "name": "thread_name", "args": {"name": label}})
        events.append({**common, "name": "thread_sort_index", "args": {"sort_index": track}})
    return events


def _layer_slices(result: InferenceResult) -> list[Event]:
    """Segments with their layers nested inside."""
    events = [
        _slice(LAYER_TRACK, segment.name, segment.start_ps, segment.end_ps, {})
        for segment in segment_intervals(result)
    ]
    for layer in result.layers:
        args = {
            "op": layer.op,
            "fused": list(layer.fused),
            "bound": layer.bound.value,
            "tiling": layer.tiling,
            "macs": layer.counts.macs,
            "compute_ps": layer.compute_ps,
            "stalls_ps": {kind.value: time for kind, time in layer.stalls_ps.items() if time},
        }
        events.append(_slice(LAYER_TRACK, layer.name, layer.start_ps, layer.end_ps, args))
    return events


def _stall_slices(result: InferenceResult) -> list[Event]:
    return [
        _slice(STALL_TRACK, kind.value, start_ps, end_ps, {})
        for kind, start_ps, end_ps in stall_intervals(result.timeline)
    ]


def _resource_slices(result: InferenceResult) -> list[Event]:
    """A compute unit's tiles by layer; the DRAM's transfers by what they move."""
    events = []
    for span in spans(result.timeline):
        track = _TRACK_OF[span.resource]
        if span.resource is Resource.DRAM:
            args = {"layer": span.label, "bytes": span.n_bytes}
            events.append(_slice(track, span.kind, span.start_ps, span.end_ps, args))
        else:
            events.append(_slice(track, span.label, span.start_ps, span.end_ps, {}))
    return events


def _decision_marks(result: InferenceResult) -> list[Event]:
    return [
        {
            "ph": "i",
            "s": "p",
            "pid": PROCESS,
            "tid": LAYER_TRACK,
            "name": f"{decision.router}: arm {decision.arm}",
            "ts": _microseconds(_nanoseconds(decision.time_ps)),
        }
        for decision in decisions(result)
    ]


def _occupancy_counter(run: RunResult) -> list[Event]:
    steps = scratchpad_occupancy(run.typical.timeline, run.compiled.pinned.n_bytes)
    return [
        {
            "ph": "C",
            "pid": PROCESS,
            "name": "scratchpad bytes",
            "ts": _microseconds(_nanoseconds(step.time_ps)),
            "args": {"occupied": step.n_bytes},
        }
        for step in steps
    ]


def _slice(track: int, name: str, start_ps: int, end_ps: int, args: dict[str, Any]) -> Event:
    start_ns, end_ns = _nanoseconds(start_ps), _nanoseconds(end_ps)
    event: Event = {
        "ph": "X",
        "pid": PROCESS,
        "tid": track,
        "name": name,
        "ts": _microseconds(start_ns),
        "dur": _microseconds(end_ns - start_ns),
    }
    return {**event, "args": args} if args else event


def _nanoseconds(time_ps: int) -> int:
    return (time_ps + 500) // 1000


def _microseconds(time_ns: int) -> float:
    return time_ns / 1000
