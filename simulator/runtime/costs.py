"""Latency, energy and traffic of a route given what is resident, computed once for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from simulator.derive import derive_result
from simulator.fast.recurrence import replay
from simulator.mapping.case import Wants
from simulator.mapping.managed import WeightSpan
from simulator.mapping.schedule import FetchRule, Schedule
from simulator.runtime.cut import NodeCut
from simulator.runtime.inference import Inference
from simulator.runtime.itinerary import Arms
from simulator.runtime.mapped import Mapped
from simulator.timeline import Timeline


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


class Passage(NamedTuple):
    """Everything an inference's cost depends on.

    Attributes:
        arms: the route.
        uses: its nodes, in order.
        wants: per branch met, the arms speculated on; empty where none are.
        passed: the nodes of arms speculated on in vain, none of which is taken in.
    """

    arms: Arms
    uses: Uses
    wants: tuple[Wants, ...] = ()
    passed: Uses = ()


class CostModel:
    """The cost of an inference depends on its route, its nodes' units and its guesses alone."""

    def __init__(self, mapped: Mapped, cuts: Sequence[NodeCut]) -> None:
        self._mapped, self._cuts = mapped, cuts
        self._known: dict[Passage, Inference] = {}

    def of(self, passage: Passage) -> Inference:
        """The inference, simulated at its first occurrence."""
        found = self._known.get(passage)
        if found is None:
            found = self._known[passage] = self._simulate(passage)
        return found

    def timeline(self, passage: Passage) -> Timeline:
        """What the accelerator executes, and when."""
        schedules = [self._schedule(passage, rule) for rule in self._mapped.fetches]
        return min(map(replay, schedules), key=lambda timeline: timeline.latency_ps)

    def _schedule(self, passage: Passage, rule: FetchRule) -> Schedule:
        managed: dict[str, tuple[WeightSpan, ...]] = {}
        for use in (*passage.passed, *passage.uses):
            managed |= self._cuts[use.node].spans(use.before, use.after, use.standin)
        mapped = self._mapped
        path = mapped.problem.path(passage.arms)
        return mapped.scheduler.build(
            mapped.plan, path, replace(rule, wants=passage.wants), managed
        )

    def _simulate(self, passage: Passage) -> Inference:
        arms, uses = passage.arms, passage.uses
        result = derive_result(self.timeline(passage), arms, self._mapped.spec, 0, 0)
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
            wasted_bytes=result.speculation.wasted_bytes,
            standin_nodes=sum(use.standin for use in uses),
        )
