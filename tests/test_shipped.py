"""The shipped networks on the shipped device: never slower with more, repeatable, and quick."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from simulator.compile import compile_program
from simulator.engine import simulate
from simulator.fast.recurrence import replay
from simulator.ir import Workload, leaf_routes
from simulator.policy import Policy
from simulator.program_file import workload_from_json
from simulator.spec import AcceleratorSpec
from simulator.spec_file import Override, load_spec, with_overrides
from tests.occupancy import peak_bytes

ROOT = Path(__file__).resolve().parent.parent
RESNETS = ("dense_resnet50_cifar100", "sigmab_resnet50_cifar100")
CAPACITIES_KIB = (201, 256, 300, 333, 511, 777, 1024, 1500, 2047, 2048, 3001, 6000)
RATES_MB_PER_S = (500, 1700, 3200, 4266, 6400, 8533, 12_800, 17_000, 25_600, 51_200, 200_000)


@cache
def shipped(name: str) -> Workload:
    path = ROOT / f"workloads/programs/{name}.json"
    return workload_from_json(path.read_text(), path.name)


def edge_npu(**fields: float) -> AcceleratorSpec:
    overrides = [Override(name.replace("__", "."), value) for name, value in fields.items()]
    return with_overrides(load_spec(ROOT / "accelerator_specs/edge_npu.yaml"), overrides)


def latency_ps(name: str, spec: AcceleratorSpec, policy: Policy = Policy.ON_DEMAND) -> int:
    workload = shipped(name)
    arms = leaf_routes(workload.program)[-1]
    compiled = compile_program(workload.program, spec, policy, {arms: 1})
    return replay(compiled.schedules[arms]).latency_ps


@pytest.mark.parametrize("name", RESNETS)
def test_more_scratchpad_is_never_slower(name: str) -> None:
    found = [latency_ps(name, edge_npu(scratchpad__capacity_kib=kib)) for kib in CAPACITIES_KIB]
    assert all(more <= less for less, more in pairwise(found))
    assert found[-1] < found[0]


@pytest.mark.parametrize("name", RESNETS)
def test_more_bandwidth_is_never_slower(name: str) -> None:
    # Single-ported scratchpad, and enough requests in flight for the fastest memory.
    found = [
        latency_ps(
            name, edge_npu(dram__peak_bytes_per_s=rate * 10**6, dma__outstanding_requests=65536)
        )
        for rate in RATES_MB_PER_S
    ]
    assert all(more <= less for less, more in pairwise(found))
    assert found[-1] < found[0]


@pytest.mark.parametrize("name", ["sigmab_resnet50_cifar100", "sigmab_pointnet2"])
def test_the_oracle_is_never_slower(name: str) -> None:
    for kib in (512, 2048):
        spec = edge_npu(scratchpad__capacity_kib=kib)
        assert latency_ps(name, spec, Policy.ORACLE) <= latency_ps(name, spec)


@pytest.mark.parametrize(
    "name", [*RESNETS, "dense_pointnet2", "sigmab_pointnet2", "sigmab_vit_small"]
)
def test_everything_has_its_place_on_chip(name: str) -> None:
    workload, spec = shipped(name), edge_npu(scratchpad__capacity_kib=700)
    arms = leaf_routes(workload.program)[0]
    for policy in Policy:
        compiled = compile_program(workload.program, spec, policy, {arms: 1})
        schedule = compiled.schedules[arms]
        run = simulate(schedule)
        assert run.timeline == replay(schedule)
        occupied = peak_bytes(run.timeline, compiled.plans[arms], spec)
        assert occupied <= schedule.budget_bytes <= spec.scratchpad.capacity_bytes


RUN_TWICE = """
from tests.test_shipped import edge_npu, shipped
from simulator.policy import Policy
from simulator.result_file import run_to_json
from simulator.routes import draw_routes
from simulator.simulation import run_workload
workload = shipped("sigmab_pointnet2")
run = run_workload(workload, edge_npu(), Policy.ON_DEMAND, draw_routes(workload, 50, 3), seed=3)
print(run_to_json(run, "edge_npu"), end="")
"""


def test_results_do_not_depend_on_the_hash_seed() -> None:
    digests = set()
    for hash_seed in ("0", "1", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", RUN_TWICE],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        )
        assert len(done.stdout) > 10_000
        digests.add(hashlib.sha256(done.stdout).hexdigest())
    assert len(digests) == 1


def test_compiling_and_simulating_take_no_longer_than_they_should() -> None:
    # A fraction of a second each on one core of 2020; the limits are for a busy machine. The
    # exact number of events is among the goldens.
    workload, spec = shipped("sigmab_resnet50"), edge_npu()
    arms = leaf_routes(workload.program)[0]
    begin = time.process_time()
    compiled = compile_program(workload.program, spec, Policy.ON_DEMAND, {arms: 1})
    compiling_s = time.process_time() - begin
    begin = time.process_time()
    run = simulate(compiled.schedules[arms])
    simulating_s = time.process_time() - begin
    assert compiling_s < 6
    assert simulating_s < 1.5
    tiles, commands = (
        len(compiled.schedules[arms].tiles.group),
        len(compiled.schedules[arms].commands.kind),
    )
    # Per tile the sequencer, the array and the vector unit; per command the DMA and the DRAM.
    assert run.event_count < 12 * (tiles + commands)
