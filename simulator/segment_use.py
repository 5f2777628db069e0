"""How well each node of the tree uses DRAM: row hits and whole bursts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from simulator.result import LayerResult


@dataclass(frozen=True)
class SegmentUse:
    """Traffic of one segment: bytes wanted, bytes on the bus, column commands, rows opened."""

    moved_bytes: int = 0
    bus_bytes: int = 0
    bursts: int = 0
    activates: int = 0

    @property
    def row_hit_fraction(self) -> float | None:
        """Share of bursts that needed no activate; None without traffic or without rows."""
        return 1 - self.activates / self.bursts if self.activates else None

    @property
    def burst_efficiency_fraction(self) -> float | None:
        """Bytes wanted over bytes on the bus; None without traffic."""
        return self.moved_bytes / self.bus_bytes if self.bus_bytes else None


def segment_use(layers: Iterable[LayerResult]) -> dict[str, SegmentUse]:
    """The use of each segment, in the order in which they run."""
    found: dict[str, SegmentUse] = {}
    for layer in layers:
        before, counts = found.get(layer.segment, SegmentUse()), layer.counts
        found[layer.segment] = SegmentUse(
            before.moved_bytes + layer.moved_bytes,
            before.bus_bytes + counts.dram_read_bytes + counts.dram_write_bytes,
            before.bursts + counts.dram_bursts,
            before.activates + counts.dram_activates,
        )
    return found
