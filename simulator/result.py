"""What a simulated inference cost, and why: values only, derived from one timeline."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from simulator.cost.energy import EnergyBreakdown, EventCounts
from simulator.timeline import Timeline


class StallKind(StrEnum):
    """Why neither the PE array nor the vector unit was busy.

    weight_wait, activation_wait: a tile's data was still on its way and DRAM bandwidth or
    latency was the reason. route_wait: the same, but the DMA had stood idle as long because
    the route was not known, or the decision was taking effect. scratchpad_full: the same, but
    the DMA had stood idle for lack of space, or output buffers were waiting for DRAM.
    mispredict_refetch: data of an arm not taken was fetched instead, or stood in the way
    (policies that guess; neither on_demand nor oracle does). drain: the last outputs were on
    their way to DRAM, or a last granule of an arm not taken to the scratchpad.
    """

    WEIGHT_WAIT = "weight_wait"
    ACTIVATION_WAIT = "activation_wait"
    ROUTE_WAIT = "route_wait"
    MISPREDICT_REFETCH = "mispredict_refetch"
    SCRATCHPAD_FULL = "scratchpad_full"
    DRAIN = "drain"


class Resource(StrEnum):
    """What a layer, or a span of the timeline, uses."""

    PE_ARRAY = "pe_array"
    VECTOR_UNIT = "vector_unit"
    DRAM = "dram"


@dataclass(frozen=True)
class Span:
    """One occupation of a resource, for drawing."""

    resource: Resource
    kind: str
    label: str
    start_ps: int
    end_ps: int
    n_bytes: int = 0


@dataclass(frozen=True)
class LayerResult:
    """One layer group's share of an inference; shares of all layers sum to the latency.

    Attributes:
        name, segment, op: the main layer's.
        fused: names of the layers in its epilogue.
        start_ps, end_ps: from the end of the layer before to its own; equals compute_ps plus
            its stalls.
        compute_ps: time a compute unit was busy.
        stalls_ps: by kind, all kinds present.
        pe_busy_ps, vector_busy_ps, dram_busy_ps: work of each resource for this layer.
        bound: the resource with the most work.
        weight_bytes, ifmap_bytes, ofmap_bytes: moved to or from DRAM for this layer.
        wasted_bytes: weights fetched for arms that the decision of this layer then did not take.
        tiles: number of tiles. tiling: loop order and block sizes, for people.
        counts, energy: events and their energy; static energy is its share of the time.
    """

    name: str
    segment: str
    op: str
    fused: tuple[str, ...]
    start_ps: int
    end_ps: int
    compute_ps: int
    stalls_ps: dict[StallKind, int]
    pe_busy_ps: int
    vector_busy_ps: int
    dram_busy_ps: int
    bound: Resource
    weight_bytes: int
    ifmap_bytes: int
    ofmap_bytes: int
    wasted_bytes: int
    tiles: int
    tiling: str
    counts: EventCounts
    energy: EnergyBreakdown

    @property
    def moved_bytes(self) -> int:
        """Bytes fetched from and handed to DRAM, wasted ones too; on the bus as whole bursts."""
        return self.weight_bytes + self.ifmap_bytes + self.ofmap_bytes + self.wasted_bytes


@dataclass(frozen=True)
class PrefetchWindow:
    """What could have been fetched ahead of one decision.

    Attributes:
        router: the segment that takes the decision.
        opened_ps, decided_ps: when the decision before took effect, or the start; and this one.
        idle_ps: time in between that no ordinary transfer had the DRAM bus.
        speculated_ps: of it, what speculation used.
        free_bytes: scratchpad bytes that ordinary transfers left free at the decision.
        arm_bytes: weight bytes that the arm taken loads up to its own decision.
        hideable_bytes: of these, what idle time and free bytes had sufficed for.
    """

    router: str
    opened_ps: int
    decided_ps: int
    idle_ps: int
    speculated_ps: int
    free_bytes: int
    arm_bytes: int
    hideable_bytes: int


@dataclass(frozen=True)
class SpeculationResult:
    """What became of the weights that were speculated on: planned is the sum of the next three.

    Attributes:
        planned_bytes: that room was made for.
        useful_bytes: of arms taken; `early_bytes` of them were on their way before the decision.
        wasted_bytes: of arms not taken, fetched all the same.
        cancelled_bytes: of arms not taken, called off before they were on the bus.
        useful_pj, wasted_pj, cancelled_pj: DRAM and scratchpad energy of moving these; that of the
            cancelled ones was saved.
    """

    planned_bytes: int = 0
    useful_bytes: int = 0
    early_bytes: int = 0
    wasted_bytes: int = 0
    cancelled_bytes: int = 0
    useful_pj: float = 0.0
    wasted_pj: float = 0.0
    cancelled_pj: float = 0.0


@dataclass(frozen=True)
class InferenceResult:
    """One inference along one route.

    Attributes:
        arms: the route.
        latency_ps: compute_ps plus all stalls, exactly.
        layers: per layer group, in execution order.
        counts, energy: totals over the layers.
        weight_read_bytes: weight bytes fetched from DRAM, those of arms not taken included.
        scratchpad_peak_bytes: most scratchpad bytes occupied at once.
        event_count: events the SimPy engine processed.
        timeline: when everything happened.
        speculation: what became of weights fetched, or to be fetched, before a decision.
        windows: per branch met, what could have been.
    """

    arms: tuple[int, ...]
    latency_ps: int
    compute_ps: int
    stalls_ps: dict[StallKind, int]
    layers: tuple[LayerResult, ...]
    counts: EventCounts
    energy: EnergyBreakdown
    weight_read_bytes: int
    scratchpad_peak_bytes: int
    event_count: int
    timeline: Timeline
    speculation: SpeculationResult
    windows: tuple[PrefetchWindow, ...]

    @property
    def dram_busy_ps(self) -> int:
        """Time the DRAM's bus was taken."""
        return sum(layer.dram_busy_ps for layer in self.layers)

    @property
    def activation_dram_bytes(self) -> int:
        """Activation bytes read from DRAM and written to it."""
        return sum(layer.ifmap_bytes + layer.ofmap_bytes for layer in self.layers)
