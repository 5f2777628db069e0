"""The event engine: timelines worked by hand, and the recurrence on schedules no planner makes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.derive import spans
from simulator.engine import simulate
from simulator.engine.scratchpad import CapacityExceededError
from simulator.fast.recurrence import latency_lower_bound_ps, replay
from simulator.ir import Branch, Program
from simulator.mapping.schedule import (
    NONE,
    CommandColumns,
    ReleaseCause,
    Schedule,
    TileColumns,
)
from simulator.mapping.tiles import TransferKind
from simulator.policy import Policy
from simulator.result import Resource, StallKind
from tests.devices import device
from tests.networks import Net, program, tensor
from tests.simulate import run_route

NS = 1000
WEIGHT, IFMAP, OFMAP = TransferKind.WEIGHT, TransferKind.IFMAP, TransferKind.OFMAP


def stalls_ns(stalls_ps: dict[StallKind, int]) -> dict[str, float]:
    return {kind.value: time / NS for kind, time in stalls_ps.items() if time}


def one_layer() -> Program:
    x = tensor("x", 1, 16)
    net = Net("net")
    net.linear(x, 16)
    return program(net, inputs=(x,))


def test_one_layer_by_hand() -> None:
    # 8 GB/s in bursts of 32 B: 4 ns each. Descriptor 10 ns, latency 100 ns, two channels.
    # Weights and bias, 272 B = 9 bursts: issued at 0, bus 10 to 46, complete at 146 ns.
    # Input, 16 B = 1 burst: issued at 0 on the other channel, bus 46 to 50, complete at 150.
    # 16 x 16 MACs on 16 x 16: one cycle, 150 to 151.
    # Output, 1 burst: issued at 151, bus 161 to 165, complete at 265.
    run = run_route(one_layer(), device(), Policy.ON_DEMAND)
    timeline, schedule = run.engine.timeline, run.schedule
    assert schedule.commands.kind == (WEIGHT, IFMAP, OFMAP)
    assert timeline.issue_ps == (0, 0, 151 * NS)
    assert timeline.bus_start_ps == (10 * NS, 46 * NS, 161 * NS)
    assert timeline.bus_end_ps == (46 * NS, 50 * NS, 165 * NS)
    assert timeline.complete_ps == (146 * NS, 150 * NS, 265 * NS)
    assert (timeline.pe_start_ps, timeline.pe_end_ps) == ((150 * NS,), (151 * NS,))
    assert run.result.latency_ps == 265 * NS
    assert run.result.compute_ps == 1 * NS
    # The tile waits for what arrives last, its input; then the output drains.
    assert stalls_ns(run.result.stalls_ps) == {"activation_wait": 150, "drain": 114}
    # 16 B of input, 272 B of weights and 16 B of output lie there at once.
    assert run.engine.scratchpad_peak_bytes == 304
    counts = run.result.counts
    assert (counts.macs, counts.dram_read_bytes, counts.dram_write_bytes) == (256, 288 + 32, 32)
    # Read: 16 inputs and 256 weights by the array, 16 outputs by the DMA. Written: 272 + 16 by
    # the DMA, 16 by the array.
    assert (counts.scratchpad_read_bytes, counts.scratchpad_write_bytes) == (288, 304)


def test_the_layers_own_figures_by_hand() -> None:
    run = run_route(one_layer(), device(), Policy.ON_DEMAND)
    (layer,) = run.result.layers
    assert (layer.name, layer.segment, layer.op, layer.fused) == (
        "net.0.linear",
        "net",
        "linear",
        (),
    )
    assert (layer.weight_bytes, layer.ifmap_bytes, layer.ofmap_bytes) == (272, 16, 16)
    assert (layer.pe_busy_ps, layer.vector_busy_ps, layer.dram_busy_ps) == (1 * NS, 0, 44 * NS)
    assert layer.bound is Resource.DRAM
    assert (layer.tiles, layer.tiling) == (1, "k_outer k16 p1 c16")
    assert (layer.start_ps, layer.end_ps) == (0, run.result.latency_ps)
    drawn = [
        (s.resource, s.kind, s.start_ps, s.end_ps, s.n_bytes) for s in spans(run.engine.timeline)
    ]
    assert drawn == [
        (Resource.DRAM, "weight", 10 * NS, 46 * NS, 272),
        (Resource.DRAM, "ifmap", 46 * NS, 50 * NS, 16),
        (Resource.DRAM, "ofmap", 161 * NS, 165 * NS, 16),
        (Resource.PE_ARRAY, "compute", 150 * NS, 151 * NS, 0),
    ]


def test_one_channel_serves_one_command_at_a_time() -> None:
    # The input is issued when the weights are complete: 146 + 10 + 4 + 100 = 260 ns.
    run = run_route(one_layer(), device(dma__channels=1), Policy.ON_DEMAND)
    assert run.engine.timeline.issue_ps == (0, 146 * NS, 261 * NS)
    assert run.engine.timeline.complete_ps == (146 * NS, 260 * NS, 375 * NS)


def test_a_clock_that_no_picosecond_divides_rounds_each_tile_up() -> None:
    # The one cycle takes 3,003.003 ps at 333 MHz.
    run = run_route(one_layer(), device(pe_array__clock_hz=333 * 10**6), Policy.ON_DEMAND)
    timeline = run.engine.timeline
    assert timeline.pe_end_ps[0] - timeline.pe_start_ps[0] == 3004


def two_arms() -> Program:
    """A layer, a router of one layer and two arms of one layer each, none with a bias."""
    x = tensor("x", 1, 16)
    trunk, gate, left, right = (Net(name) for name in ("trunk", "gate", "left", "right"))
    y = trunk.linear(x, 16, bias=False)
    gate.argmax(gate.linear(y, 2, bias=False))
    left.linear(y, 16, bias=False)
    right.linear(right.linear(y, 16, bias=False), 16, bias=False)
    arms = (program(left), program(right))
    return program(trunk, Branch(name="b", router=gate.segment(), arms=arms), inputs=(x,))


ON_CHIP = {"io__input_location": "scratchpad", "io__output_location": "scratchpad"}


def test_on_demand_by_hand() -> None:
    # Trunk weights, 256 B: bus 10 to 42, complete 142; computed 142 to 143.
    # Router weights, 32 B: bus 42 to 46, complete 146; computed 146 to 147, argmax 147 to 148.
    # 100 ns later, at 248, the arm's 256 B are issued: bus 258 to 290, complete 390; done at 391.
    run = run_route(two_arms(), device(**ON_CHIP), Policy.ON_DEMAND, (0,))
    timeline = run.engine.timeline
    assert timeline.issue_ps == (0, 0, 248 * NS)
    assert timeline.complete_ps == (142 * NS, 146 * NS, 390 * NS)
    assert timeline.vector_end_ps == (143 * NS, 147 * NS, 148 * NS, 391 * NS)
    assert run.result.compute_ps == 4 * NS
    # 142 and 3 ns for weights. Then 100 ns until the decision holds, and the arm's load takes
    # 142 ns, for longer than which the bus had stood idle (46 to 248) with room to spare.
    assert stalls_ns(run.result.stalls_ps) == {"weight_wait": 145, "route_wait": 242}


def test_the_oracle_by_hand() -> None:
    # The arm's weights have a queue of their own, and the bus as soon as it is idle: 46 to 78,
    # complete 178. The arm still starts no earlier than the decision holds, at 248.
    run = run_route(two_arms(), device(**ON_CHIP), Policy.ORACLE, (0,))
    timeline = run.engine.timeline
    assert timeline.early[0].bursts == ((46 * NS, 78 * NS, 256),)
    assert timeline.complete_ps[2] == 178 * NS
    assert run.result.latency_ps == 249 * NS
    assert stalls_ns(run.result.stalls_ps) == {"weight_wait": 145, "route_wait": 100}


def test_the_engine_refuses_a_schedule_that_does_not_fit() -> None:
    run = run_route(one_layer(), device(), Policy.ON_DEMAND)
    with pytest.raises(CapacityExceededError, match="304 B in a scratchpad budget of 303 B"):
        simulate(replace(run.schedule, budget_bytes=303))


def hand_made(tiles: list[tuple[int, int]]) -> Schedule:
    """A schedule without transfers: (PE ps, vector ps) of each tile of one layer."""
    n = len(tiles)
    none, zero = (NONE,) * n, (0,) * n
    columns = TileColumns(
        group=zero,
        pe_ps=tuple(pe for pe, _ in tiles),
        vector_ps=tuple(vector for _, vector in tiles),
        after_tile=none,
        after_delay_ps=zero,
        load_command=none,
        store_command=none,
    )
    return Schedule(
        groups=(),
        tiled=(),
        tiles=columns,
        commands=CommandColumns((), (), (), (), (), (), (), (), (), (), (), ()),
        fixed_bytes=zero,
        budget_bytes=0,
        channels=1,
        descriptor_ps=0,
        branch_tiles=(),
        branch_room_ps=(),
    )


def test_the_vector_unit_streams_behind_the_array_two_tiles_apart() -> None:
    # Vector work starts with its tile and ends no earlier; accumulators are double buffered, so
    # the third tile waits until the first has left the vector unit.
    timeline = simulate(hand_made([(5, 20), (5, 20), (5, 3), (50, 1)])).timeline
    assert timeline.pe_start_ps == (0, 5, 20, 40)
    assert timeline.pe_end_ps == (5, 10, 25, 90)
    assert timeline.vector_start_ps == (0, 20, 40, 43)
    assert timeline.vector_end_ps == (20, 40, 43, 90)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Any schedule whose entries wait for earlier ones: also those that no planner would make."""
    n = draw(st.integers(1, 12))
    times = st.sampled_from((0, 1, 7, 1000, 3003))
    releases = sorted(draw(st.lists(st.integers(-1, n - 1), max_size=15)))
    m = len(releases)

    def column(count: int) -> tuple[int, ...]:
        return tuple(draw(st.lists(times, min_size=count, max_size=count)))

    def earlier_command(i: int) -> int:
        """One released by a tile before tile i, or none."""
        known = sum(release < i for release in releases)
        return draw(st.integers(-1, known - 1))

    kinds = tuple(draw(st.sampled_from((WEIGHT, IFMAP, OFMAP))) for _ in range(m))
    tiles = TileColumns(
        group=(0,) * n,
        pe_ps=column(n),
        vector_ps=column(n),
        after_tile=tuple(draw(st.sampled_from((NONE, i - 1))) for i in range(n)),
        after_delay_ps=column(n),
        load_command=tuple(earlier_command(i) for i in range(n)),
        store_command=tuple(earlier_command(i) for i in range(n)),
    )
    commands = CommandColumns(
        kind=kinds,
        n_bytes=(1,) * m,
        tile=tuple(max(release, 0) for release in releases),
        release_tile=tuple(releases),
        release_delay_ps=column(m),
        release_cause=(ReleaseCause.SPACE,) * m,
        after_command=tuple(draw(st.integers(-1, j - 1)) for j in range(m)),
        free_tile=(n - 1,) * m,
        staged=(False,) * m,
        bus_bytes=(1,) * m,
        occupancy_ps=column(m),
        latency_ps=column(m),
    )
    return replace(
        hand_made([(0, 0)] * n),
        tiles=tiles,
        commands=commands,
        budget_bytes=m,
        channels=draw(st.integers(1, 3)),
        descriptor_ps=draw(times),
    )


