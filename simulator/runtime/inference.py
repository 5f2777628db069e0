"""What one inference of a stream cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simulator.result import StallKind
from simulator.runtime.itinerary import Arms


@dataclass(frozen=True)
class Inference:
    """One inference, given what the scratchpad held when it started.

    Each byte of the route's weights is counted once: hit + kept + streamed + skipped.

    Attributes:
        arms: the route.
        latency_ps, energy_pj, stalls_ps: of the whole inference.
        weight_read_bytes: weight bytes fetched from DRAM, again where the plan reads them again,
            and those speculated on in vain.
        dram_read_bytes, dram_write_bytes: whole bursts on the bus.
        hit_bytes: weights that were on chip when they were needed.
        kept_bytes: weights loaded to stay.
        streamed_bytes: weights loaded and given up again.
        skipped_bytes: weights done without, because fewer of their bits were on chip.
        wasted_bytes: weights fetched for arms that were not taken.
        standin_nodes: how many nodes ran in fewer bits.
    """

    arms: Arms
    latency_ps: int
    energy_pj: float
    stalls_ps: Mapping[StallKind, int]
    weight_read_bytes: int
    dram_read_bytes: int
    dram_write_bytes: int
    hit_bytes: int
    kept_bytes: int
    streamed_bytes: int
    skipped_bytes: int
    wasted_bytes: int
    standin_nodes: int

    @property
    def weight_bytes(self) -> int:
        """The weights of the route, each byte once."""
        return self.hit_bytes + self.kept_bytes + self.streamed_bytes + self.skipped_bytes
