"""Events and events per second of the SimPy engine, against the recurrence in the same run.

    python -m benchmarks.engine_events

The number of events is exact and asserted (tests/golden holds it); times are those of this
machine, so only the ratio of the two replays of one schedule means anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from simulator.compile import compile_program
from simulator.engine import simulate
from simulator.fast.recurrence import replay
from simulator.ir import leaf_routes
from simulator.mapping.schedule import Schedule
from simulator.policy import Policy
from simulator.program_file import workload_from_json
from simulator.spec_file import load_spec

ROOT = Path(__file__).resolve().parent.parent
WORKLOADS = ("dense_resnet50", "sigmab_resnet50", "sigmab_resnet50_cifar100", "sigmab_pointnet2")
REPEATS = 5


def schedule_of(name: str) -> Schedule:
    """The schedule of the workload's first route on the edge NPU, fetched on demand."""
    path = ROOT / f"workloads/programs/{name}.json"
    program = workload_from_json(path.read_text(), path.name).program
    spec = load_spec(ROOT / "accelerator_specs/edge_npu.yaml")
    arms = leaf_routes(program)[0]
    return compile_program(program, spec, Policy.ON_DEMAND, {arms: 1}).schedules[arms]


def best_s(action: Callable[[], object]) -> float:
    """The shortest of several runs: what it takes when nothing interferes."""
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        action()
        times.append(time.perf_counter() - begin)
    return min(times)


def main() -> None:
    """Print one line per workload."""
    print(f"{'workload':26}{'tiles':>7}{'commands':>10}{'events':>9}", end="")
    print(f"{'engine':>10}{'events/s':>11}{'recurrence':>12}{'ratio':>7}")
    for name in WORKLOADS:
        schedule = schedule_of(name)
        run = simulate(schedule)
        assert run.timeline == replay(schedule)
        assert simulate(schedule).event_count == run.event_count
        engine_s = best_s(lambda s=schedule: simulate(s))
        recurrence_s = best_s(lambda s=schedule: replay(s))
        tiles, commands = len(schedule.tiles.group), len(schedule.commands.kind)
        print(f"{name:26}{tiles:7}{commands:10}{run.event_count:9}", end="")
        print(f"{engine_s * 1e3:7.1f} ms{run.event_count / engine_s:11.0f}", end="")
        print(f"{recurrence_s * 1e3:9.2f} ms{engine_s / recurrence_s:7.0f}")


if __name__ == "__main__":
    main()
