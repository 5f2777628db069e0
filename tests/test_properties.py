"""What must hold of every simulation, on random accelerators, networks and trees of branches."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.compile import compile_program
from simulator.cost.energy_table import energy_table
from simulator.derive import spans, total_energy
from simulator.errors import InfeasiblePlanError
from simulator.fast.recurrence import replay
from simulator.ir import Program, leaf_routes
from simulator.mapping.tiles import TransferKind
from simulator.policy import Policy
from simulator.result import Resource, StallKind
from simulator.spec import AcceleratorSpec
from tests.occupancy import peak_bytes
from tests.simulate import Run, every_schedule, latency_ps, roomy, run_route, with_part
from tests.strategies import devices, straight_programs, tree_programs

STRAIGHT = settings(max_examples=60)
TREES = settings(max_examples=20)
WIDE_OPEN = {"dma__outstanding_requests": 65536}


@STRAIGHT
@given(straight_programs(), devices())
def test_straight_programs(program: Program, spec: AcceleratorSpec) -> None:
    check(run_route(program, roomy(program, spec), Policy.ON_DEMAND), program)


@TREES
@given(tree_programs(), devices(), st.data())
def test_trees(program: Program, spec: AcceleratorSpec, data: st.DataObject) -> None:
    arms = data.draw(st.sampled_from(leaf_routes(program)))
    spec = roomy(program, spec)
    on_demand = run_route(program, spec, Policy.ON_DEMAND, arms)
    oracle = run_route(program, spec, Policy.ORACLE, arms)
    check(on_demand, program)
    check(oracle, program)
    assert oracle.result.latency_ps <= on_demand.result.latency_ps
    check_nothing_is_fetched_ahead_of_its_decision(on_demand)


def check(run: Run, program: Program) -> None:
    """Everything that must hold of one inference by itself."""
    assert replay(run.schedule) == run.engine.timeline  # every column, to the picosecond
    check_partition(run)
    check_bytes(run)
    check_weights(run, program)
    check_energy(run)
    check_resources(run)
    occupied = peak_bytes(run.engine.timeline, run.compiled.plans[run.result.arms], run.spec)
    assert occupied <= run.schedule.budget_bytes <= run.spec.scratchpad.capacity_bytes
    assert run.engine.scratchpad_peak_bytes <= run.schedule.budget_bytes


def check_partition(run: Run) -> None:
    result = run.result
    assert set(result.stalls_ps) == set(StallKind)
    assert min(result.stalls_ps.values()) >= 0
    assert result.stalls_ps[StallKind.MISPREDICT_REFETCH] == 0
    assert result.compute_ps + sum(result.stalls_ps.values()) == result.latency_ps
    end_ps = 0
    for layer in result.layers:
        assert min(layer.stalls_ps.values()) >= 0
        assert layer.compute_ps >= 0
        assert layer.start_ps == end_ps
        end_ps = layer.start_ps + layer.compute_ps + sum(layer.stalls_ps.values())
        assert layer.end_ps == end_ps
    assert end_ps == result.latency_ps


def check_bytes(run: Run) -> None:
    """Commands move what the tilings plan; the DRAM counts whole bursts of it."""
    commands, burst = run.schedule.commands, run.spec.dram.burst_bytes
    planned: Counter[TransferKind] = Counter()
    for group in run.schedule.tiled:
        for tile in group.tiles:
            planned[TransferKind.OFMAP] += tile.store_bytes
            for load in tile.loads:
                planned[load.kind] += load.n_bytes
    moved: Counter[TransferKind] = Counter()
    for kind, n_bytes, staged in zip(commands.kind, commands.n_bytes, commands.staged, strict=True):
        assert n_bytes > 0
        moved[kind] += 0 if staged else n_bytes
    assert +moved == +planned
    on_bus, extra = Counter[bool](), Counter[bool]()
    for kind, n_bytes in zip(commands.kind, commands.n_bytes, strict=True):
        on_bus[kind is TransferKind.OFMAP] += math.ceil(n_bytes / burst) * burst
        # In a device a piece may begin within a burst, and so touch one more.
        extra[kind is TransferKind.OFMAP] += burst if run.spec.dram.device else 0
    counts = run.result.counts
    for is_store, counted in ((False, counts.dram_read_bytes), (True, counts.dram_write_bytes)):
        assert on_bus[is_store] <= counted <= on_bus[is_store] + extra[is_store]
        assert counted % burst == 0
    assert counts.dram_bursts * burst == counts.dram_read_bytes + counts.dram_write_bytes
    assert counts.dram_activates <= counts.dram_bursts
    assert bool(counts.dram_activates) == bool(run.spec.dram.device and commands.kind)
    assert run.result.weight_read_bytes == moved[TransferKind.WEIGHT]


def check_weights(run: Run, program: Program) -> None:
    """A layer's weights are loaded whole, or several times whole; all tensors in DRAM likewise."""
    bits = run.spec.precision.weight_bits
    for group, layer in zip(run.schedule.groups, run.result.layers, strict=True):
        whole = sum(math.ceil(w.params * bits / 8) for w in group.group.weights)
        if whole:
            assert layer.weight_bytes >= whole
            assert layer.weight_bytes % whole == 0
        assert layer.ofmap_bytes == group.shape.ofmap_bytes


