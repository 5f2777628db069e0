"""When everything happened: the one record that every statistic is derived from."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.mapping.schedule import Schedule


@dataclass(frozen=True)
class EarlyTransfer:
    """What was fetched of one speculative load before its branch was decided.

    Attributes:
        n_bytes: bytes whose transfer had begun.
        bursts: (start, end, bytes) of its times on the bus; granules without a pause are one.
        landed_ps: when the last of them lay in the scratchpad; 0 if there were none.
    """

    n_bytes: int
    bursts: tuple[tuple[int, int, int], ...]
    landed_ps: int


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
        early: per entry of the schedule's speculation.

    Of a command that was speculated on, the columns say when its rest was fetched; if nothing was
    left, it was issued and on the bus at the end of its last granule.
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
    early: tuple[EarlyTransfer, ...] = ()

    @property
    def latency_ps(self) -> int:
        """From the start until the last tile and the last transfer are done."""
        return max(
            max(self.vector_end_ps),
            max(self.complete_ps, default=0),
            max((early.landed_ps for early in self.early), default=0),
        )
