"""Derives an inference's result from its timeline; nothing is counted beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.cost.dram_energy import DramEnergy
from simulator.cost.energy import EnergyBreakdown, EventCounts, energy_of
from simulator.cost.energy_table import Operands
from simulator.ir import MAC_OPS
from simulator.mapping.plan import GroupPlan
from simulator.mapping.tiles import TransferKind
from simulator.result import InferenceResult, LayerResult, Resource, Span, StallKind
from simulator.spec import AcceleratorSpec
from simulator.speculated import early_bytes, early_spans, speculation_result, wasted_transfers
from simulator.stalls import CHARGED, charge
from simulator.timeline import Timeline
from simulator.windows import prefetch_windows


def derive_result(
    timeline: Timeline,
    arms: tuple[int, ...],
    spec: AcceleratorSpec,
    scratchpad_peak_bytes: int,
    event_count: int,
) -> InferenceResult:
    """Everything a report needs to know about one inference."""
    schedule = timeline.schedule
    totals = _Totals.of(timeline)
    layers: list[LayerResult] = []
    start_ps = 0
    for g in range(len(schedule.groups)):
        layer = _layer(timeline, g, totals, start_ps, spec)
        layers.append(layer)
        start_ps = layer.end_ps
    stalls = {kind: sum(layer.stalls_ps[kind] for layer in layers) for kind in StallKind}
    counts = reduce(add, (layer.counts for layer in layers))
    return InferenceResult(
        arms=arms,
        latency_ps=timeline.latency_ps,
        compute_ps=sum(layer.compute_ps for layer in layers),
        stalls_ps=stalls,
        layers=tuple(layers),
        counts=counts,
        energy=replace(
            energy_of(counts, timeline.latency_ps, spec),
            mac_pj=math.fsum(layer.energy.mac_pj for layer in layers),
        ),
        weight_read_bytes=sum(layer.weight_bytes + layer.wasted_bytes for layer in layers),
        scratchpad_peak_bytes=scratchpad_peak_bytes,
        event_count=event_count,
        timeline=timeline,
        speculation=speculation_result(timeline, spec),
        windows=prefetch_windows(timeline),
    )


@dataclass(frozen=True)
class _Totals:
    """Sums over the tiles and commands of each layer.

    Attributes:
        compute_ps, stalls_ps, pe_ps, vector_ps: per layer.
        moved, bus: bytes by kind of transfer, per layer; those on the bus are whole bursts.
        dram_ps, bursts, activates: of its commands.
    """

    compute_ps: list[int]
    stalls_ps: dict[StallKind, list[int]]
    pe_ps: list[int]
    vector_ps: list[int]
    moved: dict[TransferKind, list[int]]
    bus: dict[TransferKind, list[int]]
    dram_ps: list[int]
    bursts: list[int]
    activates: list[int]

    @classmethod
    def of(cls, timeline: Timeline) -> _Totals:
        """Those of a timeline."""
        schedule = timeline.schedule
        tiles, commands = schedule.tiles, schedule.commands
        shares, drain_ps = charge(timeline)
        columns = np.array([*shares, tiles.pe_ps, tiles.vector_ps], dtype=np.int64)
        sums = np.add.reduceat(columns, schedule.starts[:-1], axis=1).tolist()
        compute_ps, *stalls_ps, pe_ps, vector_ps = sums
        stalls = {kind: [0] * len(compute_ps) for kind in StallKind}
        stalls |= dict(zip(CHARGED, stalls_ps, strict=True))
        stalls[StallKind.DRAIN][-1] = drain_ps
        layers = np.array(tiles.group)[np.array(commands.tile, dtype=np.int64)]

        def per_layer(column: tuple[int, ...], of: NDArray[Any] | None = None) -> list[int]:
            found = np.zeros(len(compute_ps), dtype=np.int64)
            values = np.array(column, dtype=np.int64)
            np.add.at(found, layers, values if of is None else np.where(of, values, 0))
            each: list[int] = found.tolist()
            return each

        of_kind = {kind: np.array([own is kind for own in commands.kind]) for kind in TransferKind}
        return cls(
            compute_ps,
            stalls,
            pe_ps,
            vector_ps,
            {kind: per_layer(commands.n_bytes, of) for kind, of in of_kind.items()},
            {kind: per_layer(commands.bus_bytes, of) for kind, of in of_kind.items()},
            per_layer(commands.occupancy_ps),
            per_layer(commands.bursts),
            per_layer(commands.activates),
        )


def _layer(
    timeline: Timeline, g: int, totals: _Totals, start_ps: int, spec: AcceleratorSpec
) -> LayerResult:
    schedule, plan = timeline.schedule, timeline.schedule.groups[g]
    first, last = schedule.starts[g], schedule.starts[g + 1]
    compute_ps = totals.compute_ps[g]
    stalls = {kind: time_ps[g] for kind, time_ps in totals.stalls_ps.items()}
    duration_ps = compute_ps + sum(stalls.values())
    moved = {kind: n_bytes[g] for kind, n_bytes in totals.moved.items()}
    bus = {kind: n_bytes[g] for kind, n_bytes in totals.bus.items()}
    wasted = wasted_transfers(timeline, last - 1)
    dram_ps = totals.dram_ps[g] + wasted.occupancy_ps
    loaded = moved[TransferKind.WEIGHT] + moved[TransferKind.IFMAP]
    counts = schedule.tiled[g].counts + EventCounts(
        scratchpad_read_bytes=moved[TransferKind.OFMAP],
        scratchpad_write_bytes=loaded + wasted.n_bytes,
        dram_read_bytes=bus[TransferKind.WEIGHT] + bus[TransferKind.IFMAP] + wasted.bus_bytes,
        dram_write_bytes=bus[TransferKind.OFMAP],
        dram_bursts=totals.bursts[g] + wasted.bursts,
        dram_activates=totals.activates[g] + wasted.activates,
    )
    work = {
        Resource.PE_ARRAY: totals.pe_ps[g],
        Resource.VECTOR_UNIT: totals.vector_ps[g],
        Resource.DRAM: dram_ps,
    }
    return LayerResult(
        name=plan.group.name,
        segment=plan.group.segment,
        op=plan.group.main.op.value,
        fused=tuple(layer.name for layer in plan.group.epilogue),
        start_ps=start_ps,
        end_ps=start_ps + duration_ps,
        compute_ps=compute_ps,
        stalls_ps=stalls,
        pe_busy_ps=work[Resource.PE_ARRAY],
        vector_busy_ps=work[Resource.VECTOR_UNIT],
        dram_busy_ps=dram_ps,
        bound=max(work, key=lambda resource: work[resource]),
        weight_bytes=moved[TransferKind.WEIGHT],
        ifmap_bytes=moved[TransferKind.IFMAP],
        ofmap_bytes=moved[TransferKind.OFMAP],
        wasted_bytes=wasted.n_bytes,
        tiles=last - first,
        tiling=_tiling_text(plan),
        counts=counts,
        energy=energy_of(
            counts,
            duration_ps,
            spec,
            Operands(plan.shape.weight_bits, plan.shape.input_bits, plan.shape.floating),
        ),
    )


def _tiling_text(plan: GroupPlan) -> str:
    tiling = plan.tiling
    if plan.group.main.op not in MAC_OPS:
        return f"{tiling.pieces} pieces" if tiling.pieces > 1 else "whole"
    return f"{tiling.order.value} k{tiling.k} p{tiling.p} c{tiling.c}"


def total_energy(parts: list[EnergyBreakdown]) -> EnergyBreakdown:
    """Sum of breakdowns, component by component."""
    return EnergyBreakdown(
        mac_pj=sum(p.mac_pj for p in parts),
        vector_pj=sum(p.vector_pj for p in parts),
        scratchpad_pj=sum(p.scratchpad_pj for p in parts),
        dram=DramEnergy.combine(lambda part: sum(part(p.dram) for p in parts)),
        static_pj=sum(p.static_pj for p in parts),
    )


def spans(timeline: Timeline) -> list[Span]:
    """Every occupation of PE array, vector unit and DRAM bus, in order of resource and time."""
    schedule = timeline.schedule
    names = [plan.group.name for plan in schedule.groups]
    tiles, commands = schedule.tiles, schedule.commands
    found = []
    for i, g in enumerate(tiles.group):
        if tiles.pe_ps[i]:
            found.append(
                Span(
                    Resource.PE_ARRAY,
                    "compute",
                    names[g],
                    timeline.pe_start_ps[i],
                    timeline.pe_end_ps[i],
                )
            )
        if tiles.vector_ps[i]:
            start = timeline.vector_start_ps[i]
            found.append(
                Span(Resource.VECTOR_UNIT, "compute", names[g], start, start + tiles.vector_ps[i])
            )
    early = early_bytes(timeline)
    for j, kind in enumerate(commands.kind):
        rest_bytes = commands.n_bytes[j] - early.get(j, 0)
        if rest_bytes:
            found.append(
                Span(
                    Resource.DRAM,
                    kind.value,
                    names[tiles.group[commands.tile[j]]],
                    timeline.bus_start_ps[j],
                    timeline.bus_end_ps[j],
                    rest_bytes,
                )
            )
    found += early_spans(timeline)
    return sorted(found, key=lambda span: (span.resource, span.start_ps))
