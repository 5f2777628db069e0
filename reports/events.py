"""What happened when in one inference, as intervals: for the timeline figure and the trace."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from simulator.mapping.schedule import NONE
from simulator.mapping.tiles import TransferKind
from simulator.result import InferenceResult, StallKind
from simulator.stalls import partition
from simulator.timeline import Timeline


@dataclass(frozen=True)
class Interval:
    """A named stretch of time."""

    name: str
    start_ps: int
    end_ps: int


@dataclass(frozen=True)
class Decision:
    """A router's argmax: when it was known, and the arm it picked."""

    router: str
    time_ps: int
    arm: int


@dataclass(frozen=True)
class OccupancyStep:
    """Scratchpad bytes occupied from a moment on."""

    time_ps: int
    n_bytes: int


def segment_intervals(result: InferenceResult) -> list[Interval]:
    """The segments that ran, back to back over the whole latency."""
    found = []
    for name, group in groupby(result.layers, key=lambda layer: layer.segment):
        members = list(group)
        found.append(Interval(name, members[0].start_ps, members[-1].end_ps))
    return found


def stall_intervals(timeline: Timeline) -> list[tuple[StallKind, int, int]]:
    """Every stall as (kind, start_ps, end_ps), in order of time; with compute, all of the latency.

    Within one gap the kinds follow each other in the order in which the gap was charged.
    """
    found: list[tuple[StallKind, int, int]] = []
    busy_until = 0
    for i, share in enumerate(partition(timeline)):
        at = busy_until
        for kind, time_ps in share.stalls_ps.items():
            if kind is not StallKind.DRAIN:
                found.append((kind, at, at + time_ps))
                at += time_ps
        busy_until = timeline.vector_end_ps[i]
    if busy_until < timeline.latency_ps:
        found.append((StallKind.DRAIN, busy_until, timeline.latency_ps))
    return found


def decisions(result: InferenceResult) -> list[Decision]:
    """The routing decisions of an inference, in order of time."""
    timeline = result.timeline
    schedule = timeline.schedule
    return [
        Decision(
            router=schedule.groups[schedule.tiles.group[tile]].group.segment,
            time_ps=timeline.vector_end_ps[tile],
            arm=arm,
        )
        for tile, arm in zip(schedule.branch_tiles, result.arms, strict=True)
    ]


def scratchpad_occupancy(timeline: Timeline, pinned_bytes: int) -> list[OccupancyStep]:
    """Occupied scratchpad bytes over time: pinned weights, the running layer's own, and loads.

    A load takes its buffer when it is issued (what is speculated on: when its first granule is on
    the bus) and gives it back when the last tile that reads it is done, or when the decision was
    against it and what had begun has landed; a layer's activations, partial sums and output buffers
    change with its tiles.
    """
    schedule = timeline.schedule
    commands, fixed = schedule.commands, schedule.fixed_bytes
    changes: list[tuple[int, int, int]] = []
    entries = schedule.speculation.entry_of if schedule.speculation else {}
    for j, kind in enumerate(commands.kind):
        if kind is not TransferKind.OFMAP and not commands.staged[j]:
            bursts = timeline.early[entries[j]].bursts if j in entries else ()
            taken_ps = bursts[0][0] if bursts else timeline.issue_ps[j]
            changes.append((taken_ps, 2, commands.n_bytes[j]))
            freed_ps = timeline.vector_end_ps[commands.free_tile[j]]
            changes.append((freed_ps, 0, -commands.n_bytes[j]))
    changes += _speculative_buffers(timeline)
    for i in range(1, len(fixed)):
        # The next tile's share replaces this one's when that is dispatched, or when this is done.
        handover_ps = min(timeline.pe_start_ps[i], timeline.vector_end_ps[i - 1])
        changes.append((handover_ps, 1, fixed[i] - fixed[i - 1]))
    steps = [OccupancyStep(0, pinned_bytes + fixed[0])]
    for time_ps, _, delta in sorted(changes):
        if not delta:
            continue
        n_bytes = steps[-1].n_bytes + delta
        if steps[-1].time_ps == time_ps:
            steps[-1] = OccupancyStep(time_ps, n_bytes)
        else:
            steps.append(OccupancyStep(time_ps, n_bytes))
    return steps


def _speculative_buffers(timeline: Timeline) -> list[tuple[int, int, int]]:
    """Buffers of loads for arms that were not taken, as (time, order, change)."""
    speculation = timeline.schedule.speculation
    if speculation is None:
        return []
    changes = []
    for tile, entries in speculation.entries_of.items():
        decided_ps = timeline.vector_end_ps[tile] + speculation.decision_delay_ps
        lost = [q for q in entries if speculation.command[q] == NONE and timeline.early[q].bursts]
        freed_ps = max([decided_ps, *(timeline.early[q].landed_ps for q in lost)])
        for q in lost:
            if not speculation.staged[q]:
                changes.append((timeline.early[q].bursts[0][0], 2, speculation.n_bytes[q]))
                changes.append((freed_ps, 0, -speculation.n_bytes[q]))
    return changes
