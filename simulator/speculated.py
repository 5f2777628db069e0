"""What became of weights that were fetched, or were to be fetched, before a decision."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulator.cost.energy import EventCounts, energy_of
from simulator.mapping.schedule import NONE
from simulator.result import Resource, Span, SpeculationResult
from simulator.spec import AcceleratorSpec
from simulator.timeline import Timeline

USEFUL, WASTED = "speculated", "wasted"
"""Kinds of spans: weights of an arm that was taken, and of one that was not."""


@dataclass(frozen=True)
class WastedTransfers:
    """What was fetched for arms that one decision did not take: bytes, DRAM's work, bus time."""

    n_bytes: int = 0
    bus_bytes: int = 0
    bursts: int = 0
    activates: int = 0
    occupancy_ps: int = 0


def wasted_transfers(timeline: Timeline, decision: int) -> WastedTransfers:
    """Fetched for arms that the decision which ends at a tile did not take."""
    speculation = timeline.schedule.speculation
    if speculation is None:
        return WastedTransfers()
    lost = [
        q for q in speculation.entries_of.get(decision, range(0)) if speculation.command[q] == NONE
    ]
    return WastedTransfers(
        n_bytes=sum(timeline.early[q].n_bytes for q in lost),
        bus_bytes=sum(_early_share(timeline, q, speculation.bus_bytes) for q in lost),
        bursts=sum(_early_share(timeline, q, speculation.bursts) for q in lost),
        activates=sum(_early_share(timeline, q, speculation.activates) for q in lost),
        occupancy_ps=sum(end - begin for q in lost for begin, end, _ in timeline.early[q].bursts),
    )


def _early_share(timeline: Timeline, entry: int, column: tuple[int, ...]) -> int:
    """What fetching part of an entry early took of a column, in proportion to the whole load."""
    speculation = timeline.schedule.speculation
    if speculation is None:
        return 0
    return column[entry] * timeline.early[entry].n_bytes // speculation.n_bytes[entry]


@dataclass(frozen=True)
class SpeculatedCounts:
    """What became of everything speculated on in one inference, as counts that cost energy."""

    planned_bytes: int = 0
    early_bytes: int = 0
    useful: EventCounts = field(default_factory=EventCounts)
    wasted: EventCounts = field(default_factory=EventCounts)
    cancelled: EventCounts = field(default_factory=EventCounts)

    def result(self, spec: AcceleratorSpec) -> SpeculationResult:
        """Bytes and energy."""
        return SpeculationResult(
            planned_bytes=self.planned_bytes,
            useful_bytes=self.useful.scratchpad_write_bytes,
            early_bytes=self.early_bytes,
            wasted_bytes=self.wasted.scratchpad_write_bytes,
            cancelled_bytes=self.cancelled.scratchpad_write_bytes,
            useful_pj=energy_of(self.useful, 0, spec).total_pj,
            wasted_pj=energy_of(self.wasted, 0, spec).total_pj,
            cancelled_pj=energy_of(self.cancelled, 0, spec).total_pj,
        )


def speculated_counts(timeline: Timeline) -> SpeculatedCounts:
    """Counts of everything speculated on in one inference."""
    speculation = timeline.schedule.speculation
    if speculation is None:
        return SpeculatedCounts()
    useful = wasted = cancelled = EventCounts()
    early_bytes = 0
    for q, n_bytes in enumerate(speculation.n_bytes):
        fetched = timeline.early[q].n_bytes
        whole = _moved(n_bytes, speculation.bus_bytes[q], speculation.activates[q])
        if speculation.command[q] != NONE:
            early_bytes += fetched
            useful += whole
            continue
        on_bus = _early_share(timeline, q, speculation.bus_bytes)
        activates = _early_share(timeline, q, speculation.activates)
        wasted += _moved(fetched, on_bus, activates)
        cancelled += _moved(
            n_bytes - fetched, whole.dram_read_bytes - on_bus, whole.dram_activates - activates
        )
    planned_bytes = sum(speculation.n_bytes)
    return SpeculatedCounts(planned_bytes, early_bytes, useful, wasted, cancelled)


def speculation_result(timeline: Timeline, spec: AcceleratorSpec) -> SpeculationResult:
    """Bytes and energy of everything speculated on in one inference."""
    if timeline.schedule.speculation is None:
        return SpeculationResult()
    return speculated_counts(timeline).result(spec)


def _moved(n_bytes: int, bus_bytes: int, activates: int) -> EventCounts:
    return EventCounts(
        scratchpad_write_bytes=n_bytes, dram_read_bytes=bus_bytes, dram_activates=activates
    )


def early_bytes(timeline: Timeline) -> dict[int, int]:
    """By ordinary command, bytes of it that were fetched before the decision."""
    speculation = timeline.schedule.speculation
    if speculation is None:
        return {}
    return {j: timeline.early[q].n_bytes for j, q in speculation.entry_of.items()}


def early_spans(timeline: Timeline) -> list[Span]:
    """The times that speculation had the DRAM bus."""
    speculation = timeline.schedule.speculation
    if speculation is None:
        return []
    return [
        Span(
            Resource.DRAM,
            WASTED if speculation.command[q] == NONE else USEFUL,
            speculation.layer[q],
            begin,
            end,
            n_bytes,
        )
        for q, early in enumerate(timeline.early)
        for begin, end, n_bytes in early.bursts
    ]
