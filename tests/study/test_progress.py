"""Progress for people, none for pipes, and no memory for points."""

import io
import sys
import tracemalloc
from concurrent.futures import Future

import pytest

from simulator.cli.progress import ProgressLine
from simulator.study.evaluate import Answer
from simulator.study.execute import Progress, Runner, chunk_s
from simulator.study.outcome import METRICS, Outcome, Status
from simulator.study.store import Store
from simulator.study.workers import InProcess


def outcome(latency_ps: float) -> Outcome:
    metrics = tuple(latency_ps if name == "latency_mean_ps" else 0.0 for name in METRICS)
    return Outcome("key", Status.OK, "", "event", metrics)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_line_says_rate_time_left_and_best(monkeypatch):
    progress = Progress(100, finished=0)
    progress.note([(0, {}), (1, {})], [outcome(3e9), outcome(2e9)], reused=False)
    progress.note([(2, {})], [Outcome.infeasible("key", "too small")], reused=False)
    progress.note([(3, {})] * 17, [outcome(5e9)] * 17, reused=True)
    # 3 computed in 6 s, 80 left at 0.5 per second: 160 s.
    text = ProgressLine("sweep:").text(progress, 6.0)
    assert text == "sweep: 20 of 100 points; 0.5/s, 3 min left; 1 infeasible; best 2 ms"


def test_a_terminal_sees_it_and_a_pipe_does_not(monkeypatch):
    for stream, expected in ((Terminal(), "4 of 9 points"), (io.StringIO(), "")):
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr("simulator.cli.progress.RENEW_S", 0.0)
        line = ProgressLine("sweep:")
        line(Progress(9, finished=4))
        line.close()
        assert expected in stream.getvalue()
        assert bool(stream.getvalue()) is bool(expected)


class Instant(InProcess):
    """Answers without simulating."""

    def __init__(self, context):
        self.context = context

    def submit(self, task, family=None):
        found = []
        for choices in task.choices:
            key = self.context.scenario(choices).key
            found.append(Outcome(key, Status.OK, "", "event", (1.0,) * len(METRICS)))
        future = Future()
        future.set_result(Answer(tuple(found), 0.001))
        return future


def peak_bytes(context, path, count: int) -> int:
    points = ((n, {"dram.peak_bytes_per_s": 10**9 + n}) for n in range(count))
    with Store(path) as store:
        tracemalloc.start()
        Runner(store, "s", context, Instant(context)).run(points, Progress(count), lambda _: None)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert sum(1 for _ in store.rows("s")) == count
    return peak


def test_memory_is_flat_in_the_number_of_points(context, tmp_path, monkeypatch):
    monkeypatch.setattr("simulator.study.execute.SCAN_AT_ONCE", 100)
    monkeypatch.setattr("simulator.study.execute.LARGEST_CHUNK", 50)
    few = peak_bytes(context, tmp_path / "few.sqlite", 400)
    many = peak_bytes(context, tmp_path / "many.sqlite", 1600)
    assert many < 1.15 * few + 100_000


@pytest.mark.parametrize(("in_flight", "expected"), [(1, 1), (4, 1), (400, 1), (2000, 5)])
def test_tasks_grow_with_the_workers_to_spare_a_scheduler(in_flight, expected):
    # Two tasks per worker: 1,000 workers with tasks of 5 s ask for 200 tasks per second.
    assert chunk_s(in_flight) == expected