def check_energy(run: Run) -> None:
    result = run.result
    parts = total_energy([layer.energy for layer in result.layers])
    assert math.isclose(parts.total_pj, result.energy.total_pj, rel_tol=1e-9)
    for part in ("mac_pj", "vector_pj", "scratchpad_pj", "dram_pj", "static_pj"):
        assert math.isclose(getattr(parts, part), getattr(result.energy, part), rel_tol=1e-9)
    table = energy_table(run.spec)
    by_hand = (
        result.counts.vector_operations * table.vector_op_pj
        + result.counts.scratchpad_read_bytes * table.scratchpad_read_pj_per_byte
        + result.counts.scratchpad_write_bytes * table.scratchpad_write_pj_per_byte
        + result.counts.dram_read_bytes * table.dram_read_pj_per_byte
        + result.counts.dram_write_bytes * table.dram_write_pj_per_byte
        + result.counts.dram_activates * table.dram_activate_pj
        + (table.logic_static_w + table.scratchpad_static_w)
        * result.latency_ps  # 1 W = 1 pJ per ps
        + (table.dram_static_w + table.dram_refresh_w) * result.latency_ps  # 1 W = 1 pJ per ps
    )
    assert math.isclose(by_hand, result.energy.total_pj - result.energy.mac_pj, rel_tol=1e-9)


def check_resources(run: Run) -> None:
    """No resource does two things at once, nor more than there is time for."""
    busy: dict[Resource, int] = defaultdict(int)
    free_at: dict[Resource, int] = defaultdict(int)
    for span in spans(run.engine.timeline):
        assert span.start_ps >= free_at[span.resource]
        free_at[span.resource] = span.end_ps
        busy[span.resource] += span.end_ps - span.start_ps
    assert max(free_at.values()) <= run.result.latency_ps
    assert max(busy.values()) <= run.result.latency_ps
    timeline = run.engine.timeline
    for i, j in enumerate(run.schedule.tiles.load_command):
        if j >= 0:
            assert timeline.pe_start_ps[i] >= timeline.complete_ps[j]
    commands = run.schedule.commands
    for j, kind in enumerate(commands.kind):
        tile = commands.tile[j]
        if kind is TransferKind.OFMAP:
            assert timeline.issue_ps[j] >= timeline.vector_end_ps[tile]
        else:
            assert timeline.complete_ps[j] <= timeline.pe_start_ps[tile]


def check_nothing_is_fetched_ahead_of_its_decision(run: Run) -> None:
    """On demand, the code behind a branch asks for nothing before the branch is decided."""
    timeline, tiles, commands = run.engine.timeline, run.schedule.tiles, run.schedule.commands
    for decision in run.schedule.branch_tiles:
        decided = timeline.vector_end_ps[decision] + run.spec.branch_latency_ps
        for i in range(decision + 1, len(tiles.group)):
            assert timeline.pe_start_ps[i] >= decided
        for j, tile in enumerate(commands.tile):
            if tile > decision:
                assert timeline.issue_ps[j] >= decided


@TREES
@given(tree_programs(deepest=2), devices(), st.data())
def test_the_oracle_is_never_slower_on_any_route_of_a_stream(
    program: Program, spec: AcceleratorSpec, data: st.DataObject
) -> None:
    spec = roomy(program, spec)
    routes = data.draw(st.lists(st.sampled_from(leaf_routes(program)), min_size=1, max_size=8))
    weights = dict(Counter(routes))
    on_demand = compile_program(program, spec, Policy.ON_DEMAND, weights)
    oracle = compile_program(program, spec, Policy.ORACLE, weights)
    for arms in weights:
        known = replay(oracle.schedules[arms]).latency_ps
        assert known <= replay(on_demand.schedules[arms]).latency_ps


