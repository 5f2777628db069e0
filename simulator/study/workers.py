"""Where tasks are evaluated: in this process, in others beside it, or on a Dask cluster."""

from __future__ import annotations

import importlib
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Hashable
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Protocol

from simulator.errors import UserError
from simulator.study.evaluate import Answer, Task, evaluate_task

MOST_CRASHES = 3
"""So many crashes without a finished task between them end a study."""
MOST_POOLS = 32
"""Of worker processes: every pool takes a thread and some open files."""
HOMES_KEPT = 1024
"""Families whose pool is remembered."""


class WorkersError(UserError):
    """Workers that died or cannot be reached; finished points are kept."""


class Workers(Protocol):
    """Something that evaluates tasks.

    Attributes:
        in_flight: how many tasks to hand out at once, so that none idles.
    """

    in_flight: int

    def submit(self, task: Task, family: Hashable = None) -> Future[Answer]:
        """Hand out one task, if possible to where the last one of its family went."""

    def check(self) -> None:
        """Raise WorkersError if no answer can be expected any more."""

    def recover(self, error: BaseException) -> bool:
        """After a task failed with this error: whether to hand out what was in flight again."""

    def close(self) -> None:
        """Give up what is in flight."""


class InProcess:
    """One task after the other, right here."""

    in_flight = 1

    def submit(self, task: Task, family: Hashable = None) -> Future[Answer]:
        future: Future[Answer] = Future()
        future.set_result(evaluate_task(task))
        return future

    def check(self) -> None:
        """Nothing can go missing."""

    def recover(self, error: BaseException) -> bool:
        return False

    def close(self) -> None:
        """Nothing is in flight."""


class LocalProcesses:
    """Worker processes on this machine; crashed ones are replaced.

    They are split into pools, of one process each unless there are many. A family keeps to the
    pool that has set it up, as long as that has no more to do than its processes and as much
    again.
    """

    def __init__(self, count: int) -> None:
        self.in_flight = 2 * count
        self._sizes = [len(range(n, count, MOST_POOLS)) for n in range(min(count, MOST_POOLS))]
        self._crashes = 0
        self._pools = self._start()

    def submit(self, task: Task, family: Hashable = None) -> Future[Answer]:
        number = self._pool_of(family)
        future = self._pools[number].submit(evaluate_task, task)
        self._loads[number].append(future)
        future.add_done_callback(self._note)
        return future

    def _pool_of(self, family: Hashable) -> int:
        """The family's pool unless that is busy, else the least busy one."""
        for futures in self._loads:
            futures[:] = [future for future in futures if not future.done()]
        shares = [len(load) / size for load, size in zip(self._loads, self._sizes, strict=True)]
        known = self._homes.pop(family, None)
        number = known if known is not None and shares[known] < 2 else shares.index(min(shares))
        self._homes[family] = number
        while len(self._homes) > HOMES_KEPT:
            del self._homes[next(iter(self._homes))]
        return number

    def check(self) -> None:
        """The pool itself tells of a crash."""

    def recover(self, error: BaseException) -> bool:
        if not isinstance(error, BrokenProcessPool):
            return False
        self._crashes += 1
        if self._crashes > MOST_CRASHES:
            raise WorkersError(
                f"worker processes died {self._crashes} times without finishing a point, "
                "perhaps for lack of memory: try fewer --workers; finished points are kept, "
                "the same command goes on from them"
            )
        self.close()
        self._pools = self._start()
        return True

    def close(self) -> None:
        for pool in self._pools:
            pool.shutdown(wait=False, cancel_futures=True)

    def _note(self, future: Future[Answer]) -> None:
        if not future.cancelled() and future.exception() is None:
            self._crashes = 0

    def _start(self) -> list[Executor]:
        self._loads: list[list[Future[Answer]]] = [[] for _ in self._sizes]
        self._homes: dict[Hashable, int] = {}
        # Spawned, not forked: a fork of a process with threads may deadlock.
        context = multiprocessing.get_context("spawn")
        return [ProcessPoolExecutor(n, context, initializer=start_worker) for n in self._sizes]


def start_worker() -> None:
    """Leave Ctrl-C to the parent, and do not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class Cluster:
    """An existing Dask cluster, through its futures executor.

    The scheduler replaces crashed workers' tasks by itself. Every task carries all it needs, so a
    worker may join at any time; it needs the same version of this package.
    """

    def __init__(self, address: str, timeout_s: float = 20.0) -> None:
        """Connect.

        Raises:
            WorkersError: Dask is not installed, or no scheduler answers, or it has no worker.
        """
        try:
            client_class = importlib.import_module("distributed").Client
        except ImportError:
            raise WorkersError(
                "--cluster needs Dask, which is not installed: pip install "
                "'sigma-branch-simulator[cluster]'"
            ) from None
        self.address = address
        # What it logs of a lost connection is told in one line, by check and recover.
        for name in ("distributed", "distributed.client"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            self._client = client_class(address, timeout=timeout_s)
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise WorkersError(f"--cluster {address}: no scheduler answers: {reason}") from None
        threads = sum(self._client.nthreads().values())
        if threads == 0:
            self._client.close()
            raise WorkersError(f"--cluster {address}: the scheduler has no workers")
        self.in_flight = 2 * threads
        self._executor = self._client.get_executor(pure=False)

    def submit(self, task: Task, family: Hashable = None) -> Future[Answer]:
        future: Future[Answer] = self._executor.submit(evaluate_task, task)
        return future

    def check(self) -> None:
        if self._client.status != "running":
            raise WorkersError(self._lost("the connection to the scheduler was lost"))

    def recover(self, error: BaseException) -> bool:
        if isinstance(error, CancelledError):
            raise WorkersError(self._lost("the scheduler dropped the tasks, as on a restart"))
        if type(error).__name__ == "KilledWorker":
            raise WorkersError(
                self._lost("workers died again and again at the same points (out of memory?)")
            )
        missing = next((e for e in (error, error.__cause__) if isinstance(e, ImportError)), None)
        if missing is not None:
            raise WorkersError(
                f"--cluster {self.address}: a worker cannot import {missing.name!r}: install this "
                "package on every worker"
            )
        return False

    def close(self) -> None:
        self._client.close(timeout=5)

    def _lost(self, what: str) -> str:
        return (
            f"--cluster {self.address}: {what}; finished points are kept, the same command goes "
            "on from them once the cluster is back"
        )
