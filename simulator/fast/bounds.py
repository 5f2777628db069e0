"""A lower bound on a plan's latency, from totals per layer group, for many plans and devices.

What no replay can beat (`tests/test_bounds.py` holds it against replays of random programs):

- groups run one after another, each at the pace of its slower unit;
- while groups g to h run, all their loads must cross the bus, but for what lay in the scratchpad
  when g began: no more than the budget leaves room for; behind a decision that is nothing, and
  the first tile's loads come before all compute;
- what a group's first tile reads past the scratchpad is asked for when the tile before the last is
  done, unless it is speculated on;
- so must their stores, but for the last two, which may linger: output buffers are two;
- a DMA of c channels takes, for any sequence of commands, the sum of their times over c.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.cost.dram import DramModel
from simulator.fast.path_work import PathWork, Whole
from simulator.mapping.schedule import FetchRule
from simulator.spec import AcceleratorSpec

LONG_BYTES = 2**40
ROUNDING = 1e-9
"""Share of a bound given up for the rounding of floating-point sums."""


@dataclass(frozen=True)
class Timing:
    """What devices differ in while their plans are the same; scalars or arrays over devices.

    Attributes:
        ps_per_byte: least time the bus is taken per byte.
        read_latency_ps, write_latency_ps, descriptor_ps, branch_latency_ps: the device's.
        channels: of the DMA; infinite where it also serves loads that wait in no queue.
        waits_for_route: nothing behind a branch is fetched before its decision and
            fetch_delay_ps.
    """

    ps_per_byte: Any
    read_latency_ps: Any
    write_latency_ps: Any
    descriptor_ps: Any
    branch_latency_ps: Any
    channels: float
    waits_for_route: bool
    fetch_delay_ps: Any

    @classmethod
    def of(cls, spec: AcceleratorSpec, dram: DramModel, fetch: FetchRule) -> Timing:
        """One device under one fetch rule."""
        speculates = fetch.knows_route or any(wants.arms for wants in fetch.wants)
        return cls(
            ps_per_byte=dram.least_occupancy_ps(LONG_BYTES) / LONG_BYTES,
            read_latency_ps=dram.read_latency_ps,
            write_latency_ps=dram.write_latency_ps,
            descriptor_ps=spec.descriptor_latency_ps,
            branch_latency_ps=spec.branch_latency_ps,
            channels=math.inf if speculates else spec.dma.channels,
            waits_for_route=not (fetch.across_branches or fetch.ties_first or speculates),
            fetch_delay_ps=fetch.decision_delay_ps,
        )

    @classmethod
    def together(cls, timings: Sequence[Timing]) -> Timing:
        """Several devices of equal channels and rule side by side."""
        columns: dict[str, Any] = {
            field.name: np.array([getattr(timing, field.name) for timing in timings])
            for field in fields(cls)
            if field.name not in ("channels", "waits_for_route")
        }
        return replace(timings[0], **columns)


def lower_bound_ps(work: PathWork, timing: Timing) -> NDArray[np.float64]:
    """Shape (plans, devices): what the latency is no less than."""
    walk = _Walk(work, timing)
    for g in range(len(work.decisions)):
        walk.enter(g, starts_anew=g == 0 or bool(work.decisions[g - 1]))
    return walk.finish()


class _Walk:
    """State of `lower_bound_ps` between two groups; arrays of shape (plans, devices).

    done: when the groups so far are done. moved: bus time of all their transfers. ahead: the
    latest start of a window less the bus time before it. released: when the loads since the last
    decision could begin. queued: the DMA's time for all transfers since. lingering: bus and DMA
    time of the last group's stores that it did not wait for. before_last: when the tile before
    the last so far is done.
    """

    def __init__(self, work: PathWork, timing: Timing) -> None:
        self.work, self.timing = work, timing
        self.rate = np.atleast_1d(np.asarray(timing.ps_per_byte, dtype=np.float64))
        self.done = np.zeros((work.compute_ps.shape[1], self.rate.size))
        self.moved = np.zeros_like(self.done)
        self.ahead = np.full_like(self.done, -np.inf)
        self.released = np.zeros_like(self.done)
        self.queued = np.zeros_like(self.done)
        self.lingering: tuple[Any, Any] = (0, 0)
        self.before_last = np.zeros_like(self.done)
        self.read_ps = timing.descriptor_ps + timing.read_latency_ps
        self.write_ps = timing.descriptor_ps + timing.write_latency_ps

    def enter(self, g: int, starts_anew: bool) -> None:
        """Run group g, the first one or the first behind a decision if it starts anew."""
        work, timing = self.work, self.timing
        loads = work.loads[g, :, None]
        reloads = work.reloads[g, :, None]
        room_ps: Any = self._bus_ps(work.room_bytes, g)
        stored = self.done + reloads * self.write_ps
        first_ps = reloads * (self.read_ps + self._bus_ps(work.first_ifmap_bytes, g))
        if starts_anew and (g == 0 or timing.waits_for_route):
            self.released = self.done + (timing.fetch_delay_ps if g else 0)
            self.queued = np.zeros_like(self.done)
            stored, room_ps = np.maximum(stored, self.released), 0
            first_bytes = work.first_weight_bytes + work.first_ifmap_bytes
            first_ps = np.where(loads > 0, self.read_ps + self._bus_ps(first_bytes, g), 0)
        self.ahead = np.maximum(self.ahead, stored - self.moved - room_ps)
        begin = self.done + (timing.branch_latency_ps if starts_anew and g else 0)
        start = np.maximum(np.maximum(begin, stored + first_ps), self._direct_ps(g))
        early_ps = work.early_ps[g, :, None]
        self.before_last = np.where(work.single[g, :, None] > 0, self.done, start + early_ps)
        self.done = start + work.compute_ps[g, :, None]
        reloaded_ps = reloads * (self.read_ps + self._bus_ps(work.ifmap_bytes, g))
        self.done = np.maximum(self.done, stored + reloaded_ps)
        self._transfer(g)

    def _direct_ps(self, g: int) -> Any:
        """When what a group's first tile reads past the scratchpad is there; 0 for nothing."""
        if math.isinf(self.timing.channels):
            return 0
        waited = self.before_last + self.read_ps + self._bus_ps(self.work.direct_bytes, g)
        return np.where(self.work.direct_bytes[g, :, None] > 0, waited, 0)

    def _bus_ps(self, n_bytes: Whole, g: int) -> NDArray[np.float64]:
        least: NDArray[np.float64] = n_bytes[g, :, None] * self.rate
        return least

    def _transfer(self, g: int) -> None:
        """Move the group's data; it is done no earlier than what it waits for."""
        work = self.work
        stores, bus_ps = work.stores[g, :, None], self._bus_ps(work.store_bytes, g)
        bus_ps = bus_ps + self._bus_ps(work.load_bytes, g)
        self.moved = self.moved + bus_ps
        self.queued = self.queued + bus_ps + work.loads[g, :, None] * self.read_ps
        self.queued = self.queued + stores * self.write_ps
        bus, dma = self.lingering
        late_ps = self._bus_ps(work.lingering_bytes, g)
        self.lingering = late_ps, late_ps + np.minimum(stores, 2) * self.write_ps
        single = work.single[g, :, None]
        self._wait(self.lingering[0] + single * bus, self.lingering[1] + single * dma)

    def _wait(self, bus_late_ps: Any, dma_late_ps: Any) -> None:
        """For the bus and the DMA, but for what may still be on its way."""
        self.done = np.maximum(self.done, self.ahead + self.moved - bus_late_ps)
        served = (self.queued - dma_late_ps) / self.timing.channels
        self.done = np.maximum(self.done, self.released + served)

    def finish(self) -> NDArray[np.float64]:
        """All stores are complete at last, that of the last tile after the tile."""
        self.done = self.done + np.where(self.work.stores[-1, :, None] > 0, self.write_ps, 0)
        self._wait(0, 0)
        return self.done * (1 - ROUNDING)