@settings(max_examples=300)
@given(schedules())
def test_engine_and_recurrence_agree_on_any_schedule(schedule: Schedule) -> None:
    timeline = simulate(schedule).timeline
    assert replay(schedule) == timeline
    assert timeline.latency_ps >= latency_lower_bound_ps(schedule)


@settings(max_examples=100)
@given(schedules(), st.data())
def test_no_time_falls_when_a_duration_grows(schedule: Schedule, data: st.DataObject) -> None:
    part, column = data.draw(
        st.sampled_from(
            [
                ("tiles", "pe_ps"),
                ("tiles", "vector_ps"),
                ("tiles", "after_delay_ps"),
                ("commands", "occupancy_ps"),
                ("commands", "latency_ps"),
                ("commands", "release_delay_ps"),
            ]
        )
    )
    columns = getattr(schedule, part)
    longer = tuple(time + data.draw(st.integers(0, 999)) for time in getattr(columns, column))
    slower = replace(schedule, **{part: replace(columns, **{column: longer})})
    before, after = replay(schedule), replay(slower)
    for name in ("pe_start_ps", "vector_end_ps", "issue_ps", "bus_end_ps", "complete_ps"):
        assert all(a >= b for a, b in zip(getattr(after, name), getattr(before, name), strict=True))


def test_a_run_repeats_itself() -> None:
    first, second = (run_route(two_arms(), device(), Policy.ORACLE, (1,)) for _ in range(2))
    assert first.result == second.result
