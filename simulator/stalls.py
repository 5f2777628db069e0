"""Splits a timeline into compute and stalls: an exact partition, in integer picoseconds."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from simulator.mapping.schedule import NONE, ReleaseCause, Speculation
from simulator.mapping.tiles import TransferKind
from simulator.result import StallKind
from simulator.timeline import Timeline

LOST = (StallKind.MISPREDICT_REFETCH, StallKind.ROUTE_WAIT, StallKind.SCRATCHPAD_FULL)
"""Kinds that a wait for a load is charged to as far as the DMA lost time earlier, in this order."""


@dataclass
class TileShare:
    """One tile's share of the latency."""

    compute_ps: int = 0
    stalls_ps: dict[StallKind, int] = field(default_factory=dict)

    def charge(self, kind: StallKind, time_ps: int) -> None:
        """Add to one kind of stall."""
        if time_ps > 0:
            self.stalls_ps[kind] = self.stalls_ps.get(kind, 0) + time_ps


def partition(timeline: Timeline) -> list[TileShare]:
    """Each tile's compute and stall time; together they are the latency exactly.

    While the PE array or the vector unit works, time is compute. A gap before a tile is
    charged, in order of time, to the routing decision, then to output buffers waiting for
    DRAM, then to a wrong arm's data that is still landing where room is needed, then to the load
    it waits for. A wait for a load is charged to a wrong guess, to the route or to lack of space
    as far as the DMA fetched what was not needed, or stood idle, earlier for that reason (time it
    could have used to bring the load forward), and to bandwidth and latency beyond that. Idle
    time before a decision is the route's fault as far as the free scratchpad could have held more
    data, and the scratchpad's beyond.
    """
    tiles = timeline.schedule.tiles
    lost = _LostTime(timeline)
    shares: list[TileShare] = []
    busy_until = 0
    for i in range(len(tiles.group)):
        share = TileShare()
        start = timeline.pe_start_ps[i] if tiles.pe_ps[i] else timeline.vector_start_ps[i]
        if start > busy_until:
            _charge_gap(timeline, i, busy_until, start, share, lost)
            busy_until = start
        end = timeline.vector_end_ps[i]
        share.compute_ps = max(end - busy_until, 0)
        busy_until = max(busy_until, end)
        shares.append(share)
    shares[-1].charge(StallKind.DRAIN, timeline.latency_ps - busy_until)
    return shares


def _charge_gap(
    timeline: Timeline, i: int, begin: int, end: int, share: TileShare, lost: _LostTime
) -> None:
    """Charge the gap [begin, end) before tile i."""
    tiles = timeline.schedule.tiles
    at = begin
    if tiles.after_tile[i] != NONE and tiles.after_delay_ps[i]:
        decided = timeline.vector_end_ps[tiles.after_tile[i]] + tiles.after_delay_ps[i]
        share.charge(StallKind.ROUTE_WAIT, min(decided, end) - at)
        at = max(at, min(decided, end))
    if tiles.store_command[i] != NONE:
        stored = timeline.complete_ps[tiles.store_command[i]]
        share.charge(StallKind.SCRATCHPAD_FULL, min(stored, end) - at)
        at = max(at, min(stored, end))
    speculation = timeline.schedule.speculation
    if speculation is not None and speculation.tile_fence[i] != NONE:
        landed = min(lost.landed_ps(speculation.tile_fence[i]), end)
        share.charge(StallKind.MISPREDICT_REFETCH, landed - at)
        at = max(at, landed)
    remaining = end - at
    load = tiles.load_command[i]
    if remaining <= 0 or load == NONE:
        return
    for kind in LOST:
        charged = lost.take(kind, load, remaining)
        share.charge(kind, charged)
        remaining -= charged
    is_weight = timeline.schedule.commands.kind[load] is TransferKind.WEIGHT
    share.charge(StallKind.WEIGHT_WAIT if is_weight else StallKind.ACTIVATION_WAIT, remaining)


