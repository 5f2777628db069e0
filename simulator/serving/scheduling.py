"""Which of the waiting requests an idle NPU takes next; none is ever interrupted."""

from __future__ import annotations

from bisect import insort
from collections import deque
from enum import StrEnum
from heapq import heappop, heappush
from typing import Protocol

from simulator.errors import UserError
from simulator.serving.npu import SharedNpu
from simulator.serving.request import Request


class Scheduling(StrEnum):
    """The order of service.

    fifo: of arrival. edf: the earliest deadline first, equal ones by arrival. leaf_batched: as
    edf, but a request predicted to take the route that was just run goes ahead of others while
    every deadline that can still be met is met even if all inferences run cold. It gains where
    weights stay on chip from one inference to the next.
    """

    FIFO = "fifo"
    EDF = "edf"
    LEAF_BATCHED = "leaf_batched"


class Line(Protocol):
    """The requests that wait."""

    def push(self, request: Request) -> None:
        """A request arrives."""

    def pop(self, now_ps: int) -> Request:
        """The NPU is idle now: the request it takes."""

    def __len__(self) -> int:
        """How many wait."""


class FifoLine:
    """First in, first out."""

    def __init__(self) -> None:
        self._waiting: deque[Request] = deque()

    def push(self, request: Request) -> None:
        self._waiting.append(request)

    def pop(self, now_ps: int) -> Request:
        return self._waiting.popleft()

    def __len__(self) -> int:
        return len(self._waiting)


class DeadlineLine:
    """Earliest deadline first; among equal ones first in, first out."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, Request]] = []

    def push(self, request: Request) -> None:
        heappush(self._waiting, _by_deadline(request))

    def pop(self, now_ps: int) -> Request:
        return heappop(self._waiting)[2]

    def __len__(self) -> int:
        return len(self._waiting)


WINDOW = 128
"""Of the waiting requests only the most urgent are looked at for a batch."""
LONGEST_RUN = 64
"""Requests that may follow one another out of turn, so that late ones are served in the end."""


class LeafBatchedLine:
    """Earliest deadline first, but requests of the leaf that is on chip go ahead where it is safe.

    Safe means: if every inference took as long as its network's slowest from an empty scratchpad,
    all requests that it overtakes and that could meet their deadlines without it still meet them.
    Requests that are late whatever happens hold nothing up. What arrives later may find less slack
    than it would have, so deadlines that fifo meets can be missed; the result counts them.
    """

    def __init__(self, npu: SharedNpu) -> None:
        self._npu = npu
        self._cold_ps = npu.cold_ps
        self._waiting: list[tuple[int, int, Request]] = []
        self._head = 0
        self._run = 0
        self.overtakings = 0

    def push(self, request: Request) -> None:
        insort(self._waiting, _by_deadline(request), lo=self._head)

    def pop(self, now_ps: int) -> Request:
        place = self._safe_match(now_ps) if self._run < LONGEST_RUN else None
        if place is None:
            place = self._head
        overtakes = place > self._head
        self._run = self._run + 1 if overtakes else 0
        self.overtakings += overtakes
        return self._take(place)

    def __len__(self) -> int:
        return len(self._waiting) - self._head

    def _safe_match(self, now_ps: int) -> int | None:
        """The most urgent request of the leaf on chip, if it may go first."""
        end_ps = now_ps
        slack_ps: int | None = None
        for place in range(self._head, min(self._head + WINDOW, len(self._waiting))):
            deadline_ps, _, request = self._waiting[place]
            cold_ps = self._cold_ps[request.network]
            if (request.network, request.expected) == self._npu.last:
                return place if slack_ps is None or slack_ps >= cold_ps else None
            end_ps += cold_ps
            if deadline_ps >= end_ps:
                spare_ps = deadline_ps - end_ps
                slack_ps = spare_ps if slack_ps is None else min(slack_ps, spare_ps)
        return None

    def _take(self, place: int) -> Request:
        """Remove one request near the head, moving only those before it."""
        request = self._waiting[place][2]
        self._waiting[self._head + 1 : place + 1] = self._waiting[self._head : place]
        self._head += 1
        if self._head >= WINDOW and self._head * 2 >= len(self._waiting):
            del self._waiting[: self._head]
            self._head = 0
        return request


def make_line(scheduling: Scheduling, npu: SharedNpu) -> Line:
    """An empty waiting line in front of an NPU."""
    if scheduling is Scheduling.FIFO:
        return FifoLine()
    if scheduling is Scheduling.EDF:
        return DeadlineLine()
    return LeafBatchedLine(npu)


def _by_deadline(request: Request) -> tuple[int, int, Request]:
    if request.deadline_ps is None:
        raise UserError(f"scheduling by deadline: network {request.network} has none")
    return (request.deadline_ps, request.number, request)
