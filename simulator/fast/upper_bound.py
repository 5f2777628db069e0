"""An upper bound on a plan's latency, from totals per layer group, for many plans and devices.

A replay's latency is the sum of the durations along one path through what waited for what. A path
passes every tile once, through the PE array or the vector unit, and every command once; behind a
decision it takes one delay, the branch's or the fetch's. So the sum over all tiles, commands and
decisions is a bound: that of a device which overlaps nothing. It holds of schedules without
speculation (`tests/test_bounds.py` holds it against replays of random programs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.cost.dram import DramModel
from simulator.fast.bounds import ROUNDING
from simulator.mapping.groups import LayerGroup
from simulator.mapping.layout import WeightMap
from simulator.mapping.plan import GroupPlan, Plan
from simulator.mapping.work import GroupWork, group_work
from simulator.spec import AcceleratorSpec
from simulator.spec_dram import Layout
from simulator.units import ceil_div

CUT_LAYOUTS = frozenset({Layout.CHANNEL_INTERLEAVED, Layout.BANK_PARTITIONED})
"""Layouts that read a tile's weights in pieces: their time has no such bound."""


@dataclass(frozen=True)
class MostWork:
    """Totals of a path under several plans, no less than any schedule's; arrays over plans.

    Attributes:
        compute_ps: of all tiles, each on its slower unit, and setups.
        n_bytes: moved. loads, stores: commands. reads: transfers that the loads consist of.
        decisions: how many.
    """

    compute_ps: NDArray[np.int64]
    n_bytes: NDArray[np.int64]
    loads: NDArray[np.int64]
    stores: NDArray[np.int64]
    reads: NDArray[np.int64]
    decisions: int


@dataclass(frozen=True)
class MostTiming:
    """What a device takes per byte, load, store, contiguous read and decision; or several do."""

    byte_ps: Any
    load_ps: Any
    store_ps: Any
    read_ps: Any
    decision_ps: Any

    @classmethod
    def of(cls, spec: AcceleratorSpec, dram: DramModel) -> MostTiming:
        """One device, whose fetches behind a decision wait for its latency at most."""
        most, descriptor_ps = dram.most_occupancy, spec.descriptor_latency_ps
        return cls(
            byte_ps=most.ps_per_byte,
            load_ps=descriptor_ps + dram.read_latency_ps,
            store_ps=descriptor_ps + dram.write_latency_ps + most.write_ps,
            read_ps=most.read_ps,
            decision_ps=spec.branch_latency_ps,
        )

    @classmethod
    def together(cls, timings: Sequence[MostTiming]) -> MostTiming:
        """Several devices side by side."""
        names = [field.name for field in fields(cls)]
        return cls(**{n: np.array([getattr(each, n) for each in timings]) for n in names})


class MostWorks:
    """Totals of paths on one accelerator; remembers those of equal groups."""

    def __init__(self, spec: AcceleratorSpec, stored: WeightMap) -> None:
        self._spec, self._stored = spec, stored
        self._known: dict[tuple[object, ...], tuple[GroupWork, int]] = {}

    def of(self, plans: Sequence[Plan], path: Sequence[LayerGroup]) -> MostWork:
        """Totals of a path under the plans."""
        rows = [self._row(plan, path) for plan in plans]
        compute_ps, n_bytes, loads, stores, reads = np.array(rows, dtype=np.int64).T
        decisions = sum(group.is_decision for group in path)
        return MostWork(compute_ps, n_bytes, loads, stores, reads, decisions)

    def _row(self, plan: Plan, path: Sequence[LayerGroup]) -> tuple[int, ...]:
        staged = plan.residency.staged_bytes
        compute_ps = self._spec.inference_setup_ps
        n_bytes, stores = sum(staged.values()), 0
        loads = reads = len(staged)
        for group in path:
            work, group_ps = self._totals(plan.groups[group.name])
            compute_ps += group_ps
            n_bytes += work.load_bytes + work.ofmap_bytes
            loads, stores = loads + work.loads, stores + work.stores
            reads += work.loads * max(len(self._spans.get(group.name, ())), 1)
        return compute_ps, n_bytes, loads, stores, reads

    @property
    def _spans(self) -> Mapping[str, Sequence[object]]:
        return self._stored.spans

    def _totals(self, group: GroupPlan) -> tuple[GroupWork, int]:
        key = (group.shape, group.tiling)
        found = self._known.get(key)
        if found is None:
            spec = self._spec
            compute = group.shape.compute_side(spec)
            work = group_work(group.shape, group.tiling, compute, spec.toolchain)
            found = self._known[key] = work, self._compute_ps(group, work) + spec.layer_setup_ps
        return found

    def _compute_ps(self, group: GroupPlan, work: GroupWork) -> int:
        """Either both units in turn, or every tile at the pace of the slower one."""
        spec, d, tiling = self._spec, group.shape.dims, group.tiling
        pe_ps = sum(spec.pe_cycles_to_ps(cycles) * count for cycles, count in work.pe_tiles)
        in_turn = pe_ps + spec.vector_cycles_to_ps(work.vector_cycles) + work.tiles
        if not work.pe_tiles:
            return in_turn
        # A tile's share of the vector work is that of its outputs, up to a cycle.
        share = min(tiling.k, d.k) * min(tiling.p, d.p)
        most_ps = spec.vector_cycles_to_ps(ceil_div(work.vector_cycles * share, d.k * d.p) + 1)
        slower = sum(max(spec.pe_cycles_to_ps(c), most_ps) * count for c, count in work.pe_tiles)
        return min(in_turn, slower)


def upper_bound_ps(work: MostWork, timing: MostTiming) -> NDArray[np.float64]:
    """Shape (plans, devices): what the latency is no more than."""
    total: Any = work.compute_ps[:, None] + work.decisions * np.atleast_1d(timing.decision_ps)
    for amount, each_ps in (
        (work.n_bytes, timing.byte_ps),
        (work.loads, timing.load_ps),
        (work.stores, timing.store_ps),
        (work.reads, timing.read_ps),
    ):
        total = total + amount[:, None] * np.atleast_1d(each_ps)
    bound: NDArray[np.float64] = total * (1 + ROUNDING)
    return bound
