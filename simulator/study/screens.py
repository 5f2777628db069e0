"""Screens of many families: each made once, by itself, and kept in a file of its own."""

from __future__ import annotations

import gc
import hashlib
import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from simulator.mapping.placement import PinnedWeights
from simulator.steps import Steps
from simulator.study.axis import Choices
from simulator.study.context import Context
from simulator.study.family import Family
from simulator.study.ground import Ground
from simulator.study.screen import Screen
from simulator.study.store import StoreError
from simulator.study.workers import WorkersError, start_worker


@dataclass(frozen=True)
class ScreenTask:
    """What a screen is made from; small enough to be sent to another process.

    Attributes:
        context: packed.
        choices: a point of the family, whatever its bandwidth.
        key: of that point: the content it is computed from and the simulator's own code.
        bandwidths_bytes_per_s: that are exact, rising.
        most_room_bytes: the largest scratchpad.
    """

    context: bytes
    choices: Choices
    key: str
    bandwidths_bytes_per_s: tuple[int, ...]
    most_room_bytes: int

    @cached_property
    def file_name(self) -> str:
        """Equal for equal screens."""
        text = json.dumps([self.key, self.bandwidths_bytes_per_s, self.most_room_bytes])
        return f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npz"


def make_screen(task: ScreenTask) -> Screen:
    """Make a screen in whatever process this is."""
    gc.collect()  # a family before this one, whose plans and schedules refer to each other
    scenario = _context(task.context).scenario(task.choices)
    weights = dict(sorted(Counter(route.arms for route in scenario.routes).items()))
    family = Family(Ground(scenario.workload.program, scenario.spec, PinnedWeights()), weights)
    return Screen.of(family, scenario.spec, task.bandwidths_bytes_per_s, task.most_room_bytes)


@lru_cache(maxsize=1)
def _context(packed: bytes) -> Context:
    return Context.from_bytes(packed)


def screens_for(
    tasks: Sequence[ScreenTask], folder: Path, workers: int, steps: Steps
) -> list[Screen]:
    """The screen of every task: those of the folder, and the others made and kept there at once.

    Those that have to be made are the `steps`.

    Raises:
        StoreError: one cannot be kept; those before it are.
        WorkersError: a process died; finished screens are kept.
    """
    distinct = {task.file_name: task for task in tasks}
    found = {name: Screen.load(folder / name) for name in distinct}
    missing = [task for name, task in distinct.items() if found[name] is None]
    steps.restart(len(missing))
    steps.show()
    for task, screen in _made(missing, min(workers, len(missing))):
        _keep(screen, folder / task.file_name)
        found[task.file_name] = screen
        steps.advance()
    every = [found[task.file_name] for task in tasks]
    return [screen for screen in every if screen is not None]


def _made(tasks: Sequence[ScreenTask], workers: int) -> Iterator[tuple[ScreenTask, Screen]]:
    """Screens as they are finished."""
    if workers <= 1:
        yield from ((task, make_screen(task)) for task in tasks)
        return
    with _processes(workers) as pool:
        futures = {pool.submit(make_screen, task): task for task in tasks}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool:
            raise WorkersError(
                "a worker process died, perhaps for lack of memory: try fewer --workers; finished "
                "tables are kept, the same command goes on from them"
            ) from None


@contextmanager
def _processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """Worker processes, none of which goes on with a screen that nobody waits for."""
    # Spawned, not forked: a fork of a process with threads may deadlock.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, context, initializer=start_worker)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    pool.shutdown()


def _keep(screen: Screen, path: Path) -> None:
    """Write a file that is whole or not there."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        try:
            with partial.open("wb") as file:
                screen.save(file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from None
