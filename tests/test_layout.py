"""Where weights lie in DRAM: every byte once, orders by hand, and what cutting them up costs."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.compile import compile_program
from simulator.cost.dram_address import Transfer
from simulator.cost.dram_presets import DEVICES
from simulator.cost.dram_timing import DramController
from simulator.cost.memory import memory_of
from simulator.fast.recurrence import replay
from simulator.ir import Program, leaf_routes
from simulator.mapping.groups import all_groups, group_program
from simulator.mapping.layout import WeightMap, place_weights
from simulator.mapping.plan import block_bytes
from simulator.policy import Policy
from simulator.spec import AcceleratorSpec
from simulator.spec_dram import Alignment, DramStandard, Layout
from simulator.study.axis import parse_axis
from tests.devices import device_data
from tests.dram_walker import Walker
from tests.simulate import latency_ps, roomy
from tests.strategies import straight_programs, tree_programs
from tests.trees import deep_tree, flat_tree

IN_PIECES = (Layout.CHANNEL_INTERLEAVED, Layout.BANK_PARTITIONED)
ROW, LAP = 2048, 8 * 2048  # LPDDR4


def spec_with(layout: Layout, align: Alignment, **dram: object) -> AcceleratorSpec:
    data = device_data(dma__outstanding_requests=65536)
    data["dram"] = {
        "device": DramStandard.LPDDR4_3200,
        "read_latency_ns": 100,
        "write_latency_ns": 100,
        "weight_layout": layout,
        "weight_alignment": align,
    } | dram
    return AcceleratorSpec.model_validate_json(json.dumps(data))


def placed(program: Program, spec: AcceleratorSpec) -> WeightMap:
    return place_weights(group_program(program), spec, memory_of(spec))


def addresses(transfers: list[Transfer]) -> list[int]:
    """Every byte's, in the order in which they are read."""
    return [
        transfer.address + piece * transfer.stride_bytes + byte
        for transfer in transfers
        for piece in range(transfer.pieces)
        for byte in range(transfer.n_bytes)
    ]


def sizes(program: Program, spec: AcceleratorSpec) -> dict[str, int]:
    return {
        group.name: sum(block_bytes(block, spec) for block in group.weights)
        for group in all_groups(group_program(program))
    }


def whole(program: Program, spec: AcceleratorSpec) -> dict[str, list[int]]:
    """The addresses of all groups that have weights."""
    found = placed(program, spec)
    return {
        name: addresses(list(found.transfers(name, 0, size)))
        for name, size in sizes(program, spec).items()
        if size
    }


SPECS = st.builds(
    spec_with,
    st.sampled_from(Layout),
    st.sampled_from(Alignment),
    device=st.sampled_from((DramStandard.LPDDR4_3200, DramStandard.DDR4_2400)),
    channels=st.sampled_from((1, 2)),
)


@settings(max_examples=60, deadline=None)
@given(tree_programs(deepest=2), SPECS, st.data())
def test_every_byte_has_a_place_of_its_own(
    program: Program, spec: AcceleratorSpec, data: st.DataObject
) -> None:
    found, of_group, layout = placed(program, spec), whole(program, spec), spec.dram.weight_layout
    everywhere = [address for each in of_group.values() for address in each]
    assert len(set(everywhere)) == len(everywhere) == found.weight_bytes
    assert max(everywhere, default=0) < found.extent_bytes or not everywhere
    assert found.weight_bytes == sum(sizes(program, spec).values())
    assert found.padding_bytes >= 0
    if layout is Layout.PATH_MAJOR_DUPLICATED:
        assert found.stored_bytes >= found.weight_bytes
    else:
        assert found.stored_bytes == found.weight_bytes
    granule = {
        Alignment.BURST: spec.dram.burst_bytes,
        Alignment.ROW: memory_of(spec).row_set_bytes,
        Alignment.BANK: memory_of(spec).bank_set_bytes,
    }[spec.dram.weight_alignment]
    for name, each in of_group.items():
        if layout not in IN_PIECES:
            assert each[0] % granule == 0
            assert each == list(range(each[0], each[0] + len(each)))
        first = data.draw(st.integers(0, len(each) - 1))
        n_bytes = data.draw(st.integers(1, len(each) - first))
        part = addresses(list(found.transfers(name, first, n_bytes)))
        assert part == each[first : first + n_bytes]


@settings(max_examples=20, deadline=None)
@given(straight_programs(), st.sampled_from(Alignment))
def test_without_branches_all_layouts_are_one(program: Program, align: Alignment) -> None:
    maps = [placed(program, spec_with(layout, align)) for layout in Layout]
    assert all(found == maps[0] for found in maps)


def in_address_order(layout: Layout, align: Alignment = Alignment.BURST) -> list[str]:
    """Segments of the two-level tree by address, neighbours joined."""
    program = deep_tree().program
    starts = {name: each[0] for name, each in whole(program, spec_with(layout, align)).items()}
    segment = {group.name: group.segment for group in all_groups(group_program(program))}
    names = [segment[name] for name in sorted(starts, key=lambda name: starts[name])]
    return [names[0], *(after for before, after in pairwise(names) if after != before)]


