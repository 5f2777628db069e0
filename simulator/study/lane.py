"""What schedules cost on designs: many at once, but for the figures of those that speculate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

import numpy as np

from simulator.cost.energy import EventCounts
from simulator.cost.energy_table import Operands
from simulator.fast.batch import Times, replay_block
from simulator.fast.designs import DesignTable
from simulator.fast.occupancy import peak_bytes, peak_of_timeline
from simulator.fast.recurrence import replay
from simulator.fast.shares import partition_block
from simulator.fast.speculative_designs import DesignTimes
from simulator.fast.structure import NotVectorisedError, Structure
from simulator.fast.timed import timed_schedule
from simulator.mapping.schedule import Schedule
from simulator.mapping.tiles import TransferKind
from simulator.result import StallKind
from simulator.speculated import SpeculatedCounts, speculated_counts, wasted_transfers
from simulator.stalls import partition
from simulator.study.outcome import Engine
from simulator.timeline import Timeline

LANES_AT_ONCE = 384
"""Structures times designs of a block: so many that arrays are worth it and fit the cache."""
SEVERAL_DESIGNS = 8
"""So many that a schedule that speculates is replayed on all at once."""


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
    engine: Engine = Engine.VECTOR


Found = Lane | NotVectorisedError
"""A lane, or why there is none."""


def latencies(
    wanted: Mapping[int, Set[int]], structures: Mapping[int, Structure], table: DesignTable
) -> Iterator[tuple[int, list[int], Times]]:
    """Latencies of structures on designs: which structure, which designs, and as many times.

    Structures are known by some number; `wanted` says on which designs they are.
    """
    plain = [key for key in wanted if structures[key].speculative is None]
    everywhere = list(range(table.durations_ps.shape[1]))
    for keys in _blocks(plain, structures, len(everywhere)):
        found = replay_block([structures[key] for key in keys], table.durations_ps).latency_ps
        yield from ((key, everywhere, found[s]) for s, key in enumerate(keys))
    for key, schedule in _speculative(wanted, structures):
        designs = sorted(wanted[key]) if len(everywhere) < SEVERAL_DESIGNS else everywhere
        replays = _Replays(structures[key], schedule, table, designs)
        yield key, designs, replays.latency_ps


def lanes(
    wanted: Mapping[int, Set[int]], structures: Mapping[int, Structure], table: DesignTable
) -> Iterator[tuple[int, int, Found]]:
    """The lanes of structures on designs, as (structure, design, lane)."""
    plain = [key for key in wanted if structures[key].speculative is None]
    for keys in _blocks(plain, structures, table.durations_ps.shape[1]):
        yield from _costed(keys, structures, table, wanted)
    for key, schedule in _speculative(wanted, structures):
        designs = sorted(wanted[key])
        replays = _Replays(structures[key], schedule, table, designs)
        for at, d in enumerate(designs):
            try:
                yield key, d, _lane_of(structures[key], replays.timeline(at))
            except NotVectorisedError as refusal:
                yield key, d, refusal


def _speculative(
    wanted: Mapping[int, Set[int]], structures: Mapping[int, Structure]
) -> Iterator[tuple[int, Schedule]]:
    for key in wanted:
        schedule = structures[key].speculative
        if schedule is not None:
            yield key, schedule


class _Replays:
    """One schedule on some designs: together if there are several of them."""

    def __init__(
        self, structure: Structure, schedule: Schedule, table: DesignTable, designs: list[int]
    ) -> None:
        self._structure, self._schedule, self._table = structure, schedule, table
        self._designs = designs
        self._together: DesignTimes | None = None
        speculation = schedule.speculation
        durations = table.durations_ps[:, designs]
        if speculation is None or len(designs) < SEVERAL_DESIGNS:
            return
        if DesignTimes.takes(speculation, durations):
            self._together = DesignTimes(structure, schedule, speculation, durations)

    @property
    def latency_ps(self) -> Times:
        """Per design."""
        if self._together is not None:
            return self._together.latency_ps
        each = [self.timeline(at).latency_ps for at in range(len(self._designs))]
        return np.array(each, dtype=np.int64)

    def timeline(self, at: int) -> Timeline:
        """That of one of the designs."""
        design = self._designs[at]
        schedule = timed_schedule(self._structure, self._schedule, self._table, design)
        return replay(schedule) if self._together is None else self._together.timeline(schedule, at)


def _lane_of(structure: Structure, timeline: Timeline) -> Lane:
    """What one replay that speculates cost."""
    schedule, shares = timeline.schedule, partition(timeline)
    commands = schedule.commands
    is_write = [kind is TransferKind.OFMAP for kind in commands.kind]
    written = sum(b for b, write in zip(commands.bus_bytes, is_write, strict=True) if write)
    wasted = [wasted_transfers(timeline, tile) for tile in schedule.branch_tiles]
    wasted_bytes = sum(each.n_bytes for each in wasted)
    counts = structure.counts + EventCounts(
        scratchpad_write_bytes=wasted_bytes,
        dram_read_bytes=sum(commands.bus_bytes) - written + sum(each.bus_bytes for each in wasted),
        dram_write_bytes=written,
        dram_bursts=sum(commands.bursts) + sum(each.bursts for each in wasted),
        dram_activates=sum(commands.activates) + sum(each.activates for each in wasted),
    )
    return Lane(
        latency_ps=timeline.latency_ps,
        compute_ps=sum(share.compute_ps for share in shares),
        stalls_ps={
            kind: sum(share.stalls_ps.get(kind, 0) for share in shares) for kind in StallKind
        },
        dram_busy_ps=sum(commands.occupancy_ps) + sum(each.occupancy_ps for each in wasted),
        counts=counts,
        mac_terms=structure.mac_terms,
        weight_bytes=structure.weight_bytes + wasted_bytes,
        activation_bytes=structure.activation_bytes,
        peak_bytes=peak_of_timeline(timeline),
        speculated=speculated_counts(timeline),
        engine=Engine.RECURRENCE,
    )


def _blocks(
    keys: Sequence[int], structures: Mapping[int, Structure], n_designs: int
) -> Iterator[list[int]]:
    """Structures of like length together, so that little is filled up."""
    keys = sorted(keys, key=lambda key: len(structures[key].is_command))
    size = max(LANES_AT_ONCE // n_designs, 1)
    for first in range(0, len(keys), size):
        yield keys[first : first + size]


def _costed(
    keys: Sequence[int],
    structures: Mapping[int, Structure],
    table: DesignTable,
    wanted: Mapping[int, Set[int]],
) -> Iterator[tuple[int, int, Found]]:
    """The lanes of a block on the designs that use each structure."""
    block = [structures[key] for key in keys]
    times = replay_block(block, table.durations_ps)
    try:
        shares = partition_block(block, times, table.durations_ps)
    except NotVectorisedError as refusal:
        yield from ((key, d, refusal) for key in keys for d in wanted[key])
        return
    latency = times.latency_ps
    for s, (key, structure) in enumerate(zip(keys, block, strict=True)):
        numbers = np.array([number for number, _ in structure.transfers], dtype=np.int64)
        writes = np.array(
            [kind is TransferKind.OFMAP for _, kind in structure.transfers], dtype=np.bool_
        )
        busy = table.durations_ps[numbers].sum(axis=0)
        read = table.bus_bytes[numbers[~writes]].sum(axis=0)
        written = table.bus_bytes[numbers[writes]].sum(axis=0)
        bursts = table.bursts[numbers].sum(axis=0)
        activates = table.activates[numbers].sum(axis=0)
        for d in wanted[key]:
            counts = replace(
                structure.counts,
                dram_read_bytes=int(read[d]),
                dram_write_bytes=int(written[d]),
                dram_bursts=int(bursts[d]),
                dram_activates=int(activates[d]),
            )
            lane = Lane(
                latency_ps=int(latency[s, d]),
                compute_ps=int(shares.compute_ps[s, d]),
                stalls_ps={kind: int(ps[s, d]) for kind, ps in shares.stalls_ps.items()},
                dram_busy_ps=int(busy[d]),
                counts=counts,
                mac_terms=structure.mac_terms,
                weight_bytes=structure.weight_bytes,
                activation_bytes=structure.activation_bytes,
                peak_bytes=peak_bytes(structure, times, s, d),
            )
            yield key, d, lane
