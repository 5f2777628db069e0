"""What physically lies in the scratchpad while a schedule runs, replayed from scratch.

Independent of the planner's and the engine's own accounts: a kept tensor occupies its bytes from
the start of the layer that writes it (a network input: from time 0) until the last layer on the
path that reads it is done; a load from its issue until its last tile is done; an output tile on
its way to DRAM from the tile's start until its store is complete; partial sums while their layer
runs.
"""

from __future__ import annotations

from itertools import accumulate, pairwise

from simulator.mapping.plan import GroupPlan, Plan
from simulator.mapping.residency import tensor_bytes
from simulator.mapping.tiles import TransferKind
from simulator.spec import AcceleratorSpec, Location
from simulator.timeline import Timeline


def peak_bytes(timeline: Timeline, plan: Plan, spec: AcceleratorSpec) -> int:
    """The most bytes that lie in the scratchpad at any time."""
    changes: list[tuple[int, int]] = []
    for start_ps, end_ps, n_bytes in (
        *_transfers(timeline),
        *_partial_sums(timeline),
        *_kept_tensors(timeline, plan, spec),
    ):
        changes += [(start_ps, n_bytes), (end_ps, -n_bytes)]
    changes.sort()  # at one time, what leaves does so before what arrives
    return max(accumulate(n_bytes for _, n_bytes in changes), default=0)


Interval = tuple[int, int, int]


def _transfers(timeline: Timeline) -> list[Interval]:
    commands = timeline.schedule.commands
    found = []
    for j, kind in enumerate(commands.kind):
        if kind is TransferKind.OFMAP:
            begin, end = timeline.pe_start_ps[commands.tile[j]], timeline.complete_ps[j]
        elif commands.staged[j]:
            continue  # a kept tensor
        else:
            begin, end = timeline.issue_ps[j], timeline.vector_end_ps[commands.free_tile[j]]
        found.append((begin, end, commands.n_bytes[j]))
    return found


def _group_times(timeline: Timeline) -> list[tuple[int, int]]:
    starts = timeline.schedule.starts
    return [
        (timeline.pe_start_ps[first], timeline.vector_end_ps[after - 1])
        for first, after in pairwise(starts)
    ]


def _partial_sums(timeline: Timeline) -> list[Interval]:
    """Two sets of accumulators of the largest tile where a reduction spans several tiles."""
    found = []
    for group, (begin, end) in zip(timeline.schedule.groups, _group_times(timeline), strict=True):
        dims, tiling = group.shape.dims, group.tiling
        if tiling.pieces > 1 or tiling.c >= dims.c or not group.macs:
            continue
        outputs = dims.n * tiling.k * tiling.p * dims.q
        several = tiling.k < dims.k or tiling.p < dims.p
        found.append((begin, end, outputs * 4 * (2 if several else 1)))  # 32-bit accumulators
    return found


def _kept_tensors(timeline: Timeline, plan: Plan, spec: AcceleratorSpec) -> list[Interval]:
    groups, times = timeline.schedule.groups, _group_times(timeline)
    in_dram = plan.residency.in_dram
    sizes = {t.name: tensor_bytes(t, spec) for group in groups for t in (*group.group.inputs,)}
    born: dict[str, int] = {}
    dies: dict[str, int] = {}
    for group, (begin, end) in zip(groups, times, strict=True):
        written = group.group.ofmap
        for read in group.group.inputs:
            born.setdefault(read.name, 0)  # a network input
            dies[read.name] = end
        if group.live.ofmap is None or written.name in in_dram:
            continue
        sizes[written.name] = tensor_bytes(written, spec)
        born[written.name] = end if _written_in_place(group, in_dram) else begin
        dies[written.name] = end
    last = max(timeline.vector_end_ps)
    if spec.io.output_location is Location.SCRATCHPAD:
        dies |= {g.group.ofmap.name: last for g in groups if g.live.is_network_output}
    return [(born[name], dies[name], sizes[name]) for name in born if name not in in_dram]


def _written_in_place(group: GroupPlan, in_dram: frozenset[str]) -> bool:
    over = group.live.overwrites
    return over is not None and over.name not in in_dram
