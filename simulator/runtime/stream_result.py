"""What a stream of inferences cost with one way of keeping weights: sums, windows, percentiles."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulator.result import StallKind
from simulator.runtime.confidence import Interval, batch_means
from simulator.runtime.inference import Inference
from simulator.runtime.residency import Residency
from simulator.runtime.tally import Tally


@dataclass
class Window:
    """Sums over some consecutive inferences.

    Attributes:
        first: number of the first inference, from 0.
        inferences: how many.
        latency_ps, energy_pj, weight_read_bytes, dram_bytes: sums; DRAM counts whole bursts.
        weight_bytes, hit_bytes, kept_bytes, skipped_bytes, wasted_bytes: sums, see `Inference`.
        standins: inferences of which some node ran in fewer bits.
        diverted: inferences that did not take hard routing's leaf.
        right: inferences whose leaf named the true class, where that is known.
    """

    first: int
    inferences: int = 0
    latency_ps: int = 0
    energy_pj: float = 0.0
    weight_read_bytes: int = 0
    dram_bytes: int = 0
    weight_bytes: int = 0
    hit_bytes: int = 0
    kept_bytes: int = 0
    skipped_bytes: int = 0
    wasted_bytes: int = 0
    standins: int = 0
    diverted: int = 0
    right: int = 0

    def add(self, inference: Inference) -> None:
        """Count an inference."""
        self.inferences += 1
        self.latency_ps += inference.latency_ps
        self.energy_pj += inference.energy_pj
        self.weight_read_bytes += inference.weight_read_bytes
        self.dram_bytes += inference.dram_read_bytes + inference.dram_write_bytes
        self.weight_bytes += inference.weight_bytes
        self.hit_bytes += inference.hit_bytes
        self.kept_bytes += inference.kept_bytes
        self.skipped_bytes += inference.skipped_bytes
        self.wasted_bytes += inference.wasted_bytes
        self.standins += inference.standin_nodes > 0


@dataclass
class StreamResult:
    """A stream of inferences on one device; memory does not grow with its length.

    Attributes:
        residency: how weights were kept.
        window_inferences: inferences per window.
        margin: by how much less probable a resident arm may be and still be taken.
        windows: in order; their number is bounded by the choice of their length.
        latencies_ps: over all inferences.
        stalls_ps: sums by kind.
        judged: whether `right` was counted.
    """

    residency: Residency
    window_inferences: int
    margin: float = 0.0
    windows: list[Window] = field(default_factory=list)
    latencies_ps: Tally = field(default_factory=Tally)
    stalls_ps: dict[StallKind, int] = field(default_factory=lambda: dict.fromkeys(StallKind, 0))
    judged: bool = False
    _cases: set[int] = field(default_factory=set)

    def add(self, inference: Inference) -> Window:
        """Count an inference, equal ones being one object; returns the window it fell into."""
        if not self.windows or self.windows[-1].inferences == self.window_inferences:
            self.windows.append(Window(first=self.latencies_ps.count))
        window = self.windows[-1]
        window.add(inference)
        self._cases.add(id(inference))
        self.latencies_ps.add(inference.latency_ps)
        for kind, stall_ps in inference.stalls_ps.items():
            self.stalls_ps[kind] += stall_ps
        return window

    @property
    def cases(self) -> int:
        """How many different inferences (route and state) there were."""
        return len(self._cases)

    @property
    def inferences(self) -> int:
        """How many there were."""
        return self.latencies_ps.count

    def total(self, name: str) -> float:
        """Sum over the stream of one of a window's sums."""
        found: float = sum(getattr(window, name) for window in self.windows)
        return found

    def mean(self, name: str) -> float:
        """Mean per inference of one of a window's sums."""
        return self.total(name) / self.inferences

    @property
    def hit_fraction(self) -> float:
        """Share of the weight bytes needed that were on chip."""
        needed = self.total("weight_bytes")
        return self.total("hit_bytes") / needed if needed else 0.0

    def interval(self, numerator: str, denominator: str) -> Interval | None:
        """Ratio of two sums with its 95 % interval by batch means; None of a short stream."""
        return batch_means(
            [getattr(window, numerator) for window in self.windows],
            [getattr(window, denominator) for window in self.windows],
        )
