"""How many design points a minute: exact ones by a sweep, bounds by a screen, and how both scale.

    python -m benchmarks.design_points [--points 10000] [--policies on_demand,oracle]
        [--bounds 1000000] [--plot FILE.png]

Exact points are those of an ordinary sweep on two worker processes (every column, kept in a
store); bounds are brackets between exact results. CPU seconds are those of all processes: on two
free cores a sweep's wall time is about half of them.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simulator.ir import Program, Segment, Workload
from simulator.mapping.placement import PinnedWeights
from simulator.policy import Policy, PolicyChoice
from simulator.program_file import workload_from_json
from simulator.routes import draw_routes
from simulator.spec_file import load_spec
from simulator.study.axis import parse_axis
from simulator.study.checks import checked_axes
from simulator.study.context import Context, count_routes
from simulator.study.design import make_design
from simulator.study.execute import Progress, Runner
from simulator.study.family import Family
from simulator.study.ground import Ground
from simulator.study.screen import Screen
from simulator.study.store import Store
from simulator.study.sweep import Sweep
from simulator.study.workers import LocalProcesses

ROOT = Path(__file__).parent.parent
POLICIES = (Policy.ON_DEMAND, Policy.MOST_PROBABLE, Policy.BOTH_SIBLINGS, Policy.ORACLE)
SHAPES = ("pe_array.rows=32,64", "pe_array.cols=16,32")
SLOWEST, FASTEST = 2_000_000_000, 40_000_000_000
SMALLEST_KIB, LARGEST_KIB = 256, 4096
STEPS = 80
"""Bandwidths a screen is exact at: brackets are then no wider than 4 %."""


@dataclass(frozen=True)
class Cost:
    """What something took."""

    wall_s: float
    cpu_s: float
    peak_mib: float


class Meter:
    """Wall time and CPU time of this process and its children from now on."""

    def __init__(self) -> None:
        self._wall_s, self._cpu_s = time.perf_counter(), self._cpu()

    @staticmethod
    def _cpu() -> float:
        used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(u.ru_utime + u.ru_stime for u in used)

    def read(self) -> Cost:
        """What was used since then; children count once they have ended."""
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        return Cost(time.perf_counter() - self._wall_s, self._cpu() - self._cpu_s, peak)


def context(name: str = "sigmab_resnet50") -> Context:
    """A shipped network on the edge NPU."""
    path = ROOT / f"workloads/programs/{name}.json"
    return context_of(workload_from_json(path.read_text(), path.name))


def context_of(workload: Workload) -> Context:
    """A network on the edge NPU."""
    routes = {workload.name: count_routes(draw_routes(workload, 1000, 0))}
    spec = load_spec(ROOT / "accelerator_specs/edge_npu.yaml")
    return Context(spec, (workload,), routes, PolicyChoice(Policy.ON_DEMAND), "stream")


def axes(points: int, policies: Sequence[str]) -> list[str]:
    """Policies, array shapes, and as many capacities and bandwidths as make about so many points.

    Bandwidths vary fastest: a task then has many designs for every schedule.
    """
    side = max(round((points / 4 / len(policies)) ** 0.5), 1)
    rates = np.geomspace(SLOWEST, FASTEST, side).astype(int)
    sizes = 16 * np.linspace(SMALLEST_KIB // 16, LARGEST_KIB // 16, side).astype(int)
    return [
        "policy=" + ",".join(policies),
        *SHAPES,
        "scratchpad.capacity_kib=" + ",".join(map(str, sizes)),
        "dram.bandwidth=" + ",".join(map(str, rates)),
    ]


def exact(
    start: Context, points: int, policies: Sequence[str] = (Policy.ON_DEMAND,)
) -> tuple[Cost, dict[str, int]]:
    """One sweep into a new store."""
    chosen = checked_axes(start, [parse_axis(axis) for axis in axes(points, policies)])
    sweep = Sweep(start, make_design(chosen, None, 0))
    meter = Meter()
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "s.sqlite") as store:
        workers = LocalProcesses(2)
        Runner(store, sweep.study, start, workers).run(
            sweep.points(), Progress(sweep.design.n_points), lambda _: None
        )
        workers.close()
        for child in multiprocessing.active_children():
            child.join()
        return meter.read(), store.counts(sweep.study)


def exact_alone(
    start: Context, points: int, policies: Sequence[str] = (Policy.ON_DEMAND,)
) -> tuple[Cost, dict[str, int]]:
    """`exact` in a process of its own, whose children are the workers of this sweep alone."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as process:
        return process.submit(exact, start, points, policies).result()


