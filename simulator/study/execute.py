"""Runs a study: hands out what is not known yet, keeps what comes back, and tells how far it is."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from dataclasses import dataclass
from itertools import islice

from simulator.study.axis import Choices
from simulator.study.code_version import CODE_SHA256
from simulator.study.context import REASONS, Context
from simulator.study.evaluate import Answer, Task
from simulator.study.look_ahead import FamilyHint, LookAhead, Point
from simulator.study.outcome import Outcome, Status
from simulator.study.store import Store
from simulator.study.workers import Workers

CHUNK_S = 1.0
"""About how long a task should take: long against handing it out, short to lose."""
MOST_TASKS_PER_S = 200
"""A Dask scheduler takes about 1 ms per task: with more workers, tasks are larger."""
LARGEST_CHUNK = 1024
SCAN_AT_ONCE = 1024
LOOK_AHEAD_SCANS = 4
"""How far beyond the points handed out others of their family are looked for."""
CHECK_S = 1.0


@dataclass(frozen=True)
class _Chunk:
    """Points of one family with their keys."""

    family: FamilyHint
    points: list[tuple[Point, str]]


_InFlight = dict[Future[Answer], _Chunk]


@dataclass
class Progress:
    """How far a study is, for people.

    Attributes:
        total: points of the study. finished: of them, now. reused: of these, known before.
        infeasible: points without figures, seen this time.
        best: the feasible point of least mean latency seen this time, and its choices.
    """

    total: int
    finished: int = 0
    reused: int = 0
    infeasible: int = 0
    best: tuple[Choices, Outcome] | None = None

    def note(self, points: Sequence[Point], outcomes: Sequence[Outcome], reused: bool) -> None:
        """Count finished points."""
        self.finished += len(points)
        self.reused += len(points) if reused else 0
        for (_, choices), outcome in zip(points, outcomes, strict=True):
            if outcome.status is Status.INFEASIBLE:
                self.infeasible += 1
                continue
            if self.best is None or _latency_ps(outcome) < _latency_ps(self.best[1]):
                self.best = (choices, outcome)


Watcher = Callable[[Progress], None]


class Runner:
    """Evaluates points of one study on some workers and keeps them in a store."""

    def __init__(self, store: Store, study: str, context: Context, workers: Workers) -> None:
        self.store, self.study, self.context, self.workers = store, study, context, workers
        self._packed = context.to_bytes()
        self._size = 1
        self._chunk_s = chunk_s(workers.in_flight)

    def run(self, points: Iterable[Point], progress: Progress, watch: Watcher) -> None:
        """Finish all points, those known already at once; memory does not grow with them.

        Points come in the order of their numbers.

        Raises:
            StoreError: results cannot be kept.
            WorkersError: no more results can be expected.
        """
        watch(progress)
        missing = self._missing(points, progress, watch)
        waiting = LookAhead(missing, LOOK_AHEAD_SCANS * SCAN_AT_ONCE)
        in_flight: _InFlight = {}
        again: list[_Chunk] = []
        while True:
            while len(in_flight) < self.workers.in_flight:
                busy = {chunk.family for chunk in in_flight.values()}
                chunk = again.pop() if again else self._next(waiting, busy, progress)
                if chunk is None:
                    break
                try:
                    in_flight[self._submit(chunk)] = chunk
                except BrokenExecutor as error:
                    again += [chunk, *self._recovered(in_flight, error)]
            if not in_flight:
                return
            done, _ = wait(in_flight, CHECK_S, FIRST_COMPLETED)
            if not done:
                self.workers.check()
            again += self._collect(in_flight, done, progress)
            watch(progress)

    def _missing(
        self, points: Iterable[Point], progress: Progress, watch: Watcher
    ) -> Iterator[Point]:
        """Points that this study has not finished; the others are counted on the way."""
        stream = iter(points)
        while batch := list(islice(stream, SCAN_AT_ONCE)):
            there = self.store.finished(self.study, batch[0][0], batch[-1][0] + 1)
            progress.finished += len(there)
            progress.reused += len(there)
            watch(progress)
            yield from (point for point in batch if point[0] not in there)

    def _next(
        self, waiting: LookAhead, busy: Container[FamilyHint], progress: Progress
    ) -> _Chunk | None:
        """Points to evaluate, of a family that is not busy if possible; None if all are done.

        Keys are looked up late: another process may have finished them meanwhile.
        """
        while True:
            family, points = waiting.take(self._size, busy)
            if not points:
                return None
            unknown = list(self._unknown(points, progress))
            if unknown:
                return _Chunk(family, unknown)

    def _unknown(self, points: Sequence[Point], progress: Progress) -> Iterator[tuple[Point, str]]:
        keyed: list[tuple[Point, str]] = []
        impossible: list[tuple[Point, Outcome]] = []
        for point in points:
            try:
                keyed.append((point, self.context.scenario(point[1]).key))
            except REASONS as error:
                key = self.context.invalid_key(point[1])
                impossible.append((point, Outcome.infeasible(key, str(error))))
        known = self.store.known([key for _, key in keyed])
        found = [(point, known[key]) for point, key in keyed if key in known]
        for settled, reused in ((impossible, False), (found, True)):
            if settled:
                self._keep([p for p, _ in settled], [o for _, o in settled], progress, reused)
        yield from ((point, key) for point, key in keyed if key not in known)

    def _submit(self, chunk: _Chunk) -> Future[Answer]:
        """Hand out a chunk; choices that lead to the same scenario are evaluated once."""
        distinct = {key: choices for (_, choices), key in chunk.points}
        task = Task(self._packed, CODE_SHA256, tuple(distinct.values()))
        return self.workers.submit(task, chunk.family)

    def _collect(
        self, in_flight: _InFlight, done: Iterable[Future[Answer]], progress: Progress
    ) -> list[_Chunk]:
        """Keep the finished tasks; returns the chunks to hand out again."""
        again: list[_Chunk] = []
        failure: BaseException | None = None
        for future in done:
            chunk = in_flight.pop(future)
            error = CancelledError() if future.cancelled() else future.exception()
            if error is not None:
                failure = error
                again.append(chunk)
                continue
            answer = future.result()
            by_key = {outcome.key: outcome for outcome in answer.outcomes}
            points = [point for point, _ in chunk.points]
            self._keep(points, [by_key[key] for _, key in chunk.points], progress, False)
            self._pace(len(answer.outcomes), answer.elapsed_s)
        if failure is not None:
            again += self._recovered(in_flight, failure)
        return again

    def _recovered(self, in_flight: _InFlight, error: BaseException) -> list[_Chunk]:
        """What was in flight when workers failed, for it to be handed out again."""
        if not self.workers.recover(error):
            raise error
        lost = list(in_flight.values())
        in_flight.clear()
        return lost

    def _keep(
        self,
        points: Sequence[Point],
        outcomes: Sequence[Outcome],
        progress: Progress,
        reused: bool,
    ) -> None:
        self.store.add(self.study, points, outcomes)
        progress.note(points, outcomes, reused)

    def _pace(self, count: int, elapsed_s: float) -> None:
        """Let the next chunks take about chunk_s, growing at most twofold at a time."""
        fitting = int(count * self._chunk_s / max(elapsed_s, 1e-6))
        self._size = max(1, min(fitting, 2 * self._size, LARGEST_CHUNK))


def chunk_s(in_flight: int) -> float:
    """How long a task should take where so many are handed out at once, two per worker."""
    return max(CHUNK_S, in_flight / 2 / MOST_TASKS_PER_S)


def _latency_ps(outcome: Outcome) -> float:
    value = outcome.metric("latency_mean_ps")
    return float(value) if value is not None else float("inf")
