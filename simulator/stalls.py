"""Splits a timeline into compute and stalls: an exact partition, in integer picoseconds."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulator.kernels.columns import Times
from simulator.kernels.shares import Shares
from simulator.kernels.shares import partition as fill
from simulator.kernels.work import work_of
from simulator.result import StallKind
from simulator.timeline import Timeline


@dataclass
class TileShare:
    """One tile's share of the latency; kinds in the order in which its gap was charged."""

    compute_ps: int = 0
    stalls_ps: dict[StallKind, int] = field(default_factory=dict)


def charge(timeline: Timeline) -> tuple[Shares, int]:
    """Each tile's compute and stall time by column, and the drain after the last tile.

    Together they are the latency exactly.

    While the PE array or the vector unit works, time is compute. A gap before a tile is
    charged, in order of time, to the routing decision, then to output buffers waiting for
    DRAM, then to a wrong arm's data that is still landing where room is needed, then to the load
    it waits for. A wait for a load is charged to a wrong guess, to the route or to lack of space
    as far as the DMA fetched what was not needed, or stood idle, earlier for that reason (time it
    could have used to bring the load forward), and to bandwidth and latency beyond that. Idle
    time before a decision is the route's fault as far as the free scratchpad could have held more
    data, and the scratchpad's beyond.
    """
    work = work_of(timeline.schedule)
    times, n_bursts = _times(timeline)
    columns = Shares(*([0] * len(work.tiles.after) for _ in Shares._fields))
    done_ps = fill(work, times, n_bursts, columns)
    return columns, timeline.latency_ps - done_ps


def partition(timeline: Timeline) -> list[TileShare]:
    """The same tile by tile, without the kinds that take no time; the last tile has the drain."""
    columns, drain_ps = charge(timeline)
    shares = []
    for compute_ps, *stalls_ps in zip(*columns, strict=True):
        charged = zip(CHARGED, stalls_ps, strict=True)
        shares.append(TileShare(compute_ps, {kind: ps for kind, ps in charged if ps}))
    if drain_ps:
        shares[-1].stalls_ps[StallKind.DRAIN] = drain_ps
    return shares


CHARGED = tuple(StallKind(name) for name in Shares._fields[1:])
"""The kinds of stall that tiles are charged."""


def _times(timeline: Timeline) -> tuple[Times, int]:
    """A timeline's columns, and how many bursts there are of speculative loads."""
    early = timeline.early
    bursts = sorted((*burst, q) for q, entry in enumerate(early) for burst in entry.bursts)
    starts, ends, n_bytes, entries = zip(*bursts, strict=True) if bursts else ((), (), (), ())
    times = Times(
        pe_start=timeline.pe_start_ps,
        pe_end=timeline.pe_end_ps,
        vector_start=timeline.vector_start_ps,
        vector_end=timeline.vector_end_ps,
        issue=timeline.issue_ps,
        bus_start=timeline.bus_start_ps,
        bus_end=timeline.bus_end_ps,
        complete=timeline.complete_ps,
        early_issue=(),
        early_bytes=tuple(entry.n_bytes for entry in early),
        early_end=tuple(entry.bursts[-1][1] if entry.bursts else 0 for entry in early),
        early_landed=tuple(entry.landed_ps for entry in early),
        burst_entry=entries,
        burst_start=starts,
        burst_end=ends,
        burst_bytes=n_bytes,
        cleared=(),
    )
    return times, len(bursts)
