"""Families go out together, to the worker that knows them, and no point is lost."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace

import pytest

from simulator.fast.designs import SHARED_FIELDS, structural_key
from simulator.spec_file import Override, with_overrides
from simulator.study.evaluate import Answer, Task
from simulator.study.execute import Progress, Runner
from simulator.study.look_ahead import LookAhead, family_hint
from simulator.study.outcome import METRICS, Outcome, Status
from simulator.study.store import Store
from simulator.study.workers import LocalProcesses
from tests.devices import device

ROWS = [16, 32, 64]
POINTS = [
    (n, {"dram.peak_bytes_per_s": 10**9 + n, "pe_array.rows": ROWS[n % 3]}) for n in range(90)
]


@pytest.mark.parametrize("field", sorted(SHARED_FIELDS))
def test_points_of_one_hint_share_a_structural_key(field):
    spec = device()
    part, name = field.split(".")
    value = 0.25 if "fraction" in name else 2 * getattr(getattr(spec, part), name) + 64
    changed = with_overrides(spec, [Override(field, value)])
    assert changed != spec
    assert structural_key(changed) == structural_key(spec)
    assert family_hint({field: 1, "policy": "oracle"}) == (("policy", "oracle"),)


def test_what_waits_is_bounded_and_the_stream_is_read_no_further():
    read = []
    stream = (read.append(point) or point for point in POINTS)
    waiting = LookAhead(stream, 12)
    first, taken = waiting.take(4, ())
    assert (len(read), taken) == (12, POINTS[:12:3])
    second, taken = waiting.take(2, {first})
    assert (len(read), taken) == (16, POINTS[1:5:3])
    assert second != first
    seen = 6
    while taken := waiting.take(5, {first, second})[1]:
        seen += len(taken)
    assert seen == len(POINTS)


class Recording:
    """Answers the youngest task first, without simulating."""

    in_flight = 4

    def __init__(self, context):
        self.context, self.open, self.tasks = context, [], []

    def submit(self, task, family=None):
        self.tasks.append((family, [choices["pe_array.rows"] for choices in task.choices]))
        future: Future[Answer] = Future()
        self.open.append((future, task))
        if len(self.open) == self.in_flight:
            self.answer()
        return future

    def answer(self):
        future, task = self.open.pop()
        keys = [self.context.scenario(choices).key for choices in task.choices]
        metrics = (1.0,) * len(METRICS)
        found = tuple(Outcome(key, Status.OK, "", "event", metrics) for key in keys)
        future.set_result(Answer(found, 0.2 * len(keys)))

    def check(self):
        self.answer()


def test_a_task_holds_one_family_and_all_points_are_finished(context, tmp_path, monkeypatch):
    monkeypatch.setattr("simulator.study.execute.CHECK_S", 0.01)
    context = replace(context, spec=device())
    workers = Recording(context)
    with Store(tmp_path / "s.sqlite") as store:
        Runner(store, "s", context, workers).run(POINTS, Progress(90), lambda _: None)
        assert [number for number, _, _ in store.rows("s")] == list(range(90))
    assert all(len(set(rows)) == 1 for _, rows in workers.tasks)
    assert len({family for family, _ in workers.tasks[:3]}) == 3


class Idle:
    """A pool that does nothing, for seeing what it is given."""

    def submit(self, *_):
        return Future()


def test_a_family_stays_with_its_pool_until_that_is_busy(monkeypatch):
    monkeypatch.setattr(LocalProcesses, "_start", lambda self: [Idle() for _ in self._sizes])
    workers = LocalProcesses(2)
    workers._loads, workers._homes = [[], []], {}
    task = Task(b"", "", ())
    for family in ("a", "b", "a", "a"):
        workers.submit(task, family)
    # The fourth task finds its family's pool full.
    assert [len(load) for load in workers._loads] == [2, 2]
    workers._loads[1][0].set_result(None)
    workers._loads[1][1].set_result(None)
    workers.submit(task, "b")
    assert workers._homes == {"a": 1, "b": 1}
