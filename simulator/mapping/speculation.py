"""Finds scratchpad room, before a branch is decided, for weights of arms that may be taken.

Which loads are made room for depends on what is known before the decision alone: the code up to
it, and for every arm wanted its own layers. So the schedules of two routes agree up to where the
routes part, and no load for one arm takes room that its own later layers need.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from simulator.mapping.case import Wants
from simulator.mapping.output_buffers import buffers_linger
from simulator.mapping.plan import GroupPlan
from simulator.mapping.schedule import NONE, FetchRule, Speculation
from simulator.mapping.tiles import Load, TiledGroup, TransferKind
from simulator.mapping.transfers import TransferCosts

Bytes = NDArray[np.int64]


@dataclass(frozen=True)
class ArmLoad:
    """A weight load of an arm: the tile after the decision that needs it, its place there.

    `not_before` is the tile that must be done before it may be fetched at all.
    """

    load: Load
    layer: str
    tile: int
    index: int
    not_before: int


@dataclass(frozen=True)
class PlacedSpeculation:
    """A load for an arm of the branch decided by a tile, and the tile that makes room for it.

    `after_store_of` is the tile whose output buffers it takes the place of, `fence` an earlier
    decision whose lost granules it may take the place of; `is_late` says that it is released by
    an earlier decision or a guess, `taken` that the route takes the arm.
    """

    wanted: ArmLoad
    arm: int
    decision: int
    release: int
    after_store_of: int
    fence: int
    is_late: bool
    taken: bool


class ArmAhead:
    """What an arm is sure to run after its decision: the bytes its tiles need, its weight loads.

    `before` is the decision itself, whose output buffers may linger; `not_before`, by group, the
    tile that must be done before its weights may be fetched.
    """

    def __init__(
        self,
        before: TiledGroup,
        arm: Sequence[tuple[GroupPlan, TiledGroup]],
        not_before: Sequence[int],
        budget_bytes: int,
    ) -> None:
        self._arm, self._not_before = arm, not_before
        starts = list(accumulate((len(tiled.tiles) for _, tiled in arm), initial=0))
        working = [p.resident_bytes + t.psum_bytes + t.ofmap_buffer_bytes for p, t in arm]
        taken: Bytes = np.zeros(starts[-1] + 1, dtype=np.int64)
        lingering = before.ofmap_buffer_bytes
        own: Bytes = np.repeat(np.array(working, dtype=np.int64), np.diff(starts))
        for (plan, tiled), start in zip(arm, starts, strict=False):
            if lingering and buffers_linger(plan, lingering, budget_bytes):
                own[start] += lingering
            lingering = tiled.ofmap_buffer_bytes
            loads = tiled.loads
            n_bytes = np.where(loads.is_kept | loads.is_direct, 0, loads.n_bytes)
            np.add.at(taken, start + loads.tile, n_bytes)
            last = np.minimum(start + loads.tile + loads.held_for, starts[-1] - 1)
            np.subtract.at(taken, last + 1, n_bytes)
        self.occupied: Bytes = own + np.cumsum(taken[:-1])

    def loads(self) -> Iterator[ArmLoad]:
        """Its weight loads, in order of need."""
        first = 0
        for (plan, tiled), not_before in zip(self._arm, self._not_before, strict=True):
            for i, tile in enumerate(tiled.tiles, first):
                for index, load in enumerate(tile.loads):
                    if load.kind is TransferKind.WEIGHT:
                        yield ArmLoad(load, plan.group.name, i, index, not_before)
            first += len(tiled.tiles)


@dataclass(frozen=True)
class Window:
    """The time in which a branch can be speculated on.

    Attributes:
        opens: the tile that must be done first.
        decision: the tile that ends it.
        opens_late: whether the former ends a router or a guess, which takes time to take effect.
    """

    opens: int
    decision: int
    opens_late: bool


class SpeculationPlacer:
    """Makes room for loads that may be in vain, and keeps account of it.

    Attributes:
        used: scratchpad bytes taken per tile of the route, shared with the builder.
        drains: by tile, the tile whose store must be complete when space is handed on there.
        budget_bytes: the scratchpad bytes there are.
        placed: every load placed, in fetching order.
        lost_bytes, lost_at: of arms not taken so far, and the last decision against one. Their
            space is free again only when what has begun of them has landed.
    """

    def __init__(self, used: Bytes, drains: Mapping[int, int], budget_bytes: int) -> None:
        self.used, self.drains, self.budget_bytes = used, drains, budget_bytes
        self.placed: list[PlacedSpeculation] = []
        self.lost_bytes = 0
        self.lost_at = NONE

    def place(
        self, wants: Wants, arms: Mapping[int, ArmAhead], taken: int, window: Window
    ) -> dict[tuple[int, int], int]:
        """Room for the first weight loads of each arm wanted, as many as fit, in fetching order.

        Returns the entries of the arm taken, by tile and place among the tile's loads.
        """
        placed = self._fitting(wants, arms, taken, window)
        first = window.decision + 1
        entries = {}
        for q, entry in enumerate(placed, len(self.placed)):
            wanted = entry.wanted
            if entry.taken:
                entries[first + wanted.tile, wanted.index] = q
                if not wanted.load.kept:
                    last = first + wanted.tile + wanted.load.held_for
                    self.used[first : last + 1] += wanted.load.n_bytes
            elif not wanted.load.kept:
                self.lost_bytes += wanted.load.n_bytes
                self.lost_at = window.decision
        self.placed += placed
        return entries

    def _fitting(
        self, wants: Wants, arms: Mapping[int, ArmAhead], taken: int, window: Window
    ) -> list[PlacedSpeculation]:
        """Reserves up to the decision for all arms wanted, whichever is taken."""
        placed: list[PlacedSpeculation] = []
        earliest = window.opens
        closed: set[int] = set()
        for arm, wanted in _fetching_order(wants, arms, closed):
            load = wanted.load
            release = max(earliest, wanted.not_before)
            if not load.kept:
                occupied = arms[arm].occupied[: wanted.tile]
                fits = int(occupied.max(initial=0)) + load.n_bytes <= self.budget_bytes
                release = self._reserve(load.n_bytes, release, window.decision, fits)
                if release < window.decision:
                    occupied += load.n_bytes
            if release >= window.decision:
                closed.add(arm)
                continue
            earliest = release
            placed.append(
                PlacedSpeculation(
                    wanted=wanted,
                    arm=arm,
                    decision=window.decision,
                    release=release,
                    after_store_of=NONE if load.kept else self.drains.get(release, NONE),
                    fence=NONE if load.kept else self.lost_at,
                    is_late=window.opens_late and release == window.opens,
                    taken=arm == taken,
                )
            )
        return placed

    def _reserve(self, n_bytes: int, earliest: int, decision: int, fits: bool) -> int:
        """Reserve bytes up to a decision from as early as possible; the decision: no room."""
        if not fits:
            return decision
        room = self.budget_bytes - n_bytes
        blocked = (self.used[earliest + 1 : decision + 1] > room).nonzero()[0]
        release = earliest + 1 + int(blocked[-1]) if blocked.size else earliest
        self.used[release + 1 : decision + 1] += n_bytes
        return release

    def fence(self, release: int, last: int) -> int:
        """The decision that bytes just placed wait for, if lost loads leave them no room yet."""
        room = self.budget_bytes - self.lost_bytes
        crowded = self.lost_bytes and (self.used[release + 1 : last + 1] > room).any()
        return self.lost_at if crowded else NONE

    def tile_fences(self) -> tuple[int, ...]:
        """Tiles that need room where a lost load may still be landing wait for it."""
        room = self.budget_bytes - self.lost_bytes
        fences = [NONE] * len(self.used)
        lost_at = sorted({entry.decision for entry in self.placed if not entry.taken})
        for first, after in pairwise([*lost_at, len(fences)]):
            for i in range(first + 1, after):
                fences[i] = first if self.used[i] > room else NONE
        return tuple(fences)

    def free_bytes(self, decision: int) -> int:
        """Bytes that ordinary transfers leave free while a decision is taken."""
        speculated = sum(
            entry.wanted.load.n_bytes
            for entry in self.placed
            if entry.decision == decision and not entry.wanted.load.kept
        )
        return self.budget_bytes - int(self.used[decision]) + speculated


def _fetching_order(
    wants: Wants, arms: Mapping[int, ArmAhead], closed: Set[int]
) -> Iterator[tuple[int, ArmLoad]]:
    """One arm after the other, or in turns: next is the arm with the least bytes per share.

    Arms may be closed on the way.
    """
    queues = {arm: arms[arm].loads() for arm in wants.arms}
    if not wants.shares:
        for arm, queue in queues.items():
            for load in queue:
                if arm in closed:
                    break
                yield arm, load
        return
    shares = dict(zip(wants.arms, wants.shares, strict=True))
    fetched = dict.fromkeys(wants.arms, 0)
    heads = {arm: head for arm, queue in queues.items() if (head := next(queue, None))}
    while heads:
        waiting = [arm for arm in wants.arms if arm in heads]
        arm = min(waiting, key=lambda arm: (fetched[arm] + heads[arm].load.n_bytes) / shares[arm])
        load = heads.pop(arm)
        fetched[arm] += load.load.n_bytes
        yield arm, load
        following = next(queues[arm], None)
        if following is not None and arm not in closed:
            heads[arm] = following


@dataclass(frozen=True)
class CommandLinks:
    """How loads that are speculated on hang together with the ordinary commands.

    Attributes:
        promoted: by entry, the command that fetches what is left of it once its arm is taken.
        store_command: by tile, the command of its store.
        command_fence, tile_fence: see `Speculation`.
    """

    promoted: Mapping[int, int]
    store_command: Mapping[int, int]
    command_fence: tuple[int, ...]
    tile_fence: tuple[int, ...]


def speculation_columns(
    placed: Sequence[PlacedSpeculation],
    links: CommandLinks,
    fetch: FetchRule,
    granule_bytes: int,
    costs: TransferCosts,
) -> Speculation | None:
    """What was placed, as the schedule's columns."""
    if not placed:
        return None
    wanted = [entry.wanted for entry in placed]
    each = [
        costs.weights(want.layer, want.load.offset_bytes, want.load.n_bytes, want.load.repeats)
        for want in wanted
    ]
    return Speculation(
        granule_bytes=granule_bytes,
        decision_delay_ps=fetch.decision_delay_ps,
        decision=tuple(entry.decision for entry in placed),
        command=tuple(links.promoted.get(q, NONE) for q in range(len(placed))),
        arm=tuple(entry.arm for entry in placed),
        layer=tuple(want.layer for want in wanted),
        n_bytes=tuple(want.load.n_bytes for want in wanted),
        bus_bytes=tuple(cost.bus_bytes for cost in each),
        occupancy_ps=tuple(cost.occupancy_ps for cost in each),
        latency_ps=(costs.dram.read_latency_ps,) * len(placed),
        release_tile=tuple(entry.release for entry in placed),
        release_delay_ps=tuple(fetch.decision_delay_ps if entry.is_late else 0 for entry in placed),
        after_command=tuple(
            links.store_command.get(entry.after_store_of, NONE) for entry in placed
        ),
        fence=tuple(entry.fence for entry in placed),
        staged=tuple(entry.wanted.load.kept for entry in placed),
        command_fence=links.command_fence,
        tile_fence=links.tile_fence,
        bursts=tuple(cost.bursts for cost in each),
        activates=tuple(cost.activates for cost in each),
    )
