"""Builds a route's schedule: places stores and loads in time and space, then orders them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.cost.dram import DramModel
from simulator.mapping.case import Wants
from simulator.mapping.groups import LayerGroup
from simulator.mapping.layout import WeightMap
from simulator.mapping.managed import WeightSpan, manage_weights
from simulator.mapping.output_buffers import place_stores
from simulator.mapping.plan import GroupPlan, Plan
from simulator.mapping.schedule import (
    NONE,
    CommandColumns,
    FetchRule,
    ReleaseCause,
    Schedule,
    TileColumns,
    last_writers,
)
from simulator.mapping.speculation import (
    ArmAhead,
    CommandLinks,
    SpeculationPlacer,
    Window,
    speculation_columns,
)
from simulator.mapping.ties import Ranges, split_ties, tied_ranges
from simulator.mapping.tiles import Cuts, Load, TiledGroup, TransferKind, tile_group
from simulator.mapping.tiling import GroupShape, Tiling
from simulator.mapping.transfers import Command, TransferCosts
from simulator.spec import AcceleratorSpec


class _PlacedLoad(NamedTuple):
    """A load, the tile that needs it, the tile that releases it, and whose store it follows.

    `after_store_of` is the tile whose store must be complete first: the load reads what was
    stored, or takes the place of the output buffers. `entry` is what is speculated on of it, and
    `fence` the decision whose lost granules must have landed.
    """

    load: Load
    tile: int
    release: int
    cause: ReleaseCause
    after_store_of: int
    staged: bool = False
    entry: int = NONE
    fence: int = NONE


class Scheduler:
    """Builds schedules for one accelerator; cuts each group of equal tiling once."""

    def __init__(
        self, spec: AcceleratorSpec, dram: DramModel, weights: WeightMap | None = None
    ) -> None:
        """`weights` says where they lie in DRAM; without it, every group's start on a row."""
        self._spec, self.costs = spec, TransferCosts(dram, weights)
        self._tiled: dict[tuple[str, GroupShape, Tiling], TiledGroup] = {}
        self._cuts: Cuts = {}

    def tiled(self, group: GroupPlan) -> TiledGroup:
        """The tiles of a planned group."""
        key = (group.group.name, group.shape, group.tiling)
        found = self._tiled.get(key)
        if found is None:
            found = self._tiled[key] = tile_group(group, self._spec, self._cuts)
        return found

    def build(
        self,
        plan: Plan,
        path: list[LayerGroup],
        fetch: FetchRule,
        managed: Mapping[str, tuple[WeightSpan, ...]] | None = None,
    ) -> Schedule:
        """Order the tiles and transfers of one route through a plan.

        `managed` says, by group, which weights the managed region holds or takes in.
        """
        ties: dict[str, Ranges] = {}
        for decision in (group for group in path if fetch.ties_first and group.is_decision):
            arms = [[plan.groups[group.name] for group in arm] for arm in decision.ahead]
            ties |= tied_ranges(arms, self._spec)

        def managed_tiles(group: GroupPlan) -> TiledGroup:
            tiled, name = self.tiled(group), group.group.name
            if managed and name in managed:
                return manage_weights(tiled, managed[name])
            return split_ties(tiled, ties[name]) if name in ties else tiled

        builder = _Builder(plan, path, managed_tiles, fetch)
        builder.overlaps = self._spec.toolchain.overlaps_transfers
        builder.prefetch_layers = self._spec.toolchain.prefetch_layers
        builder.place_loads()
        return builder.finish(self._spec, self.costs)