@settings(max_examples=40)
@given(straight_programs(most_layers=5), devices())
def test_every_candidate_plan_fits_physically(program: Program, spec: AcceleratorSpec) -> None:
    spec = roomy(program, spec)
    for plan, schedule in every_schedule(program, spec, Policy.ON_DEMAND):
        assert peak_bytes(replay(schedule), plan, spec) <= schedule.budget_bytes


@TREES
@given(tree_programs(deepest=2), devices(), st.data())
def test_every_candidate_plan_of_a_tree_fits_physically(
    program: Program, spec: AcceleratorSpec, data: st.DataObject
) -> None:
    spec = roomy(program, spec)
    arms = data.draw(st.sampled_from(leaf_routes(program)))
    policy = data.draw(st.sampled_from(list(Policy)))
    for plan, schedule in every_schedule(program, spec, policy, arms):
        assert peak_bytes(replay(schedule), plan, spec) <= schedule.budget_bytes


@STRAIGHT
@given(straight_programs(), devices(scratchpad__banks=1, scratchpad__capacity_kib=1))
def test_the_error_names_the_least_scratchpad(program: Program, spec: AcceleratorSpec) -> None:
    enough = roomy(program, spec)  # raises unless the named size is enough
    if enough.scratchpad.capacity_kib > 2:
        less = with_part(enough, "scratchpad", capacity_kib=enough.scratchpad.capacity_kib - 1)
        with pytest.raises(InfeasiblePlanError):
            latency_ps(program, less)


@STRAIGHT
@given(straight_programs(), devices(**WIDE_OPEN), st.sampled_from((1.001, 2, 3, 7, 100)))
def test_more_bandwidth_is_never_slower(
    program: Program, spec: AcceleratorSpec, factor: float
) -> None:
    spec = roomy(program, spec)
    rate = int(spec.dram.peak_bytes_per_s * factor)
    faster = with_part(spec, "dram", peak_bytes_per_s=rate)
    assert latency_ps(program, faster) <= latency_ps(program, spec)


@STRAIGHT
@given(straight_programs(), devices(scratchpad__banks=1), st.integers(1, 3000))
def test_more_scratchpad_is_never_slower(
    program: Program, spec: AcceleratorSpec, more_kib: int
) -> None:
    spec = roomy(program, spec)
    larger = with_part(spec, "scratchpad", capacity_kib=spec.scratchpad.capacity_kib + more_kib)
    assert latency_ps(program, larger) <= latency_ps(program, spec)


@STRAIGHT
@given(
    straight_programs(),
    devices(),
    st.sampled_from(
        [
            ("dram", "read_latency_ns"),
            ("dram", "write_latency_ns"),
            ("dma", "descriptor_latency_ns"),
        ]
    ),
    st.sampled_from((0, 0.5, 0.99)),
)
def test_less_latency_is_never_slower(
    program: Program, spec: AcceleratorSpec, field: tuple[str, str], factor: float
) -> None:
    spec = roomy(program, spec)
    part, name = field
    prompt = with_part(spec, part, **{name: getattr(getattr(spec, part), name) * factor})
    assert latency_ps(program, prompt) <= latency_ps(program, spec)


@STRAIGHT
@given(straight_programs(), devices(dma__channels=1), st.integers(2, 16))
def test_more_dma_channels_are_never_slower(
    program: Program, spec: AcceleratorSpec, channels: int
) -> None:
    spec = roomy(program, spec)
    wider = with_part(spec, "dma", channels=channels)
    assert latency_ps(program, wider) <= latency_ps(program, spec)


@TREES
@given(tree_programs(deepest=2), devices(**WIDE_OPEN), st.data())
def test_more_of_everything_is_never_slower_along_a_route(
    program: Program, spec: AcceleratorSpec, data: st.DataObject
) -> None:
    spec = roomy(program, spec)
    arms = data.draw(st.sampled_from(leaf_routes(program)))
    policy = data.draw(st.sampled_from(list(Policy)))
    better = with_part(spec, "dram", peak_bytes_per_s=spec.dram.peak_bytes_per_s * 3 // 2)
    better = with_part(
        better, "scratchpad", capacity_kib=-(-spec.scratchpad.capacity_kib * 5 // 64) * 16
    )
    better = with_part(better, "sequencer", branch_latency_ns=0)
    assert latency_ps(program, better, arms, policy) <= latency_ps(program, spec, arms, policy)