def bounds(start: Context, points: int) -> tuple[Cost, float, float]:
    """Brackets of random points, a chunk at a time; median and largest width."""
    (workload,) = start.workloads
    weights = dict(sorted(start.routes[workload.name].items()))
    meter = Meter()
    family = Family(Ground(workload.program, start.spec, PinnedWeights()), weights)
    rates = np.geomspace(SLOWEST, FASTEST, STEPS).astype(int).tolist()
    screen = Screen.of(family, start.spec, rates, LARGEST_KIB * 1024)
    rng = np.random.default_rng(0)
    widths = []
    for _ in range(0, points, 100_000):
        bandwidths = rng.integers(SLOWEST, FASTEST, min(points, 100_000))
        rooms = 1024 * rng.integers(SMALLEST_KIB, LARGEST_KIB, len(bandwidths))
        found = screen.brackets(bandwidths, rooms)
        widths.append(found.upper_ps / found.lower_ps - 1)
    width = np.concatenate(widths)
    return meter.read(), float(np.median(width)), float(width.max())


def first_layers(workload: Workload, count: int) -> Workload:
    """The first layers of a network without branches."""
    (segment,) = workload.program.steps
    assert isinstance(segment, Segment)
    part = Segment(name=segment.name, layers=segment.layers[:count])
    program = Program(inputs=workload.program.inputs, steps=(part,))
    return workload.model_copy(update={"program": program})


def scaling() -> tuple[list[tuple[int, Cost]], list[tuple[int, Cost]]]:
    """What on_demand costs by points, and by layers of the dense network at 400 points."""
    by_points = [(n, exact_alone(context(), n)[0]) for n in (1600, 6400, 14_400, 25_600, 40_000)]
    (dense,) = context("dense_resnet50").workloads
    by_layers = []
    for count in (40, 80, 120, 160):
        start = context_of(first_layers(dense, count))
        by_layers.append((count, exact_alone(start, 400)[0]))
    return by_points, by_layers


def plot(by_points: list[tuple[int, Cost]], by_layers: list[tuple[int, Cost]], to: Path) -> None:
    """CPU time and memory over points, CPU time over layers."""
    from matplotlib import pyplot as plt

    from reports.palette import BLUE

    figure, panels = plt.subplots(1, 3, figsize=(11, 3.2), constrained_layout=True)
    of_points = "design points of SigmaB ResNet-50 (thousands)"
    thousands = [n / 1000 for n, _ in by_points]
    shown = (
        (thousands, [cost.cpu_s for _, cost in by_points], of_points, "CPU time (s)"),
        (thousands, [cost.peak_mib for _, cost in by_points], of_points, "largest worker (MiB)"),
        (
            [n for n, _ in by_layers],
            [cost.cpu_s for _, cost in by_layers],
            "layers of dense ResNet-50 (400 points)",
            "CPU time (s)",
        ),
    )
    for panel, (across, up, across_label, up_label) in zip(panels, shown, strict=True):
        panel.plot(across, up, "o-", color=BLUE)
        panel.set(xlabel=across_label, ylabel=up_label, xlim=(0, None), ylim=(0, None))
        panel.grid(alpha=0.3)
    figure.savefig(to, dpi=150)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--policies", default=",".join(POLICIES))
    parser.add_argument("--bounds", type=int, default=1_000_000)
    parser.add_argument("--plot", type=Path)
    args = parser.parse_args()
    cost, engines = exact_alone(context(), args.points, args.policies.split(","))
    print(
        f"exact: {engines} in {cost.wall_s:.1f} s wall, {cost.cpu_s:.1f} s CPU; largest worker "
        f"{cost.peak_mib:.0f} MiB"
    )
    cost, median, widest = bounds(context(), args.bounds)
    print(
        f"bounds: {args.bounds:,} points in {cost.wall_s:.1f} s wall, {cost.cpu_s:.1f} s CPU; "
        f"width median {100 * median:.2f} %, largest {100 * widest:.2f} %"
    )
    if args.plot:
        by_points, by_layers = scaling()
        for what, costs in (("points", by_points), ("layers", by_layers)):
            for n, each in costs:
                print(
                    f"{n:,} {what}: {each.cpu_s:.1f} s CPU, largest worker {each.peak_mib:.0f} MiB"
                )
        plot(by_points, by_layers, args.plot)


if __name__ == "__main__":
    main()
