"""Queues with hand-made services, so that tests know what every request must experience."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from simulator.serving.arrivals import PoissonArrivals
from simulator.serving.npu import SharedNpu
from simulator.serving.queue import QueuePath, run_queue
from simulator.serving.request import Arms, Network, Request, Source, Traffic, drawn_routes
from simulator.serving.scheduling import Scheduling, make_line
from simulator.serving.service import Inference, ServiceTable, StatelessDevice

MS = 10**9
Row = tuple[Request, int, int]


class StickyDevice:
    """Keeps the weights of the last leaf: the same leaf again is faster and finds them."""

    def __init__(self, cold_ps: int, warm_ps: int) -> None:
        self.cold_ps, self.warm_ps = cold_ps, warm_ps
        self.kept: Arms | None = None

    def serve(self, arms: Arms) -> Inference:
        latency_ps, hit = self.peek(arms), arms == self.kept
        self.kept = arms
        return Inference(latency_ps, 1.0, 0 if hit else 10, 10 if hit else 0)

    def peek(self, arms: Arms) -> int:
        return self.warm_ps if arms == self.kept else self.cold_ps

    def reset(self) -> None:
        self.kept = None


def table(services_ps: Mapping[Arms, int]) -> ServiceTable:
    return ServiceTable({arms: Inference(time, 2.0, 100) for arms, time in services_ps.items()})


def request(
    number: int, arrival_ps: int, deadline_ps: int | None = None, arms: Arms = (), network: int = 0
) -> Request:
    return Request(number, network, arms, arms, arrival_ps, deadline_ps)


def serve_requests(
    requests: Sequence[Request] | Iterator[Request],
    devices: Sequence[StickyDevice | StatelessDevice],
    cold_ps: Sequence[int],
    scheduling: Scheduling = Scheduling.FIFO,
) -> tuple[QueuePath, list[Row]]:
    npu = SharedNpu(devices, cold_ps)
    rows: list[Row] = []
    path = run_queue(
        iter(requests), npu, make_line(scheduling, npu), lambda r, s, e, _: rows.append((r, s, e))
    )
    return path, rows


def poisson_traffic(
    rate_hz: int,
    count: int,
    leaves: Mapping[Arms, float] | None = None,
    deadline_ps: int | None = None,
    seed: int = 1,
) -> Traffic:
    shares = dict(leaves or {(): 1.0})
    routes = drawn_routes(tuple(shares), tuple(shares.values()), seed)
    network = Network("toy", routes, tuple(shares), deadline_ps)
    return Traffic((network,), (Source(PoissonArrivals(Fraction(rate_hz)), (0,)),), count, seed)
