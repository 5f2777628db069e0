"""Builds a route's schedule: places stores and loads in time and space, then orders them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simulator.cost.dram import DramModel
from simulator.mapping.groups import LayerGroup
from simulator.mapping.layout import WeightMap
from simulator.mapping.managed import WeightSpan, manage_weights
from simulator.mapping.place_loads import place_loads
from simulator.mapping.placing import Placing, Route
from simulator.mapping.plan import GroupPlan, Plan
from simulator.mapping.schedule import FetchRule, Schedule
from simulator.mapping.ties import Ranges, split_ties, tied_ranges
from simulator.mapping.tiles import Cuts, TiledGroup, tile_group
from simulator.mapping.tiling import GroupShape, Tiling
from simulator.mapping.transfers import TransferCosts
from simulator.mapping.write_schedule import write_schedule
from simulator.spec import AcceleratorSpec


class Scheduler:
    """Builds schedules for one accelerator; cuts each group of equal tiling once."""

    def __init__(
        self,
        spec: AcceleratorSpec,
        dram: DramModel,
        weights: WeightMap | None = None,
        place: Callable[..., None] = place_loads,
    ) -> None:
        """`weights` says where they lie in DRAM; without it, every group's start on a row.

        `place` is `place_loads`, as it is or compiled.
        """
        self._spec, self.costs, self._place = spec, TransferCosts(dram, weights), place
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

        route = Route(plan, path, managed_tiles)
        placing = Placing(route, fetch, self._spec.toolchain)
        placing.place_loads(self._place)
        return write_schedule(placing, self._spec, self.costs)
