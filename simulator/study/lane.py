"""What schedules cost on designs, by the compiled recurrence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.cost.energy import EventCounts
from simulator.cost.energy_table import Operands
from simulator.fast.compiled import compiled
from simulator.fast.designs import DesignTable
from simulator.fast.structure import NotVectorisedError, Structure
from simulator.kernels.columns import Entries, Times
from simulator.kernels.occupancy import SAME_INSTANT, peak_bytes
from simulator.kernels.replay import latencies as latencies_of
from simulator.kernels.replay import replay, timed
from simulator.kernels.shares import Shares, partition
from simulator.result import StallKind
from simulator.speculated import SpeculatedCounts
from simulator.stalls import CHARGED

Picoseconds = NDArray[np.int64]


@dataclass(frozen=True)
class Lane:
    """One schedule on one design."""

    latency_ps: int
    compute_ps: int
    stalls_ps: Mapping[StallKind, int]
    dram_busy_ps: int
    counts: EventCounts
    mac_terms: tuple[tuple[int, Operands], ...]
    weight_bytes: int
    activation_bytes: int
    peak_bytes: int
    speculated: SpeculatedCounts = field(default_factory=SpeculatedCounts)


Found = Lane | NotVectorisedError
"""A lane, or why there is none."""


def latencies(structure: Structure, table: DesignTable) -> Picoseconds:
    """The latency of a structure on every design."""
    found = _zeros(len(table.durations_ps))
    run = compiled(latencies_of)
    run(structure.work, structure.sizes.times(_zeros), table.durations_ps, found)
    return found


def lanes(
    structure: Structure, table: DesignTable, designs: Set[int]
) -> Iterator[tuple[int, Found]]:
    """What a structure costs on some designs, as (design, lane)."""
    where = sorted(designs)
    moved = _Moved.of(structure, table, where)
    times = structure.sizes.times(_zeros)
    for at, d in enumerate(where):
        try:
            yield d, _lane(structure, table, d, times, moved.counts(at), moved.busy_ps[at])
        except NotVectorisedError as refusal:
            yield d, refusal


@dataclass(frozen=True)
class _Moved:
    """What ordinary commands move and take, per design."""

    structure: Structure
    busy_ps: list[int]
    columns: tuple[list[int], ...]

    @classmethod
    def of(cls, structure: Structure, table: DesignTable, designs: Sequence[int]) -> _Moved:
        numbers, writes = structure.work.commands.occupancy_ps, structure.is_write
        rows = np.ix_(designs, numbers)
        bus_bytes = table.bus_bytes[rows]
        written = bus_bytes[:, writes].sum(axis=1)
        columns = (
            bus_bytes.sum(axis=1) - written,
            written,
            table.bursts[rows].sum(axis=1),
            table.activates[rows].sum(axis=1),
        )
        busy_ps = table.durations_ps[rows].sum(axis=1)
        return cls(structure, busy_ps.tolist(), tuple(column.tolist() for column in columns))

    def counts(self, at: int) -> EventCounts:
        """Those of one design, with the structure's own."""
        read, written, bursts, activates = (column[at] for column in self.columns)
        return replace(
            self.structure.counts,
            dram_read_bytes=read,
            dram_write_bytes=written,
            dram_bursts=bursts,
            dram_activates=activates,
        )


def _lane(
    structure: Structure,
    table: DesignTable,
    design: int,
    times: Times,
    counts: EventCounts,
    busy_ps: int,
) -> Lane:
    """One design's; the time of what is fetched in vain is on top of the commands'."""
    work = timed(structure.work, table.durations_ps[design])
    latency_ps, n_bursts = map(int, compiled(replay)(work, times))
    columns = np.zeros((len(Shares._fields), structure.sizes.tiles), dtype=np.int64)
    done_ps = compiled(partition)(work, times, n_bursts, Shares(*columns))
    compute_ps, *stalls_ps = columns.sum(axis=1).tolist()
    stalls: dict[StallKind, int] = dict.fromkeys(StallKind, 0)
    stalls |= dict(zip(CHARGED, stalls_ps, strict=True))
    stalls[StallKind.DRAIN] = latency_ps - int(done_ps)
    peak = compiled(peak_bytes)(work, times, structure.freed_bytes, structure.between_bytes)
    if peak == SAME_INSTANT:
        raise NotVectorisedError("a speculative load is issued as its branch is decided")
    early = _Early(structure.work.entries, times, table, design)
    wasted = early.wasted
    return Lane(
        latency_ps=latency_ps,
        compute_ps=compute_ps,
        stalls_ps=stalls,
        dram_busy_ps=busy_ps + early.wasted_ps(times, n_bursts),
        counts=counts + wasted,
        mac_terms=structure.mac_terms,
        weight_bytes=structure.weight_bytes + wasted.scratchpad_write_bytes,
        activation_bytes=structure.activation_bytes,
        peak_bytes=int(peak),
        speculated=early.counts() if structure.sizes.entries else SpeculatedCounts(),
    )


class _Early:
    """What was fetched early of the loads that are speculated on, on one design.

    What fetching part of a load takes of its bytes on the bus, its bursts and activates is in
    proportion.
    """

    def __init__(self, entries: Entries, times: Times, table: DesignTable, design: int) -> None:
        self._lost = entries.is_lost == 1
        self._whole, self._fetched = entries.n_bytes, times.early_bytes
        numbers = entries.occupancy_ps
        self._on_bus, self._bursts, self._activates = (
            column[design, numbers] for column in (table.bus_bytes, table.bursts, table.activates)
        )

    def _share(self, column: Any) -> Any:
        return (column * self._fetched // self._whole)[self._lost]

    @property
    def wasted(self) -> EventCounts:
        """What arms that were not taken had fetched."""
        return EventCounts(
            scratchpad_write_bytes=int(self._fetched[self._lost].sum()),
            dram_read_bytes=int(self._share(self._on_bus).sum()),
            dram_bursts=int(self._share(self._bursts).sum()),
            dram_activates=int(self._share(self._activates).sum()),
        )

    def wasted_ps(self, times: Times, n_bursts: int) -> int:
        """How long the bus was busy with it."""
        spent = (times.burst_end - times.burst_start)[:n_bursts]
        return int(spent[self._lost[times.burst_entry[:n_bursts]]].sum())

    def counts(self) -> SpeculatedCounts:
        """What became of all that was planned; bursts are not told apart here."""
        taken, lost = ~self._lost, self._lost
        wasted = replace(self.wasted, dram_bursts=0)
        useful, missed = (
            EventCounts(
                scratchpad_write_bytes=int(self._whole[chosen].sum()),
                dram_read_bytes=int(self._on_bus[chosen].sum()),
                dram_activates=int(self._activates[chosen].sum()),
            )
            for chosen in (taken, lost)
        )
        return SpeculatedCounts(
            planned_bytes=int(self._whole.sum()),
            early_bytes=int(self._fetched[taken].sum()),
            useful=useful,
            wasted=wasted,
            cancelled=replace(
                missed,
                scratchpad_write_bytes=missed.scratchpad_write_bytes
                - wasted.scratchpad_write_bytes,
                dram_read_bytes=missed.dram_read_bytes - wasted.dram_read_bytes,
                dram_activates=missed.dram_activates - wasted.dram_activates,
            ),
        )


def _zeros(length: int) -> Picoseconds:
    return np.zeros(length, dtype=np.int64)
