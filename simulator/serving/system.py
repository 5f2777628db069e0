"""An NPU with the networks it serves and the traffic it gets, run through the queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import islice

from simulator.ir import Workload
from simulator.serving.collector import Collector
from simulator.serving.npu import SharedNpu, Sharing
from simulator.serving.queue import QueuePath, run_queue
from simulator.serving.request import Arms, Request, Traffic
from simulator.serving.scheduling import LeafBatchedLine, Scheduling, make_line
from simulator.serving.service import Device, Served
from simulator.steps import Steps
from simulator.units import PS_PER_S

PILOT_REQUESTS = 5000
MOST_LEAVES = 16
"""Leaves told apart in the result, the most frequent; more would not fit a page."""


@dataclass(frozen=True)
class System:
    """What is simulated.

    Attributes:
        workloads: what the networks run, in their order.
        traffic: what arrives.
        policy: when weights behind a decision are fetched, for people.
        devices: brings a device for every network, in the state it has when nothing ran yet.
        cold_ps: by network, the longest inference that finds nothing on chip.
        region_bytes: by network, the scratchpad that keeps weights from inference to inference.
        sharing: what the networks do with the scratchpad.
        orders: by network, how its inputs follow one another, for people.
        scheduling: the order of service.
        skip: requests that are served but not counted, while the queue fills.
        static_w: power drawn while idle.
        leaves: network and arms of the leaves to tell apart.
        independent: whether an inference's cost hangs on nothing but its own route, and routes
            are drawn independently.
        label: what tells it from other systems of the same workloads.
    """

    workloads: tuple[Workload, ...]
    traffic: Traffic
    policy: str
    devices: Callable[[], Sequence[Device]]
    cold_ps: tuple[int, ...]
    region_bytes: tuple[int, ...]
    sharing: Sharing
    orders: tuple[str, ...]
    scheduling: Scheduling
    skip: int
    static_w: float
    leaves: tuple[tuple[int, Arms], ...]
    independent: bool
    label: str = ""

    @property
    def name(self) -> str:
        """The workloads' names, and the label if there is one."""
        names = " + ".join(workload.name for workload in self.workloads)
        return f"{names}, {self.label}" if self.label else names

    def npu(self) -> SharedNpu:
        """The NPU before its first inference."""
        return SharedNpu(self.devices(), self.cold_ps, self.sharing)

    def at_rate(self, rate_hz: Fraction) -> System:
        """The same system with all arrivals scaled to a total rate, each source's share kept."""
        sources = self.traffic.sources
        given = [source.arrivals.rate_hz or Fraction(1) for source in sources]
        scale = rate_hz / sum(given)
        scaled = tuple(
            replace(source, arrivals=source.arrivals.at_rate(rate * scale))
            for source, rate in zip(sources, given, strict=True)
        )
        return replace(self, traffic=replace(self.traffic, sources=scaled))

    def saturation_hz(self) -> Fraction:
        """The rate at which the NPU never rests, its first requests served in order, back to back.

        Another order may sustain more, where it finds more weights on chip.
        """
        system = self
        if any(source.arrivals.rate_hz is None for source in self.traffic.sources):
            system = self.at_rate(Fraction(1))  # any: only the order of requests counts
        npu = self.npu()
        requests = islice(system.traffic.requests(), PILOT_REQUESTS)
        times = [npu.serve(request).latency_ps for request in requests]
        return Fraction(len(times) * PS_PER_S, sum(times))


@dataclass(frozen=True)
class AgainstFifo:
    """What another order of service did to the same requests, with the same devices.

    Attributes:
        fifo_missed: deadlines that fifo misses.
        newly_missed: of those that fifo meets, how many were missed.
        newly_met: of those that fifo misses, how many were met.
    """

    fifo_missed: int
    newly_missed: int
    newly_met: int


@dataclass(frozen=True)
class ServingResult:
    """A system's run.

    Attributes:
        system: what was simulated.
        path: what the queue did.
        collected: what the requests experienced.
        switches: inferences that followed one of another network.
        overtakings: requests that leaf_batched served before more urgent ones.
        against_fifo: for another order with deadlines; else None.
    """

    system: System
    path: QueuePath
    collected: Collector
    switches: int
    overtakings: int
    against_fifo: AgainstFifo | None = None

    @property
    def idle_pj(self) -> float:
        """Static energy while no inference ran."""
        return self.system.static_w * (self.path.span_ps - self.path.busy_ps)  # W x ps = pJ

    @property
    def energy_per_request_pj(self) -> float:
        """Of the inferences and of the idle time between them."""
        return (self.collected.energy_pj + self.idle_pj) / self.path.served

    @property
    def throughput_hz(self) -> float:
        """Requests served per second, from the first arrival to the last departure."""
        return self.path.served * PS_PER_S / self.path.span_ps

    @property
    def saturated(self) -> bool:
        """Whether work arrives at least as fast as it can be done."""
        offered = self.path.offered_fraction
        return offered is not None and offered >= 1 and self.path.served > 1


def simulate_serving(
    system: System, compare: bool = True, steps: Steps | None = None
) -> ServingResult:
    """Serve all traffic of a system; with `compare` also first come first served, where it tells.

    Requests are the `steps`.

    Raises:
        UserError: scheduling by deadline where a network has none.
    """
    steps = steps or Steps()
    line_missed = _Misses()
    deadlines = any(network.deadline_ps is not None for network in system.traffic.networks)
    compare = compare and system.scheduling is not Scheduling.FIFO and deadlines
    steps.total += system.traffic.count * (2 if compare else 1)
    result = _run(system, line_missed, steps)
    if not compare:
        return result
    steps.begin("again first come first served")
    fifo_missed = _Misses()
    _run(replace(system, scheduling=Scheduling.FIFO), fifo_missed, steps)
    against = AgainstFifo(
        fifo_missed.count,
        newly_missed=line_missed.beyond(fifo_missed),
        newly_met=fifo_missed.beyond(line_missed),
    )
    return replace(result, against_fifo=against)


@dataclass
class _Misses:
    """One bit for every request: whether its deadline passed."""

    bits: bytearray = field(default_factory=bytearray)

    def note(self, index: int) -> None:
        """A request missed its deadline."""
        place = index >> 3
        if place >= len(self.bits):
            self.bits.extend(bytes(place + 1 - len(self.bits)))
        self.bits[place] |= 1 << (index & 7)

    @property
    def count(self) -> int:
        """How many missed."""
        return int.from_bytes(self.bits, "little").bit_count()

    def beyond(self, other: _Misses) -> int:
        """How many missed here but not there."""
        mine, theirs = (int.from_bytes(misses.bits, "little") for misses in (self, other))
        return (mine & ~theirs).bit_count()


def _run(system: System, misses: _Misses, steps: Steps) -> ServingResult:
    npu = system.npu()
    line = make_line(system.scheduling, npu)
    networks = frozenset(range(len(system.traffic.networks)))
    collector = Collector(frozenset(system.leaves), networks, system.skip)

    def record(request: Request, start_ps: int, end_ps: int, inference: Served) -> None:
        if request.deadline_ps is not None and end_ps > request.deadline_ps:
            misses.note(request.number)
        collector.record(request, start_ps, end_ps, inference)
        steps.advance()

    path = run_queue(system.traffic.requests(), npu, line, record)
    collector.finish()
    overtakings = line.overtakings if isinstance(line, LeafBatchedLine) else 0
    return ServingResult(system, path, collector, npu.switches, overtakings)
