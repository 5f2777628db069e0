"""What could be fetched ahead of each decision: idle DRAM time and free scratchpad bytes."""

from __future__ import annotations

from simulator.mapping.schedule import Schedule
from simulator.mapping.tiles import TransferKind
from simulator.result import PrefetchWindow
from simulator.timeline import Timeline


def prefetch_windows(timeline: Timeline) -> tuple[PrefetchWindow, ...]:
    """The window of each branch met: from the decision before it to its own.

    Bytes are turned into time at the rate of the arm's own weight loads.
    """
    schedule = timeline.schedule
    tiles = schedule.branch_tiles
    found = []
    opened_ps = 0
    for nth, (tile, free_bytes) in enumerate(zip(tiles, schedule.branch_free_bytes, strict=True)):
        following = tiles[nth + 1] if nth + 1 < len(tiles) else len(schedule.tiles.group) - 1
        delay_ps = schedule.tiles.after_delay_ps[tile + 1]
        decided_ps = timeline.vector_end_ps[tile] + delay_ps
        speculated_ps = sum(
            _overlap(burst[:2], (opened_ps, decided_ps))
            for early in timeline.early
            for burst in early.bursts
        )
        busy_ps = sum(
            _overlap(taken, (opened_ps, decided_ps))
            for taken in zip(timeline.bus_start_ps, timeline.bus_end_ps, strict=True)
        )
        idle_ps = decided_ps - opened_ps - busy_ps
        needed_bytes, needed_ps = _arm_weights(schedule, tile, following)
        in_time = needed_bytes * idle_ps // needed_ps if needed_ps else needed_bytes
        found.append(
            PrefetchWindow(
                router=schedule.groups[schedule.tiles.group[tile]].group.segment,
                opened_ps=opened_ps,
                decided_ps=decided_ps,
                idle_ps=idle_ps,
                speculated_ps=speculated_ps,
                free_bytes=free_bytes,
                arm_bytes=needed_bytes,
                hideable_bytes=min(free_bytes, in_time, needed_bytes),
            )
        )
        opened_ps = decided_ps
    return tuple(found)


def _arm_weights(schedule: Schedule, decision: int, last: int) -> tuple[int, int]:
    """Weight bytes that the arm taken loads up to its own decision, and their bus time."""
    commands = schedule.commands
    mine = [
        j
        for j, (kind, tile) in enumerate(zip(commands.kind, commands.tile, strict=True))
        if kind is TransferKind.WEIGHT and decision < tile <= last
    ]
    return sum(commands.n_bytes[j] for j in mine), sum(commands.occupancy_ps[j] for j in mine)


def _overlap(span: tuple[int, int], window: tuple[int, int]) -> int:
    return max(min(span[1], window[1]) - max(span[0], window[0]), 0)
