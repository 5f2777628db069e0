"""Places a route's stores and loads in time and space."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from simulator.mapping.case import Wants
from simulator.mapping.groups import LayerGroup
from simulator.mapping.output_buffers import place_stores
from simulator.mapping.place_loads import (
    QUEUES,
    ROUTE,
    SPACE,
    START,
    Loads,
    Placed,
    Rules,
    State,
    place_loads,
)
from simulator.mapping.plan import GroupPlan, Plan
from simulator.mapping.schedule import NONE, FetchRule, last_writers
from simulator.mapping.speculation import ArmAhead, SpeculationPlacer, Window
from simulator.mapping.tiles import LoadColumns, TiledGroup, Whole
from simulator.spec import Toolchain


class Route:
    """The groups a route runs under a plan, their tiles and loads side by side.

    Attributes:
        group_of: per tile, its group's place on the path.
        first_load: per group, its first load; and how many there are.
        loads: of all groups, by tile of the route. load_group: per load, as `group_of`.
        decisions: tiles that end a router.
    """

    def __init__(
        self, plan: Plan, path: list[LayerGroup], tiles_of: Callable[[GroupPlan], TiledGroup]
    ) -> None:
        self.plan, self.tiles_of = plan, tiles_of
        self.groups = tuple(plan.groups[group.name] for group in path)
        self.tiled = tuple(tiles_of(group) for group in self.groups)
        sizes = [len(group.tiles) for group in self.tiled]
        self.starts = list(accumulate(sizes, initial=0))
        self.n_tiles = self.starts[-1]
        places = np.arange(len(sizes))
        self.group_of = np.repeat(places, sizes)
        counts = [len(group.loads.tile) for group in self.tiled]
        self.first_load = list(accumulate(counts, initial=0))
        self.load_group = np.repeat(places, counts)
        columns = [
            np.concatenate(column) for column in zip(*(t.loads for t in self.tiled), strict=True)
        ]
        loads = LoadColumns(*columns)
        starts = np.array(self.starts, dtype=np.int64)
        self.loads = loads._replace(tile=loads.tile + starts[self.load_group])
        self.decisions = [
            self.starts[g + 1] - 1 for g, group in enumerate(self.groups) if group.group.is_decision
        ]


class StagedInput(NamedTuple):
    """A network input that is loaded whole before its first reader."""

    group: int
    n_bytes: int
    release: int
    cause: int
    fence: int


class Placing:
    """Where a route's stores and loads are in time and space.

    Attributes:
        fixed: per tile, scratchpad bytes beside loads. used: with them.
        store_wait: by tile whose outputs are stored, the tile that waits for that.
        placed, entry: per load of the route. staged: inputs loaded whole.
        speculation: what is loaded before its branch is decided.
    """

    def __init__(self, route: Route, fetch: FetchRule, toolchain: Toolchain) -> None:
        self.route, self.fetch = route, fetch
        self.overlaps = toolchain.overlaps_transfers
        self.prefetch_layers = toolchain.prefetch_layers
        own = [
            group.resident_bytes + tiled.psum_bytes + tiled.ofmap_buffer_bytes
            for group, tiled in zip(route.groups, route.tiled, strict=True)
        ]
        self.fixed: Whole = np.array(own, dtype=np.int64)[route.group_of]
        self.budget_bytes = route.plan.knobs.budget_bytes
        outputs = place_stores(route.groups, route.tiled, self.fixed, self.budget_bytes)
        self.store_wait = outputs.store_wait
        self.used = self.fixed.copy()
        # Who knows the route waits for a decision only where there was no room to speculate.
        self.undecided = SPACE if fetch.knows_route else ROUTE
        self.speculation = SpeculationPlacer(self.used, outputs.drains, self.budget_bytes)
        self.staged: list[StagedInput] = []
        n_loads = len(route.loads.tile)
        self.entry = np.full(n_loads, NONE, dtype=np.int64)
        self.placed = Placed(*np.full((len(Placed._fields), n_loads), NONE, dtype=np.int64))

    def place_loads(self, place: Callable[..., None]) -> None:
        """Release every load as early as order, routing and room allow."""
        route = self.route
        waits = self._waits()
        loads = self._loads(waits)
        drains = np.full(route.n_tiles, NONE, dtype=np.int64)
        for tile, storing in self.speculation.drains.items():
            drains[tile] = storing
        queues = np.array([[NONE] * QUEUES, [START] * QUEUES], dtype=np.int64)
        placed, state = self.placed, State(self.used, drains, *queues)
        if place is place_loads:
            # Interpreted, lists are faster.
            loads = Loads(*(column.tolist() for column in loads))
            placed = Placed(*(column.tolist() for column in placed))
            state = state._replace(drains=drains.tolist())
        unstaged = dict(route.plan.residency.staged_bytes)
        first = 0
        for g, start in enumerate(route.starts[:-1]):
            decision = waits[g][1]
            if decision == start - 1 and decision != NONE:
                place(loads, (first, route.first_load[g]), state, self._rules(), placed)
                first = route.first_load[g]
                for n, entry in self._speculate(g - 1).items():
                    loads.entry[n] = entry
                    placed.release[n], placed.cause[n] = decision, self.undecided
            self._stage_inputs(g, unstaged, decision)
        place(loads, (first, len(loads.tile)), state, self._rules(), placed)
        self.entry = np.array(loads.entry, dtype=np.int64)
        self.placed = Placed(*(np.array(column, dtype=np.int64) for column in placed))

    def _waits(self) -> list[tuple[int, int, int, int]]:
        """Per group, what its loads wait for, see `Loads`.

        The tile that stores what it reads, the decision its loads and the one its tied weights
        wait for, and the tile before which its weights are not fetched.
        """
        route, decisions = self.route, self.route.decisions
        producer = last_writers(route.groups, route.starts, route.plan.residency.in_dram)
        waits = []
        for g, start in enumerate(route.starts[:-1]):
            decision = max((d for d in decisions if d < start), default=NONE)
            if self.fetch.across_branches:
                decision = NONE
            before = max((d for d in decisions if d < decision), default=NONE)
            waits.append((producer[g], decision, before, self._not_before(g)))
        return waits

    def _loads(self, waits: list[tuple[int, int, int, int]]) -> Loads:
        """What placing needs to know of every load."""
        own, of_group = self.route.loads, np.array(waits, dtype=np.int64)[self.route.load_group].T
        stored, decision, before, not_before = of_group
        is_weight = own.is_weight == 1
        return Loads(
            tile=own.tile,
            last=own.tile + own.held_for,
            n_bytes=own.n_bytes,
            queue=2 * own.is_weight + own.is_tied,
            is_kept=own.is_kept,
            is_direct=own.is_direct,
            stored=np.where(is_weight, NONE, stored),
            decided=np.where(own.is_tied == 1, before, decision),
            not_before=np.where(is_weight, not_before, NONE),
            entry=self.entry,
        )

    def _rules(self) -> Rules:
        lost_bytes, lost_at = self.speculation.lost_bytes, self.speculation.lost_at
        return Rules(self.budget_bytes, self.overlaps, self.undecided, lost_bytes, lost_at)

    def _not_before(self, group: int, decided: int | None = None) -> int:
        """The tile that must be done before the toolchain has a group's weights fetched.

        Seen from a decision that group `decided` takes, it is the decision's at the latest.
        """
        if self.prefetch_layers is None or group < self.prefetch_layers:
            return NONE
        first = group - self.prefetch_layers
        return self.route.starts[first if decided is None else min(first, decided + 1)] - 1

    def _speculate(self, g: int) -> dict[int, int]:
        """Place loads for the arms of the decision that ends group g, ahead of all behind it.

        Returns the entries of the arm taken, by load of the route.
        """
        route = self.route
        decision = route.starts[g + 1] - 1
        nth = route.decisions.index(decision)
        ahead = route.groups[g].group.ahead
        taken = [arm[0].name for arm in ahead].index(route.groups[g + 1].group.name)
        wants = self.fetch.wants[nth] if nth < len(self.fetch.wants) else Wants()
        if self.fetch.knows_route:
            wants = Wants(() if nth in self.fetch.spared else (taken,))
        if not self.overlaps or not wants.arms:
            return {}
        arms = {}
        for arm in wants.arms:
            plans = [route.plan.groups[group.name] for group in ahead[arm]]
            not_before = [self._not_before(g + 1 + k, decided=g) for k in range(len(plans))]
            tiled = [(plan, route.tiles_of(plan)) for plan in plans]
            arms[arm] = ArmAhead(route.tiled[g], tiled, not_before, self.budget_bytes)
        opens = route.decisions[nth - 1] if nth else NONE
        steers = [k for k in range(g) if route.groups[k].group.is_guess]
        opens = max([opens, *(route.starts[k + 1] - 1 for k in steers)])
        window = Window(opens, decision, opens != NONE)
        entries = self.speculation.place(wants, arms, taken, window)
        tiles = route.loads.tile
        return {
            int(np.searchsorted(tiles, tile)) + index: entry
            for (tile, index), entry in entries.items()
        }

    def _stage_inputs(self, g: int, unstaged: dict[str, int], decision: int) -> None:
        """Load a network input whole before its first reader; its space is a resident's.

        Which input the code behind a branch reads is not known before the decision.
        """
        cause = START if decision == NONE else self.undecided
        for tensor in self.route.groups[g].live.inputs:
            n_bytes = unstaged.pop(tensor.name, None)
            if n_bytes is not None:
                lost_at = self.speculation.lost_at
                self.staged.append(StagedInput(g, n_bytes, decision, cause, lost_at))