class _LostTime:
    """Time the DMA has lost to a guess, the route or space, not yet charged to a stall."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._next = 0
        self._bus_end_ps = 0
        self._lost_ps = dict.fromkeys(LOST, 0)
        schedule = timeline.schedule
        self._room_ps = dict(zip(schedule.branch_tiles, schedule.branch_room_ps, strict=True))
        self._bursts = sorted(burst for early in timeline.early for burst in early.bursts)
        self._wrong: dict[int, list[tuple[int, int]]] = {}
        self._wrong_landed_ps: dict[int, int] = {}
        self._blamed_ps: dict[int, int] = {}
        self._blamed_until_ps = 0
        if schedule.speculation is not None:
            self._collect_wrong(schedule.speculation)

    def _collect_wrong(self, speculation: Speculation) -> None:
        """By decision, when the bus and the scratchpad were taken by data that was not needed."""
        for q, early in enumerate(self._timeline.early):
            tile = speculation.decision[q]
            wrong = self._wrong.setdefault(tile, [])
            if speculation.command[q] == NONE:
                wrong += [(start, end) for start, end, _ in early.bursts]
                landed = max(self._wrong_landed_ps.get(tile, 0), early.landed_ps)
                self._wrong_landed_ps[tile] = landed

    def landed_ps(self, decision: int) -> int:
        """When the last granule of an arm not taken lay in the scratchpad; 0 without any."""
        return self._wrong_landed_ps.get(decision, 0)

    def take(self, kind: StallKind, command: int, most_ps: int) -> int:
        """Use up to most_ps of the time lost before a command was issued."""
        self._advance(command)
        taken = min(self._lost_ps[kind], most_ps)
        self._lost_ps[kind] -= taken
        return taken

    def _advance(self, command: int) -> None:
        commands = self._timeline.schedule.commands
        while self._next <= command:
            j = self._next
            self._next += 1
            cause = commands.release_cause[j]
            self._blame_guess(j)
            if cause in (ReleaseCause.ROUTE, ReleaseCause.SPACE):
                self._lost_ps[StallKind.SCRATCHPAD_FULL] += self._idle_before(j)
            if cause is ReleaseCause.ROUTE:
                self._blame_route(commands.release_tile[j])
            self._bus_end_ps = max(self._bus_end_ps, self._timeline.bus_end_ps[j])

    def _idle_before(self, j: int) -> int:
        """How long the bus had been free when a command's release let it be issued."""
        timeline, commands = self._timeline, self._timeline.schedule.commands
        release = commands.release_tile[j]
        if release == NONE:
            return 0
        released = timeline.vector_end_ps[release] + commands.release_delay_ps[j]
        if commands.after_command[j] != NONE:
            released = max(released, timeline.complete_ps[commands.after_command[j]])
        if released != timeline.issue_ps[j]:
            return 0
        bus_end_ps = self._bus_end_ps
        earlier = bisect_left(self._bursts, (released, 0, 0))
        if earlier:
            bus_end_ps = max(bus_end_ps, self._bursts[earlier - 1][1])
        return max(released - bus_end_ps, 0)

    def _blame_guess(self, j: int) -> None:
        """A command that became ready while a granule of no use was on the bus waited for it."""
        ready = self._timeline.issue_ps[j] + self._timeline.schedule.descriptor_ps
        ready = max(ready, self._blamed_until_ps)
        start = self._blamed_until_ps = self._timeline.bus_start_ps[j]
        if start <= ready:
            return
        for tile, wrong in self._wrong.items():
            waited = 0
            # They are in order of time: one bus serves them.
            for begin, end in wrong[max(bisect_left(wrong, (ready, 0)) - 1, 0) :]:
                if begin >= start:
                    break
                waited += max(min(end, start) - max(begin, ready), 0)
            self._blamed_ps[tile] = self._blamed_ps.get(tile, 0) + waited
            self._lost_ps[StallKind.MISPREDICT_REFETCH] += waited

    def _blame_route(self, branch_tile: int) -> None:
        """At a branch's first command: what free space could have held was lost to the route.

        And the time in which something of no use was fetched, to the guess.
        """
        room_ps = self._room_ps.pop(branch_tile, 0)
        moved = min(self._lost_ps[StallKind.SCRATCHPAD_FULL], room_ps)
        self._lost_ps[StallKind.SCRATCHPAD_FULL] -= moved
        self._lost_ps[StallKind.ROUTE_WAIT] += moved
        wrong_ps = sum(end - begin for begin, end in self._wrong.pop(branch_tile, ()))
        self._lost_ps[StallKind.MISPREDICT_REFETCH] += max(
            wrong_ps - self._blamed_ps.get(branch_tile, 0), 0
        )
