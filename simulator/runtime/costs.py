"""Latency, energy and traffic of a route given what is resident, computed once for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from simulator.derive import derive_result
from simulator.fast.recurrence import replay
from simulator.mapping.managed import WeightSpan
from simulator.mapping.plan import MappingProblem, Plan
from simulator.mapping.schedule import FetchRule, Schedule
from simulator.mapping.scheduler import Scheduler
from simulator.runtime.cut import NodeCut
from simulator.runtime.inference import Inference
from simulator.runtime.itinerary import Arms
from simulator.spec import AcceleratorSpec


class NodeUse(NamedTuple):
    """What an inference found of a node and what it left.

    Attributes:
        node: its number.
        before, after: units resident before and after its loads.
        standin: the units before were enough; nothing was loaded.
    """

    node: int
    before: int
    after: int
    standin: bool = False


Uses = tuple[NodeUse, ...]


@dataclass(frozen=True)
class Mapped:
    """A program mapped onto an accelerator, from which schedules are built."""

    spec: AcceleratorSpec
    problem: MappingProblem
    plan: Plan
    scheduler: Scheduler
    fetch: FetchRule


class CostModel:
    """The cost of an inference depends on its route and on its nodes' units alone."""

    def __init__(self, mapped: Mapped, cuts: Sequence[NodeCut]) -> None:
        self._mapped, self._cuts = mapped, cuts
        self._known: dict[tuple[Arms, Uses], Inference] = {}

    def __len__(self) -> int:
        """How many different inferences have been simulated."""
        return len(self._known)

    def of(self, arms: Arms, uses: Uses) -> Inference:
        """The inference, simulated at its first occurrence."""
        found = self._known.get((arms, uses))
        if found is None:
            found = self._known[arms, uses] = self._simulate(arms, uses)
        return found

    def schedule(self, arms: Arms, uses: Uses) -> Schedule:
        """What the accelerator executes."""
        managed: dict[str, tuple[WeightSpan, ...]] = {}
        for use in uses:
            managed |= self._cuts[use.node].spans(use.before, use.after, use.standin)
        mapped = self._mapped
        return mapped.scheduler.build(mapped.plan, mapped.problem.path(arms), mapped.fetch, managed)

    def _simulate(self, arms: Arms, uses: Uses) -> Inference:
        result = derive_result(replay(self.schedule(arms, uses)), arms, self._mapped.spec, 0, 0)
        hit = kept = streamed = skipped = 0
        for use in uses:
            cut = self._cuts[use.node]
            before, after = cut.prefix_bytes[use.before], cut.prefix_bytes[use.after]
            hit, kept = hit + before, kept + after - before
            if use.standin:
                skipped += cut.n_bytes - after
            else:
                streamed += cut.n_bytes - after
        return Inference(
            arms=arms,
            latency_ps=result.latency_ps,
            energy_pj=result.energy.total_pj,
            stalls_ps=result.stalls_ps,
            weight_read_bytes=result.weight_read_bytes,
            dram_read_bytes=result.counts.dram_read_bytes,
            dram_write_bytes=result.counts.dram_write_bytes,
            hit_bytes=hit,
            kept_bytes=kept,
            streamed_bytes=streamed,
            skipped_bytes=skipped,
            standin_nodes=sum(use.standin for use in uses),
        )