class _Builder:
    """Working state of `Scheduler.build`."""

    def __init__(
        self,
        plan: Plan,
        path: list[LayerGroup],
        tiles_of: Callable[[GroupPlan], TiledGroup],
        fetch: FetchRule,
    ) -> None:
        self.plan, self.tiles_of, self.fetch = plan, tiles_of, fetch
        groups = self.groups = tuple(plan.groups[group.name] for group in path)
        tiled = self.tiled = tuple(tiles_of(group) for group in groups)
        starts = list(accumulate((len(group.tiles) for group in tiled), initial=0))
        self.starts = starts
        self.n_tiles = starts[-1]
        self.group_of = [g for g, (a, b) in enumerate(pairwise(starts)) for _ in range(a, b)]
        self.tiles = [tile for group in tiled for tile in group.tiles]
        self.decisions = [
            starts[g + 1] - 1 for g, group in enumerate(groups) if group.group.is_decision
        ]
        base = [
            groups[g].resident_bytes + tiled[g].psum_bytes + tiled[g].ofmap_buffer_bytes
            for g in self.group_of
        ]
        self.fixed: NDArray[np.int64] = np.array(base, dtype=np.int64)
        budget = plan.knobs.budget_bytes
        outputs = place_stores(groups, tiled, self.fixed, budget)
        self.store_wait, self.drains = outputs.store_wait, outputs.drains
        self.used = self.fixed.copy()
        self.overlaps = True
        self.prefetch_layers: int | None = None
        # Who knows the route waits for a decision only where there was no room to speculate.
        self.undecided = ReleaseCause.SPACE if fetch.knows_route else ReleaseCause.ROUTE
        self.loads: list[_PlacedLoad] = []
        self.speculation = SpeculationPlacer(self.used, self.drains, budget)

    def place_loads(self) -> None:
        """Release every load as early as order, routing and room allow."""
        producer = last_writers(self.groups, self.starts, self.plan.residency.in_dram)
        staged = set(self.plan.residency.staged_bytes)
        start_of_stream = (NONE, ReleaseCause.START)
        previous: dict[tuple[TransferKind, bool], tuple[int, ReleaseCause]] = {}
        entries: dict[tuple[int, int], int] = {}
        for g, (start, end) in enumerate(pairwise(self.starts)):
            decision = max((d for d in self.decisions if d < start), default=NONE)
            if self.fetch.across_branches:
                decision = NONE
            elif decision == start - 1 and decision != NONE:
                entries = self._speculate(g - 1)
            before = max((d for d in self.decisions if d < decision), default=NONE)
            self._stage_inputs(g, staged, decision)
            not_before = self._not_before(g)
            for i in range(start, end):
                for index, load in enumerate(self.tiles[i].loads):
                    if entries and (i, index) in entries:
                        self._promote(load, i, entries[i, index])
                        continue
                    stored = producer[g] if load.kind is TransferKind.IFMAP else NONE
                    queue = (load.kind, load.tied)
                    earliest, cause = previous.get(queue, start_of_stream)
                    if stored > earliest:
                        earliest, cause = stored, ReleaseCause.DATA
                    decided = before if load.tied else decision
                    if decided > earliest:
                        earliest, cause = decided, self.undecided
                    if load.kind is TransferKind.WEIGHT and not_before > earliest:
                        earliest, cause = not_before, ReleaseCause.DATA
                    release = earliest if load.kept else self._release(load, i, earliest)
                    if release > earliest:
                        cause = ReleaseCause.SPACE if self.overlaps else ReleaseCause.DATA
                    previous[queue] = (release, cause)
                    after = max(stored, self.drains.get(release, NONE))
                    fence = NONE
                    elsewhere = load.kept or load.direct
                    if elsewhere:
                        after = stored
                    else:
                        fence = self.speculation.fence(release, i + load.held_for)
                    self.loads.append(
                        _PlacedLoad(load, i, release, cause, after, elsewhere, fence=fence)
                    )

    def _not_before(self, group: int, decided: int | None = None) -> int:
        """The tile that must be done before the toolchain has a group's weights fetched.

        Seen from a decision that group `decided` takes, it is the decision's at the latest.
        """
        if self.prefetch_layers is None or group < self.prefetch_layers:
            return NONE
        first = group - self.prefetch_layers
        return self.starts[first if decided is None else min(first, decided + 1)] - 1

    def _speculate(self, g: int) -> dict[tuple[int, int], int]:
        """Place loads for the arms of the decision that ends group g, ahead of all behind it.

        Returns the entries of the arm taken, by tile and place among the tile's loads.
        """
        decision = self.starts[g + 1] - 1
        nth = self.decisions.index(decision)
        ahead = self.groups[g].group.ahead
        taken = [arm[0].name for arm in ahead].index(self.groups[g + 1].group.name)
        wants = self.fetch.wants[nth] if nth < len(self.fetch.wants) else Wants()
        if self.fetch.knows_route:
            wants = Wants(() if nth in self.fetch.spared else (taken,))
        if not self.overlaps:
            return {}
        arms = {}
        for arm in wants.arms:
            plans = [self.plan.groups[group.name] for group in ahead[arm]]
            not_before = [self._not_before(g + 1 + k, decided=g) for k in range(len(plans))]
            tiled = [(plan, self.tiles_of(plan)) for plan in plans]
            arms[arm] = ArmAhead(self.tiled[g], tiled, not_before, self.speculation.budget_bytes)
        opens = self.decisions[nth - 1] if nth else NONE
        steers = [k for k in range(g) if self.groups[k].group.is_guess]
        opens = max([opens, *(self.starts[k + 1] - 1 for k in steers)])
        return self.speculation.place(wants, arms, taken, Window(opens, decision, opens != NONE))

    def _promote(self, load: Load, tile: int, entry: int) -> None:
        """What the decision finds unfetched of a load of the arm taken comes before all else."""
        decision = self.speculation.placed[entry].decision
        self.loads.append(_PlacedLoad(load, tile, decision, self.undecided, NONE, load.kept, entry))

    def _stage_inputs(self, g: int, staged: set[str], decision: int) -> None:
        """Load a network input whole before its first reader; its space is a resident's.

        Which input the code behind a branch reads is not known before the decision.
        """
        cause = ReleaseCause.START if decision == NONE else self.undecided
        for tensor in self.groups[g].live.inputs:
            if tensor.name in staged:
                staged.discard(tensor.name)
                n_bytes = self.plan.residency.staged_bytes[tensor.name]
                load = Load(TransferKind.IFMAP, n_bytes, 0)
                self.loads.append(
                    _PlacedLoad(
                        load,
                        self.starts[g],
                        decision,
                        cause,
                        NONE,
                        staged=True,
                        fence=self.speculation.lost_at,
                    )
                )

    def _release(self, load: Load, tile: int, earliest: int) -> int:
        """Walk back from the tile that needs the load to the last one without room for it.

        The block buffer has room for the inputs of one tile beside those in use.
        """
        if load.direct:
            return max(earliest, tile - (2 if self.overlaps else 1))
        used, room = self.used, self.plan.knobs.budget_bytes - load.n_bytes
        release = earliest if self.overlaps else max(earliest, tile - 1)
        if release + 1 < tile:
            if used[tile - 1] > room:
                release = tile - 1
            else:
                blocked = (used[earliest + 1 : tile] > room).nonzero()[0]
                if blocked.size:
                    release = earliest + 1 + int(blocked[-1])
        used[release + 1 : tile + load.held_for + 1] += load.n_bytes
        return release

    def finish(self, spec: AcceleratorSpec, costs: TransferCosts) -> Schedule:
        """Order all commands and write the columns."""
        entries = self._ordered_commands()
        store_command = {tile: j for j, (tile, load) in enumerate(entries) if load is None}
        load_command = [NONE] * self.n_tiles
        for j, (tile, load) in enumerate(entries):
            if load is not None:
                load_command[tile] = j
        free_bytes = tuple(self.speculation.free_bytes(tile) for tile in self.decisions)
        links = CommandLinks(
            promoted={
                load.entry: j
                for j, (_, load) in enumerate(entries)
                if load is not None and load.entry != NONE
            },
            store_command=store_command,
            command_fence=tuple(NONE if load is None else load.fence for _, load in entries),
            tile_fence=self.speculation.tile_fences(),
        )
        return Schedule(
            groups=self.groups,
            tiled=self.tiled,
            tiles=self._tile_columns(spec, load_command, store_command),
            commands=self._command_columns(entries, store_command, costs),
            fixed_bytes=tuple(self.fixed.tolist()),
            budget_bytes=self.plan.knobs.budget_bytes,
            channels=spec.dma.channels,
            descriptor_ps=spec.descriptor_latency_ps,
            branch_tiles=tuple(self.decisions),
            branch_room_ps=tuple(costs.dram.occupancy_ps(n_bytes) for n_bytes in free_bytes),
            branch_free_bytes=free_bytes,
            speculation=speculation_columns(
                self.speculation.placed, links, self.fetch, spec.dma.preemption_bytes, costs
            ),
        )

    def _ordered_commands(self) -> list[tuple[int, _PlacedLoad | None]]:
        """(tile, load or None for its store) in issue order.

        By release; then what is left of loads speculated on, then loads the next tile waits for,
        then the store, then the rest.
        """
        keyed: list[tuple[int, int, int, int, _PlacedLoad | None]] = []
        for n, load in enumerate(self.loads):
            urgent = load.tile <= load.release + 1 and load.after_store_of != load.release
            rank = -1 if load.entry != NONE else 0 if urgent else 2
            keyed.append((load.release, rank, n, load.tile, load))
        keyed += [(tile, 1, 0, tile, None) for tile in self.store_wait]
        # The first three differ from entry to entry.
        keyed.sort()
        return [(tile, load) for *_, tile, load in keyed]

    def _tile_columns(
        self, spec: AcceleratorSpec, load_command: list[int], store_command: dict[int, int]
    ) -> TileColumns:
        first = set(self.starts)
        decisions = set(self.decisions)
        wait = [NONE] * (self.n_tiles + 2)
        for tile, waiter in self.store_wait.items():
            wait[waiter] = max(wait[waiter], store_command[tile])
        setup_ps = [spec.layer_setup_ps if i in first else 0 for i in range(self.n_tiles)]
        setup_ps[0] += spec.inference_setup_ps
        pe_ps = {n: spec.pe_cycles_to_ps(n) for n in {t.pe_cycles for t in self.tiles}}
        vector_ps = {n: spec.vector_cycles_to_ps(n) for n in {t.vector_cycles for t in self.tiles}}
        return TileColumns(
            group=tuple(self.group_of),
            pe_ps=tuple(
                [
                    pe_ps[t.pe_cycles] + (setup if t.pe_cycles else 0)
                    for t, setup in zip(self.tiles, setup_ps, strict=True)
                ]
            ),
            vector_ps=tuple(
                [
                    vector_ps[t.vector_cycles] + (0 if t.pe_cycles else setup)
                    for t, setup in zip(self.tiles, setup_ps, strict=True)
                ]
            ),
            after_tile=tuple([i - 1 if i in first else NONE for i in range(self.n_tiles)]),
            after_delay_ps=tuple(
                [spec.branch_latency_ps if i - 1 in decisions else 0 for i in range(self.n_tiles)]
            ),
            load_command=tuple(load_command),
            store_command=tuple(wait[: self.n_tiles]),
        )

    def _command_columns(
        self,
        entries: list[tuple[int, _PlacedLoad | None]],
        store_command: dict[int, int],
        costs: TransferCosts,
    ) -> CommandColumns:
        decisions = set() if self.fetch.across_branches else set(self.decisions)
        delay_ps = self.fetch.decision_delay_ps
        commands = []
        for tile, placed in entries:
            group = self.groups[self.group_of[tile]]
            if placed is None:
                commands.append(Command.store(group, tile, self.tiles[tile].store_bytes))
                continue
            load, release = placed.load, placed.release
            commands.append(
                Command(
                    group,
                    load,
                    load.kind,
                    load.n_bytes,
                    tile,
                    release,
                    delay_ps if release in decisions else 0,
                    placed.cause,
                    store_command.get(placed.after_store_of, NONE),
                    tile + load.held_for,
                    placed.staged,
                )
            )
        return costs.columns(commands)
