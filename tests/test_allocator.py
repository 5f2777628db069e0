"""Addresses in the scratchpad: nothing overlaps while both live, and nothing lies outside."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from simulator.errors import InfeasiblePlanError
from simulator.ir import Route
from simulator.mapping.allocator import Allocation, allocate, live_ranges
from simulator.mapping.schedule import Schedule
from simulator.mapping.tiles import TransferKind
from simulator.policy import Policy
from simulator.program_file import workload_from_json
from simulator.simulation import RunResult, run_workload
from simulator.spec_file import Override, load_spec

ROOT = Path(__file__).parent.parent
TREE = ROOT / "workloads/programs/sigmab_resnet50.json"


def run(device: str, kib: int, policy: Policy) -> RunResult:
    overrides = [Override("scratchpad.capacity_kib", kib)]
    spec = load_spec(ROOT / f"accelerator_specs/{device}.yaml", overrides)
    tree = workload_from_json(TREE.read_text(), TREE.name)
    return run_workload(tree, spec, policy, [Route(arms=(0, 0))])


@pytest.fixture(
    scope="module",
    params=[
        ("edge_npu", 320, Policy.ON_DEMAND),
        ("edge_npu", 2048, Policy.ORACLE),
        ("ethos_u65_256", 384, Policy.ON_DEMAND),
    ],
    ids=lambda param: f"{param[0]}-{param[1]}",
)
def result(request) -> RunResult:
    return run(*request.param)


def schedule_of(result: RunResult) -> tuple[Schedule, frozenset[str]]:
    ((arms, schedule),) = result.compiled.schedules.items()
    return schedule, result.compiled.plans[arms].residency.in_dram


def allocated(result: RunResult) -> tuple[Schedule, Allocation]:
    schedule, in_dram = schedule_of(result)
    return schedule, allocate(schedule, in_dram, result.spec)


def test_what_lives_is_what_the_scheduler_counted(result):
    """Tile by tile: resident tensors and buffers of layers, and the buffers of loads."""
    schedule, in_dram = schedule_of(result)
    counted = list(schedule.fixed_bytes)
    commands = schedule.commands
    for j, kind in enumerate(commands.kind):
        if kind is not TransferKind.OFMAP and not commands.staged[j]:
            for tile in range(commands.release_tile[j] + 1, commands.free_tile[j] + 1):
                counted[tile] += commands.n_bytes[j]
    alive = [0] * len(counted)
    for live in live_ranges(schedule, in_dram, result.spec):
        for tile in range(live.first_tile, live.last_tile + 1):
            alive[tile] += live.n_bytes
    assert alive == counted


def test_no_two_items_share_an_address_while_both_live(result):
    schedule, allocation = allocated(result)
    assert allocation.highest_address <= schedule.budget_bytes
    for item in allocation.placed:
        assert sum(stop - start for start, stop in item.ranges) == item.live.n_bytes
    for tile in range(len(schedule.fixed_bytes)):
        pieces = sorted(
            piece
            for item in allocation.placed
            if item.live.first_tile <= tile <= item.live.last_tile
            for piece in item.ranges
        )
        for (_, stop), (start, _) in pairwise(pieces):
            assert stop <= start, f"tile {tile}"


def test_a_budget_below_what_lives_is_refused(result):
    schedule, in_dram = schedule_of(result)
    counts: dict[int, int] = {}
    for live in live_ranges(schedule, in_dram, result.spec):
        for tile in range(live.first_tile, live.last_tile + 1):
            counts[tile] = counts.get(tile, 0) + live.n_bytes
    peak = max(counts.values())
    allocate(replace(schedule, budget_bytes=peak), in_dram, result.spec)
    with pytest.raises(InfeasiblePlanError, match="does not fit"):
        allocate(replace(schedule, budget_bytes=peak - 1), in_dram, result.spec)
