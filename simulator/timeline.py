"""When everything happened: the one record that every statistic is derived from."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.mapping.schedule import Schedule


@dataclass(frozen=True)
class Timeline:
    """Start and end times of a schedule's tiles and DMA commands, in picoseconds.

    Attributes:
        schedule: what was executed.
        pe_start_ps, pe_end_ps: per tile, on the PE array (equal for vector tiles).
        vector_start_ps, vector_end_ps: per tile, on the vector unit; the tile is done then.
        issue_ps: per command, when the DMA issued it.
        bus_start_ps, bus_end_ps: per command, when the DRAM's data bus was taken.
        complete_ps: per command, when its data lay in the scratchpad or was acknowledged.
    """

    schedule: Schedule
    pe_start_ps: tuple[int, ...]
    pe_end_ps: tuple[int, ...]
    vector_start_ps: tuple[int, ...]
    vector_end_ps: tuple[int, ...]
    issue_ps: tuple[int, ...]
    bus_start_ps: tuple[int, ...]
    bus_end_ps: tuple[int, ...]
    complete_ps: tuple[int, ...]

    @property
    def latency_ps(self) -> int:
        """From the start until the last tile and the last transfer are done."""
        return max(max(self.vector_end_ps), max(self.complete_ps, default=0))
