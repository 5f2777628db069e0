"""The queue in front of an NPU: requests arrive, wait, are served one at a time, and leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from simulator.serving.npu import SharedNpu
from simulator.serving.request import Request
from simulator.serving.scheduling import Line
from simulator.serving.service import Served

Record = Callable[[Request, int, int, Served], None]
"""Called in order of service with a request, its start, its end, and what its inference took."""


@dataclass(frozen=True)
class QueuePath:
    """What the queue itself did over a run.

    Attributes:
        served: requests, all of those that arrived.
        first_arrival_ps, last_arrival_ps, end_ps: the last is when the last request left.
        busy_ps: time the NPU worked.
        waiting_area_ps: number waiting, integrated over time.
        most_waiting: the longest the line ever was, behind the one in service.
        left_at_last_arrival: requests still waiting or in service when the last one arrived.
    """

    served: int
    first_arrival_ps: int
    last_arrival_ps: int
    end_ps: int
    busy_ps: int
    waiting_area_ps: int
    most_waiting: int
    left_at_last_arrival: int

    @property
    def span_ps(self) -> int:
        """From the first arrival to the last departure."""
        return self.end_ps - self.first_arrival_ps

    @property
    def utilisation_fraction(self) -> float:
        """Share of the span in which the NPU worked."""
        return self.busy_ps / self.span_ps

    @property
    def mean_waiting(self) -> float:
        """Mean number waiting, over time."""
        return self.waiting_area_ps / self.span_ps

    @property
    def mean_in_system(self) -> float:
        """Mean number waiting or in service, over time."""
        return (self.waiting_area_ps + self.busy_ps) / self.span_ps

    @property
    def offered_fraction(self) -> float | None:
        """Work that arrives per time; one or more has no steady state. None for a single burst.

        Over the arrivals' own span, in which one inference fewer falls due than arrive.
        """
        arriving_ps = self.last_arrival_ps - self.first_arrival_ps
        if not arriving_ps:
            return None
        return self.busy_ps * (self.served - 1) / (self.served * arriving_ps)


def run_queue(requests: Iterator[Request], npu: SharedNpu, line: Line, record: Record) -> QueuePath:
    """Serve every request, without idling while one waits, and record each as it ends.

    A request that arrives at the instant another ends is there to be chosen.
    """
    upcoming = next(requests, None)
    if upcoming is None:
        raise ValueError("a queue needs a request")
    first_ps = last_ps = changed_ps = upcoming.arrival_ps
    now_ps = busy_ps = area_ps = served = most = left = 0
    while upcoming is not None or len(line):
        if not len(line) and upcoming is not None:
            now_ps = max(now_ps, upcoming.arrival_ps)
        while upcoming is not None and upcoming.arrival_ps <= now_ps:
            last_ps = upcoming.arrival_ps
            area_ps += len(line) * (last_ps - changed_ps)
            changed_ps = last_ps
            line.push(upcoming)
            if last_ps < now_ps:
                most = max(most, len(line))
            upcoming = next(requests, None)
            if upcoming is None:
                left = len(line) + (last_ps < now_ps)
        area_ps += len(line) * (now_ps - changed_ps)
        changed_ps = now_ps
        request = line.pop(now_ps)
        most = max(most, len(line))
        inference = npu.serve(request)
        start_ps, now_ps = now_ps, now_ps + inference.latency_ps
        busy_ps += inference.latency_ps
        served += 1
        record(request, start_ps, now_ps, inference)
    return QueuePath(served, first_ps, last_ps, now_ps, busy_ps, area_ps, most, left)
