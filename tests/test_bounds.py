"""Bounds against what they bound: replays of every candidate plan, and tiles counted one by one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.compile import compile_program, fetch_rules
from simulator.cost.dram_address import Transfer
from simulator.cost.memory import memory_of
from simulator.fast.bounds import Timing, lower_bound_ps
from simulator.fast.path_work import PathWorks
from simulator.fast.recurrence import replay
from simulator.fast.upper_bound import MostTiming, MostWorks, upper_bound_ps
from simulator.ir import Program, leaf_routes
from simulator.mapping.case import Wants
from simulator.mapping.layout import place_weights
from simulator.mapping.plan import MappingProblem
from simulator.mapping.scheduler import Scheduler
from simulator.mapping.tiles import TransferKind, tile_group
from simulator.mapping.work import group_work
from simulator.policy import Policy
from simulator.spec import AcceleratorSpec
from simulator.spec_dram import Layout
from simulator.spec_file import load_spec
from tests.devices import device
from tests.networks import Net, tensor
from tests.networks import program as straight
from tests.simulate import every_plan, every_schedule, roomy, with_part
from tests.strategies import devices, straight_programs, tree_programs

ETHOS = load_spec(Path(__file__).parent.parent / "accelerator_specs/ethos_u65_256.yaml")
"""Reads its inputs by the block, past the scratchpad."""
DEVICES = st.one_of(
    devices(),
    st.sampled_from([with_part(ETHOS, "scratchpad", capacity_kib=kib) for kib in (16, 64, 384)]),
)


@settings(max_examples=25)
@given(straight_programs(), DEVICES)
def test_totals_of_a_group_are_those_of_its_tiles(program: Program, spec: AcceleratorSpec) -> None:
    spec = roomy(program, spec)
    for plan in every_plan(program, spec)[::7]:
        for group in plan.groups.values():
            tiled = tile_group(group, spec)
            compute = group.shape.compute_side(spec)
            work = group_work(group.shape, group.tiling, compute, spec.toolchain)
            assert work.tiles == len(tiled.tiles)
            cycles = Counter[int]()
            for of_tile, count in work.pe_tiles:
                cycles[of_tile] += count
            assert +cycles == Counter(t.pe_cycles for t in tiled.tiles if work.pe_tiles)
            assert work.vector_cycles == sum(t.vector_cycles for t in tiled.tiles)
            loads = [load for tile in tiled.tiles for load in tile.loads]
            moved = Counter[TransferKind]()
            for load in loads:
                moved[load.kind] += load.n_bytes
            assert work.weight_bytes == moved[TransferKind.WEIGHT]
            assert work.ifmap_bytes == moved[TransferKind.IFMAP]
            assert work.least_loads <= len(loads) <= work.loads
            stores = [tile.store_bytes for tile in tiled.tiles if tile.store_bytes]
            assert work.ofmap_bytes == sum(stores)
            assert work.least_stores <= len(stores) <= work.stores
            assert sum(stores[-2:]) <= work.lingering_bytes
            assert work.buffer_bytes <= tiled.psum_bytes + tiled.ofmap_buffer_bytes
            direct = [sum(b.n_bytes for b in t.loads if b.direct) for t in tiled.tiles]
            assert max(direct) <= work.direct_bytes
            first = sum(load.n_bytes for load in tiled.tiles[0].loads)
            assert work.first_weight_bytes + work.first_ifmap_bytes <= first


@settings(max_examples=25)
@given(straight_programs(), DEVICES)
def test_no_replay_of_a_straight_program_beats_its_bound(
    program: Program, spec: AcceleratorSpec
) -> None:
    check_lower_bounds(program, roomy(program, spec), ())


@settings(max_examples=12)
@given(tree_programs(deepest=2), DEVICES, st.data())
def test_no_replay_of_a_tree_beats_its_bound(
    program: Program, spec: AcceleratorSpec, data: st.DataObject
) -> None:
    arms = data.draw(st.sampled_from(leaf_routes(program)))
    check_lower_bounds(program, roomy(program, spec), arms)


def check_lower_bounds(program: Program, spec: AcceleratorSpec, arms: tuple[int, ...]) -> None:
    plans = every_plan(program, spec)[::5]
    path = MappingProblem(program, spec).path(arms)
    dram = memory_of(spec)
    scheduler = Scheduler(spec, dram)
    work = PathWorks(spec).of(plans, path)
    rules = {rule for policy in Policy for rule in fetch_rules(policy, spec)}
    if arms:
        guesses = (Wants((0, 1)),) * len(arms)
        rules |= {replace(fetch_rules(Policy.MOST_PROBABLE, spec)[0], wants=guesses)}
    for rule in rules:
        bounds = lower_bound_ps(work, Timing.of(spec, dram, rule))[:, 0]
        for plan, bound in zip(plans, bounds, strict=True):
            assert bound <= replay(scheduler.build(plan, path, rule)).latency_ps


@settings(max_examples=40)
@given(straight_programs(), DEVICES)
def test_the_plan_chosen_is_the_first_of_the_fastest_of_all(
    program: Program, spec: AcceleratorSpec
) -> None:
    """Whatever bounds say of the others."""
    spec = roomy(program, spec)
    every = list(every_schedule(program, spec, Policy.ON_DEMAND))
    plan, _ = min(every, key=lambda each: replay(each[1]).latency_ps)
    compiled = compile_program(program, spec, Policy.ON_DEMAND, {(): 1})
    assert compiled.plans[()].key() == plan.key()


@settings(max_examples=25)
@given(straight_programs(), DEVICES)
def test_no_replay_of_a_straight_program_exceeds_its_bound(
    program: Program, spec: AcceleratorSpec
) -> None:
    check_upper_bounds(program, roomy(program, spec), ())


@settings(max_examples=12)
@given(tree_programs(deepest=2), DEVICES, st.data())
def test_no_replay_of_a_tree_exceeds_its_bound(
    program: Program, spec: AcceleratorSpec, data: st.DataObject
) -> None:
    arms = data.draw(st.sampled_from(leaf_routes(program)))
    check_upper_bounds(program, roomy(program, spec), arms)


def check_upper_bounds(program: Program, spec: AcceleratorSpec, arms: tuple[int, ...]) -> None:
    problem = MappingProblem(program, spec)
    plans, path, dram = every_plan(program, spec)[::5], problem.path(arms), memory_of(spec)
    (rule,) = fetch_rules(Policy.ON_DEMAND, spec)
    for layout in (Layout.LAYER_MAJOR, Layout.PATH_MAJOR_DUPLICATED):
        stored = place_weights(problem.steps, with_part(spec, "dram", weight_layout=layout), dram)
        scheduler = Scheduler(spec, dram, stored)
        work = MostWorks(spec, stored).of(plans, path)
        bounds = upper_bound_ps(work, MostTiming.of(spec, dram))[:, 0]
        for plan, bound in zip(plans, bounds, strict=True):
            assert replay(scheduler.build(plan, path, rule)).latency_ps <= bound


@settings(max_examples=100)
@given(devices(), st.integers(0, 10**6), st.integers(1, 10**6), st.booleans())
def test_no_contiguous_transfer_takes_longer_than_the_most(
    spec: AcceleratorSpec, address: int, n_bytes: int, is_write: bool
) -> None:
    dram = memory_of(spec)
    most = dram.most_occupancy
    once_ps = most.write_ps if is_write else most.read_ps
    cost = dram.transfer_cost(Transfer(address, n_bytes, is_write))
    assert cost.occupancy_ps <= (most.ps_per_byte * n_bytes + once_ps) * (1 + 1e-12)


def test_a_device_that_overlaps_nothing_takes_what_the_bound_says() -> None:
    """One convolution in one tile: a load of each kind, the tile, the store, in turn."""
    image = tensor("image", 1, 16, 1, 1)
    net = Net("net")
    net.conv(image, 16)
    spec = device(dram__device=None, dram__burst_bytes=1, vector_unit__lanes=64)
    dram = memory_of(spec)
    tree = straight(net, inputs=(image,))
    problem = MappingProblem(tree, spec)
    plan, path = every_plan(tree, spec)[0], problem.path(())
    scheduler = Scheduler(spec, dram)
    (rule,) = fetch_rules(Policy.ON_DEMAND, spec)
    exact = replay(scheduler.build(plan, path, rule)).latency_ps
    work = MostWorks(spec, place_weights(problem.steps, spec, dram)).of([plan], path)
    bound = upper_bound_ps(work, MostTiming.of(spec, dram))[0, 0]
    # The second load's descriptor and latency hide behind the first, or it behind the other.
    hidden = spec.descriptor_latency_ps + dram.read_latency_ps
    assert exact <= bound <= exact + (int(work.loads[0]) - 1) * hidden + 20_000
