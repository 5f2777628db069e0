"""What a path amounts to, group by group, under several plans: the input of bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.mapping.groups import LayerGroup
from simulator.mapping.plan import GroupPlan, Plan
from simulator.mapping.tiling import LoopOrder
from simulator.mapping.work import GroupWork, group_work
from simulator.spec import AcceleratorSpec
from simulator.units import ceil_div

Whole = NDArray[np.int64]
_Key = tuple[object, ...]


@dataclass(frozen=True)
class PathWork:
    """Totals of a path's groups under several plans; arrays are of shape (groups, plans).

    Attributes:
        decisions: shape (groups,): the group ends a router.
        compute_ps: of the slower unit.
        load_bytes, store_bytes, loads, stores: least ones.
        lingering_bytes: of store_bytes, what may be on its way when the group is done.
        single: 1 where the group is one tile, which need not wait for the stores before it.
        room_bytes: of the budget, beside what the group itself keeps, and in a block buffer: what
            later groups' loads may have brought before the group begins.
        ifmap_bytes: of load_bytes, activations.
        first_weight_bytes, first_ifmap_bytes: what the group's first tile waits for.
        reloads: 1 where the activations include what the group before stored, else 0.
        early_ps: of compute_ps, no more than all tiles but the last.
        direct_bytes: what the first tile reads past the scratchpad, asked for two tiles ahead.
    """

    decisions: NDArray[np.bool_]
    compute_ps: Whole
    load_bytes: Whole
    store_bytes: Whole
    loads: Whole
    stores: Whole
    lingering_bytes: Whole
    single: Whole
    room_bytes: Whole
    ifmap_bytes: Whole
    first_weight_bytes: Whole
    first_ifmap_bytes: Whole
    reloads: Whole
    early_ps: Whole
    direct_bytes: Whole


class _Totals(NamedTuple):
    """A group's totals; the compute time of all its tiles, and of all but the last at least."""

    work: GroupWork
    compute_ps: int
    early_ps: int


class PathWorks:
    """Totals of paths on one accelerator; remembers those of equal groups."""

    def __init__(self, spec: AcceleratorSpec) -> None:
        self._spec = spec
        self._work: dict[_Key, _Totals] = {}

    def of(self, plans: Sequence[Plan], path: Sequence[LayerGroup]) -> PathWork:
        """Totals of a path's groups under the plans."""
        rows = [self._rows(plan, path) for plan in plans]
        columns = np.array(rows, dtype=np.int64).transpose(2, 1, 0)
        return PathWork(np.array([group.is_decision for group in path]), *columns)

    def _rows(self, plan: Plan, path: Sequence[LayerGroup]) -> list[tuple[int, ...]]:
        """By group, the columns of PathWork behind the decisions, in its order."""
        groups = [plan.groups[group.name] for group in path]
        totals = [self._totals(group) for group in groups]
        works = [each.work for each in totals]
        budget = plan.knobs.budget_bytes
        return [
            (
                each.compute_ps,
                work.load_bytes,
                work.ofmap_bytes,
                work.least_loads,
                work.least_stores,
                work.lingering_bytes,
                int(work.tiles == 1),
                min(
                    budget - groups[g].resident_bytes - work.buffer_bytes,
                    self._staged_ahead_bytes(groups[g:], budget),
                )
                + self._direct_ahead_bytes(works[g : g + 2]),
                work.ifmap_bytes,
                work.first_weight_bytes,
                work.first_ifmap_bytes,
                int(g > 0 and _reloads(plan, groups[g - 1 : g + 1], works[g - 1])),
                each.early_ps,
                self._first_direct_bytes(groups[g], work),
            )
            for g, (each, work) in enumerate(zip(totals, works, strict=True))
        ]

    def _totals(self, group: GroupPlan) -> _Totals:
        key = (group.shape, group.tiling)
        found = self._work.get(key)
        if found is None:
            spec = self._spec
            compute = group.shape.compute_side(spec)
            work = group_work(group.shape, group.tiling, compute, spec.toolchain)
            pe_ps = [(spec.pe_cycles_to_ps(cycles), count) for cycles, count in work.pe_tiles]
            all_pe_ps = sum(of_tile * count for of_tile, count in pe_ps)
            vector_ps = spec.vector_cycles_to_ps(work.vector_cycles)
            compute_ps = max(all_pe_ps, vector_ps) + spec.layer_setup_ps
            early_ps = all_pe_ps - max((of_tile for of_tile, _ in pe_ps), default=0)
            if not pe_ps:
                last = ceil_div(work.vector_cycles, work.tiles)
                early_ps = spec.vector_cycles_to_ps(work.vector_cycles - last)
            found = self._work[key] = _Totals(work, compute_ps, early_ps)
        return found

    def _first_direct_bytes(self, group: GroupPlan, work: GroupWork) -> int:
        if self._spec.block_buffer is None:
            return 0
        streams_weights = group.tiling.order is LoopOrder.P_OUTER
        return work.first_ifmap_bytes + work.first_weight_bytes * streams_weights

    def _staged_ahead_bytes(self, ahead: Sequence[GroupPlan], budget_bytes: int) -> int:
        """What may have been fetched into the scratchpad ahead of a group, if there is room.

        Where inputs pass the scratchpad by, that is weights of as many groups as the toolchain
        prefetches.
        """
        layers = self._spec.toolchain.prefetch_layers
        if layers is None or self._spec.block_buffer is None:
            return budget_bytes
        staged = [group for group in ahead[:layers] if group.tiling.order is LoopOrder.K_OUTER]
        return sum(group.shape.weight_bytes for group in staged)

    def _direct_ahead_bytes(self, ahead: Sequence[GroupWork]) -> int:
        """What the next two tiles may have asked for past the scratchpad: one tile ahead."""
        if self._spec.block_buffer is None:
            return 0
        second = ahead[0] if ahead[0].tiles > 1 else ahead[-1]
        return ahead[0].direct_bytes + second.direct_bytes


def _reloads(plan: Plan, pair: Sequence[GroupPlan], work: GroupWork) -> bool:
    """Whether a group's activations wait for the last store of the one before, of that work."""
    before, group = pair
    name = before.group.ofmap.name
    if name not in plan.residency.in_dram or all(t.name != name for t in group.live.inputs):
        return False
    return 0 < work.stores == work.least_stores
