"""The most scratchpad bytes an inference occupies, by the recurrence."""

from __future__ import annotations

from simulator.kernels.occupancy import SAME_INSTANT, peak_bytes
from simulator.kernels.replay import replay
from simulator.kernels.work import Sizes, between_bytes, freed_bytes, work_of
from simulator.mapping.schedule import Schedule


def scratchpad_peak_bytes(schedule: Schedule) -> int | None:
    """The event engine's peak; None where only the order of its events decides it.

    That is where a speculative load is issued in the picosecond of its branch's decision.
    """
    work = work_of(schedule)
    times = Sizes.of(work).times(lambda length: [0] * length)
    replay(work, times)
    peak = peak_bytes(work, times, freed_bytes(schedule, work), between_bytes(schedule))
    return None if peak == SAME_INSTANT else peak