def test_orders_of_a_two_level_tree() -> None:
    routers = {name for name in in_address_order(Layout.PATH_MAJOR) if "router" in name}
    nodes = ["level.0", "level.1"], ["leaf.0.0", "leaf.0.1", "leaf.1.0", "leaf.1.1"]

    def order(layout: Layout) -> list[str]:
        return [name for name in in_address_order(layout) if name not in routers]

    assert order(Layout.NODE_MAJOR) == ["trunk", *nodes[0], *nodes[1]]
    assert order(Layout.PATH_MAJOR) == [
        *("trunk", "level.0", "leaf.0.0", "leaf.0.1"),
        *("level.1", "leaf.1.0", "leaf.1.1"),
    ]
    assert order(Layout.PATH_MAJOR_DUPLICATED) == order(Layout.PATH_MAJOR)
    # Layers of one depth side by side: both of level 1, then both their routers.
    assert in_address_order(Layout.LAYER_MAJOR)[2:4] == nodes[0]
    assert in_address_order(Layout.NODE_MAJOR)[2] == "level.0"
    assert in_address_order(Layout.NODE_MAJOR)[3] in routers


def test_paths_hold_what_they_share_once_each() -> None:
    # The trunk and its router lie on 4 paths, each level with its router on 2, each leaf on 1.
    program = deep_tree().program
    spec = spec_with(Layout.PATH_MAJOR_DUPLICATED, Alignment.BURST)
    paths = {"trunk": 4, "top": 4, "level": 2, "below": 2, "leaf": 1}
    expected = 0
    for group in all_groups(group_program(program)):
        copies = paths[group.segment.split(".")[0]]
        expected += copies * sizes(program, spec)[group.name]
    assert placed(program, spec).stored_bytes == expected


def test_interleaved_siblings_take_turns_by_output_channel() -> None:
    # Two arms of 256 channels with 32 weights each: channel c of arm a lies at 64 c + 32 a.
    program = flat_tree(n_arms=2).program
    spec = spec_with(Layout.CHANNEL_INTERLEAVED, Alignment.ROW)
    arms = [each for name, each in whole(program, spec).items() if name.startswith("leaf")]
    base = arms[0][0]
    assert base % ROW == 0
    for a, arm in enumerate(arms):
        assert arm == [base + o // 32 * 64 + 32 * a + o % 32 for o in range(8192)]


def test_siblings_in_banks_of_their_own_share_none() -> None:
    # Three arms: four slots of two banks each; 8 KiB fill two banks' rows twice over.
    program = flat_tree(n_arms=3).program
    arms = [
        each
        for name, each in whole(program, spec_with(Layout.BANK_PARTITIONED, Alignment.ROW)).items()
        if name.startswith("leaf")
    ]
    banks = [{address // ROW % 8 for address in arm} for arm in arms]
    assert banks == [{0, 1}, {2, 3}, {4, 5}]
    assert {address // LAP for address in arms[0]} == {address // LAP for address in arms[2]}


@pytest.mark.parametrize("n_arms", [2, 3, 4])
def test_an_interleaved_arm_takes_what_a_walk_over_its_bursts_takes(n_arms: int) -> None:
    program = flat_tree(n_arms, 128).program
    spec = spec_with(Layout.CHANNEL_INTERLEAVED, Alignment.ROW)
    dram, found = memory_of(spec), placed(program, spec)
    name, size = next(item for item in sizes(program, spec).items() if item[0].startswith("leaf"))
    (transfer,) = found.transfers(name, 0, size)
    device = DEVICES[DramStandard.LPDDR4_3200]
    timing = device.timing.without_refresh()
    walker = Walker(device.organisation, timing, DramController())
    bursts = sorted({address // 32 for address in addresses([transfer])})
    clocks = walker.walk(bursts) - timing.rcd
    cost = dram.transfer_cost(transfer)
    stretch = 6246 / (6246 - 29 - 448 - 29)
    assert cost.occupancy_ps / stretch == pytest.approx(clocks * timing.tck_ps, rel=0.02)
    assert (cost.bursts, cost.activates) == (len(bursts), len(walker.activates))


@settings(max_examples=15, deadline=None)
@given(tree_programs(deepest=2), st.sampled_from(Layout), st.sampled_from(Alignment), st.data())
def test_more_bandwidth_is_never_slower_in_any_layout(
    program: Program, layout: Layout, align: Alignment, data: st.DataObject
) -> None:
    rate = data.draw(st.sampled_from((10**8, 6_400_000_000, 10**11)))
    arms = data.draw(st.sampled_from(leaf_routes(program)))
    spec = roomy(program, spec_with(layout, align, peak_bytes_per_s=rate))
    capacity = spec.scratchpad.capacity_kib
    fast = spec_with(layout, align, peak_bytes_per_s=rate * 3 // 2).model_dump(mode="json")
    fast["scratchpad"]["capacity_kib"] = capacity
    faster = AcceleratorSpec.model_validate_json(json.dumps(fast))
    assert latency_ps(program, faster, arms) <= latency_ps(program, spec, arms)


@pytest.mark.parametrize("layout", list(Layout))
def test_sibling_leaves_replayed_once_take_equal_time(layout: Layout) -> None:
    # The search replays paths of equal signatures once: the schedules must bear that out.
    program = deep_tree().program
    for align in Alignment:
        spec = spec_with(layout, align)
        arms = leaf_routes(program)
        compiled = compile_program(program, spec, Policy.ON_DEMAND, dict.fromkeys(arms, 1))
        times: dict[tuple[object, ...], set[int]] = {}
        dram = memory_of(spec)
        for route, schedule in compiled.schedules.items():
            phases = tuple(compiled.stored.phase(g.group.name, dram) for g in schedule.groups)
            shapes = tuple(group.signature for group in schedule.groups)
            key = (shapes, phases)
            times.setdefault(key, set()).add(replay(compiled.schedules[route]).latency_ps)
        assert all(len(found) == 1 for found in times.values())


def test_layout_and_alignment_are_axes() -> None:
    axis = parse_axis("layout=layer_major,channel_interleaved")
    assert axis.field == "dram.weight_layout"
    assert parse_axis("align=burst,row").field == "dram.weight_alignment"
