"""Replays a schedule by computing each tile's and command's times from earlier ones.

Max-plus: every time is the latest of some earlier times plus a constant, so times never fall
when a duration grows. Exactly equal to the event engine, some twenty times faster
(benchmarks/engine_events.py).
"""

from __future__ import annotations

from simulator.fast.speculative import replay_speculative
from simulator.mapping.schedule import NONE, Schedule
from simulator.timeline import Timeline


def replay(schedule: Schedule) -> Timeline:
    """The timeline of a schedule, identical to `simulator.engine.simulate`'s."""
    if schedule.speculation is not None:
        return replay_speculative(schedule, schedule.speculation)
    tiles, commands = schedule.tiles, schedule.commands
    n_tiles = len(tiles.group)
    descriptor, channels = schedule.descriptor_ps, schedule.channels
    pe_start, pe_end = [0] * n_tiles, [0] * n_tiles
    vector_start, vector_end = [0] * n_tiles, [0] * n_tiles
    issue: list[int] = []
    bus_start: list[int] = []
    bus_end: list[int] = []
    complete: list[int] = []

    def issue_until(last: int) -> None:
        """Compute the times of all commands up to and including `last`."""
        for j in range(len(issue), last + 1):
            at = issue[j - 1] if j else 0
            if j >= channels:
                at = max(at, complete[j - channels])
            release = commands.release_tile[j]
            if release != NONE:
                at = max(at, vector_end[release] + commands.release_delay_ps[j])
            after = commands.after_command[j]
            if after != NONE:
                at = max(at, complete[after])
            start = max(at + descriptor, bus_end[j - 1] if j else 0)
            end = start + commands.occupancy_ps[j]
            issue.append(at)
            bus_start.append(start)
            bus_end.append(end)
            complete.append(end + commands.latency_ps[j])

    for i in range(n_tiles):
        needed = max(tiles.load_command[i], tiles.store_command[i])
        if needed >= len(issue):
            issue_until(needed)
        ready = pe_end[i - 1] if i else 0
        if i >= 2:
            ready = max(ready, vector_end[i - 2])
        if tiles.after_tile[i] != NONE:
            ready = max(ready, vector_end[tiles.after_tile[i]] + tiles.after_delay_ps[i])
        if tiles.load_command[i] != NONE:
            ready = max(ready, complete[tiles.load_command[i]])
        if tiles.store_command[i] != NONE:
            ready = max(ready, complete[tiles.store_command[i]])
        pe_start[i] = ready
        pe_end[i] = ready + tiles.pe_ps[i]
        vector_start[i] = max(ready, vector_end[i - 1]) if i else ready
        vector_end[i] = max(vector_start[i] + tiles.vector_ps[i], pe_end[i])
    issue_until(len(commands.kind) - 1)
    return Timeline(
        schedule,
        tuple(pe_start),
        tuple(pe_end),
        tuple(vector_start),
        tuple(vector_end),
        tuple(issue),
        tuple(bus_start),
        tuple(bus_end),
        tuple(complete),
    )


def latency_lower_bound_ps(schedule: Schedule) -> int:
    """No replay can be faster: each resource must do all its work."""
    tiles, commands = schedule.tiles, schedule.commands
    return max(sum(tiles.pe_ps), sum(tiles.vector_ps), sum(commands.occupancy_ps))
