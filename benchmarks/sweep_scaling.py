"""How a sweep scales: measured to the cores there are, computed beyond them.

    python -m benchmarks.sweep_scaling

First the same sweep with 1, 2, ... workers. Then what one task costs a Dask scheduler (empty tasks,
a scheduler and workers on the loopback) and what one point costs this process (keys, store), which
is what bounds a cluster: `workers / chunk seconds` tasks and `workers x rate` points per second.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from collections.abc import Hashable
from pathlib import Path

from distributed import Client, LocalCluster

from simulator.policy import Policy, PolicyChoice
from simulator.program_file import workload_from_json
from simulator.routes import draw_routes
from simulator.spec_file import load_spec
from simulator.study.axis import parse_axis
from simulator.study.checks import checked_axes
from simulator.study.context import Context, count_routes
from simulator.study.design import make_design
from simulator.study.evaluate import Answer, Task
from simulator.study.execute import LARGEST_CHUNK, Progress, Runner, chunk_s
from simulator.study.outcome import METRICS, Outcome, Status
from simulator.study.store import Store
from simulator.study.sweep import Sweep
from simulator.study.workers import Future, InProcess, LocalProcesses, Workers

ROOT = Path(__file__).parent.parent
SIZES = "scratchpad.capacity_kib=256:2048:+128"
AXES = ("policy=on_demand,oracle", "pe_array.rows=16,32,64,128", SIZES, "dram.bandwidth=1G:20G:+1G")
MANY_AXES = ("policy=on_demand,oracle", SIZES, "dram.bandwidth=1G:20G:+0.1G")
WARM_UP = ("pe_array.rows=8,24", SIZES)
"""Starts the processes, on array shapes that are not measured."""
EMPTY_TASKS = 2000
ASSUMED_WORKERS = (1, 2, 10, 100, 1000, 10_000)


class NoWork(InProcess):
    """Answers at once: what is left is this process's own share of a point.

    `worker_s` is what a worker would have spent on finding out what it is asked.
    """

    worker_s = 0.0

    def __init__(self, known: Context) -> None:
        self.known = known

    def submit(self, task: Task, family: Hashable = None) -> Future[Answer]:
        began_s = time.process_time()
        keys = [self.known.scenario(choices).key for choices in task.choices]
        self.worker_s += time.process_time() - began_s
        found = [Outcome(key, Status.OK, "", "event", (1.0,) * len(METRICS)) for key in keys]
        future: Future[Answer] = Future()
        future.set_result(Answer(tuple(found), 1e-3))
        return future


def context() -> Context:
    """CIFAR-100's tree on the edge NPU."""
    path = ROOT / "workloads/programs/sigmab_resnet50_cifar100.json"
    workload = workload_from_json(path.read_text(), path.name)
    routes = count_routes(draw_routes(workload, 1000, 0))
    spec = load_spec(ROOT / "accelerator_specs/edge_npu.yaml")
    return Context(
        spec, (workload,), {workload.name: routes}, PolicyChoice(Policy.ON_DEMAND), "stream"
    )


def sweep_s(workers: Workers, axes: tuple[str, ...]) -> tuple[int, float, float]:
    """Points, wall seconds and this process's CPU seconds of one sweep into a new store."""
    start = context()
    sweep = Sweep(start, make_design(checked_axes(start, [parse_axis(a) for a in axes]), None, 0))
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "s.sqlite") as store:
        began_s, cpu_s = time.perf_counter(), time.process_time()
        progress = Progress(sweep.design.n_points)
        Runner(store, sweep.study, start, workers).run(sweep.points(), progress, lambda _: None)
        wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    assert progress.finished == sweep.design.n_points
    return sweep.design.n_points, wall_s, cpu_s


def scheduler_task_s() -> float:
    """Seconds of scheduling per task, from many tasks that do nothing."""
    # Workers that are told to end complain that the scheduler has gone.
    logging.getLogger("distributed.worker").setLevel(logging.CRITICAL)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        client.gather(client.map(abs, range(100), pure=False))
        began_s = time.perf_counter()
        client.gather(client.map(abs, range(EMPTY_TASKS), pure=False))
        return (time.perf_counter() - began_s) / EMPTY_TASKS


def main() -> None:
    """Measure, then print both tables."""
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
    base = None
    for count in range(1, (os.cpu_count() or 1) + 1):
        workers: Workers = LocalProcesses(count)
        sweep_s(workers, WARM_UP)
        points, wall_s, _ = sweep_s(workers, AXES)
        workers.close()
        base = base or wall_s
        print(f"{count} workers: {points / wall_s:6.2f} points/s, {base / wall_s:.2f} x")
        rate = points / wall_s / count
    nobody = NoWork(context())
    points, _, cpu_s = sweep_s(nobody, MANY_AXES)
    point_s, task_s = (cpu_s - nobody.worker_s) / points, scheduler_task_s()
    print(f"this process: {1e6 * point_s:.0f} us per point; one task: {1e6 * task_s:.0f} us")
    print(f"at {rate:.3g} points/s per worker:")
    for count in ASSUMED_WORKERS:
        print(at_scale(count, rate, point_s, task_s))


def at_scale(count: int, speed: float, point_s: float, task_s: float) -> str:
    """How busy scheduler and this process would be with so many workers of one speed."""
    chunk = max(1.0, min(speed * chunk_s(2 * count), LARGEST_CHUNK))
    wanted = count * speed
    reached = min(wanted, 1 / point_s, chunk / task_s)
    return (
        f"{count:6d} workers: {wanted / chunk:6.0f} tasks/s, scheduler "
        f"{100 * wanted / chunk * task_s:6.1f} % busy, this process {100 * wanted * point_s:8.1f} "
        f"% busy: {reached:8,.0f} of {wanted:11,.0f} points/s"
    )


if __name__ == "__main__":
    main()
