"""Ways of keeping weights side by side on one stream, with what the best of them could reach."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.ir import Workload
from simulator.policy import PolicyChoice
from simulator.runtime.itinerary import Itinerary
from simulator.runtime.locality import Locality
from simulator.runtime.region_size import TriedSize
from simulator.runtime.stream_result import StreamResult
from simulator.runtime.streams import Stream
from simulator.spec import AcceleratorSpec


@dataclass(frozen=True)
class StreamComparison:
    """Several runs of one stream.

    Attributes:
        workload, spec, choice, stream: what was simulated.
        itinerary, node_bytes: the workload's nodes and their weights.
        locality: of the stream.
        tried_sizes: regions tried to find the one used; empty where it was given.
        results: one per way of keeping weights.
        most_hit_fraction: what no policy at any granularity exceeds, on a tree.
        optimum_hit_fraction: what is possible in the units there are, all choices tried; None
            where that was not asked for.
        margins: runs of residency-aware routing, one per way of keeping weights and margin.
    """

    workload: Workload
    spec: AcceleratorSpec
    choice: PolicyChoice
    stream: Stream
    itinerary: Itinerary
    node_bytes: tuple[int, ...]
    locality: Locality
    tried_sizes: tuple[TriedSize, ...]
    results: tuple[StreamResult, ...]
    most_hit_fraction: float
    optimum_hit_fraction: float | None = None
    margins: tuple[StreamResult, ...] = ()

    def regret(self, result: StreamResult) -> float:
        """Byte hit fraction that the clairvoyant policy has over a run, at best granularity."""
        return self.most_hit_fraction - result.hit_fraction

    @property
    def efficient_margins(self) -> tuple[bool, ...]:
        """Of the margins' runs, which no other betters in accuracy and weights read alike."""
        points = [(run.mean("right"), -run.mean("weight_read_bytes")) for run in self.margins]
        return tuple(
            not any(
                other != mine and all(o >= m for o, m in zip(other, mine, strict=True))
                for other in points
            )
            for mine in points
        )
