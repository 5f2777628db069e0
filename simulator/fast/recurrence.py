"""Replays a schedule by computing each tile's and command's times from earlier ones.

Max-plus: every time is the latest of some earlier times plus a constant, so times never fall
when a duration grows; but where a schedule speculates, a shorter duration can let a granule slip in
ahead of a command. Exactly equal to the event engine, some twenty times faster
(benchmarks/engine_events.py).
"""

from __future__ import annotations

from simulator.kernels.columns import Times, Work
from simulator.kernels.occupancy import SAME_INSTANT, peak_bytes
from simulator.kernels.replay import replay as run
from simulator.kernels.work import Sizes, between_bytes, freed_bytes, work_of
from simulator.mapping.schedule import Schedule
from simulator.timeline import EarlyTransfer, Timeline


def replay(schedule: Schedule) -> Timeline:
    """The timeline of a schedule, identical to `simulator.engine.simulate`'s."""
    return _timeline(schedule, *_times(work_of(schedule)))


def replay_with_peak(schedule: Schedule) -> tuple[Timeline, int | None]:
    """The timeline, and the most scratchpad bytes occupied, identical to the event engine's.

    None for the latter where only the order of the engine's events decides it: where a speculative
    load is issued in the picosecond of its branch's decision.
    """
    work = work_of(schedule)
    times, n_bursts = _times(work)
    peak = peak_bytes(work, times, freed_bytes(schedule, work), between_bytes(schedule))
    return _timeline(schedule, times, n_bursts), None if peak == SAME_INSTANT else peak


def _times(work: Work) -> tuple[Times, int]:
    """All times, and how many bursts of speculative loads there are."""
    times = Sizes.of(work).times(lambda length: [0] * length)
    _, n_bursts = run(work, times)
    return times, n_bursts


def _timeline(schedule: Schedule, times: Times, n_bursts: int) -> Timeline:
    return Timeline(
        schedule,
        tuple(times.pe_start),
        tuple(times.pe_end),
        tuple(times.vector_start),
        tuple(times.vector_end),
        tuple(times.issue),
        tuple(times.bus_start),
        tuple(times.bus_end),
        tuple(times.complete),
        _early(times, n_bursts),
    )


def _early(times: Times, n_bursts: int) -> tuple[EarlyTransfer, ...]:
    """What was fetched early of every entry."""
    bursts: list[list[tuple[int, int, int]]] = [[] for _ in times.early_bytes]
    for n in range(n_bursts):
        burst = (times.burst_start[n], times.burst_end[n], times.burst_bytes[n])
        bursts[times.burst_entry[n]].append(burst)
    return tuple(
        EarlyTransfer(n_bytes, tuple(mine), landed)
        for n_bytes, mine, landed in zip(times.early_bytes, bursts, times.early_landed, strict=True)
    )


def latency_lower_bound_ps(schedule: Schedule) -> int:
    """No replay can be faster: each resource must do all its work."""
    tiles, commands = schedule.tiles, schedule.commands
    return max(sum(tiles.pe_ps), sum(tiles.vector_ps), sum(commands.occupancy_ps))
