"""What a device's toolchain imposes: set-up times, tile limits, refetches, no overlap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.cost.compute import TileShape, pe_cycles
from simulator.engine import simulate
from simulator.fast.recurrence import replay
from simulator.ir import Program
from simulator.mapping.placement import Placement, pin_weights
from simulator.policy import Policy
from simulator.spec import AcceleratorSpec
from tests.devices import device_data
from tests.networks import Net, program, tensor
from tests.simulate import run_route


def ruled(parts: dict[str, object] | None = None, **rules: object) -> AcceleratorSpec:
    data = device_data(**(parts or {}))
    data["toolchain"] = rules
    return AcceleratorSpec.model_validate(data, strict=False)


def convolution() -> Program:
    """One 3x3 convolution, 32 to 32 channels on 16x16 pixels: 9,216 weights."""
    x = tensor("x", 1, 32, 16, 16)
    net = Net("net")
    net.conv(x, 32, r=3)
    return program(net, inputs=(x,))


def chain() -> Program:
    x = tensor("x", 1, 32, 16, 16)
    net = Net("net")
    y = net.conv(x, 32, r=3)
    z = net.add(net.conv(y, 32), y)
    net.linear(net.average(z), 40)
    return program(net, inputs=(x,))


def latency(spec: AcceleratorSpec, prog: Program) -> int:
    return run_route(prog, spec, Policy.ON_DEMAND).result.latency_ps


def test_set_up_delays_every_layer_once_and_the_inference_once():
    # The convolution waits for its weights anyway, so compare with everything on chip: set-up
    # passes before each of the 4 groups (two convolutions, average, linear), and once more.
    fast = {"dram__peak_bytes_per_s": 10**13, "io__input_location": "scratchpad"}
    fast |= {"dram__read_latency_ns": 0, "dram__write_latency_ns": 0}
    fast |= {"dma__descriptor_latency_ns": 0, "scratchpad__ports": 8}
    fast |= {"dma__outstanding_requests": 65536, "io__output_location": "scratchpad"}
    bare = latency(ruled(fast), chain())
    slow = latency(ruled(fast, layer_setup_ns=1000.0, inference_setup_ns=500.0), chain())
    assert slow - bare == pytest.approx(4 * 1_000_000 + 500_000, rel=0.002)


def test_streamed_weights_are_fetched_anew_for_every_tile_of_rows():
    # 64 output pixels of 16 columns are 4 rows: 4 tiles of rows, so 4 times 9,216 bytes.
    once = run_route(convolution(), ruled(tile_pixels=64), Policy.ON_DEMAND).result
    again = run_route(
        convolution(), ruled(tile_pixels=64, keeps_streamed_weights=False), Policy.ON_DEMAND
    ).result
    assert once.weight_read_bytes == 9216
    assert again.weight_read_bytes == 4 * 9216


def test_without_a_pixel_limit_one_tile_of_rows_needs_no_refetch():
    # Without overlap every byte counts, so the planner takes all rows at once.
    rules = {"keeps_streamed_weights": False, "overlaps_transfers": False}
    spec = ruled({"scratchpad__capacity_kib": 1024}, **rules)
    assert run_route(convolution(), spec, Policy.ON_DEMAND).result.weight_read_bytes == 9216


def test_outputs_may_leave_in_wider_words():
    narrow = run_route(convolution(), ruled(), Policy.ON_DEMAND).result
    wide = run_route(convolution(), ruled(output_bits=32), Policy.ON_DEMAND).result
    assert sum(layer.ofmap_bytes for layer in narrow.layers) == 32 * 256
    assert sum(layer.ofmap_bytes for layer in wide.layers) == 4 * 32 * 256


def test_pinned_weights_keep_to_their_share():
    roomy = {"scratchpad__capacity_kib": 1024}
    assert pin_weights(chain(), ruled(roomy), Placement.FILL).n_bytes > 9216
    limited = pin_weights(chain(), ruled(roomy, weight_capacity_kib=9), Placement.FILL)
    assert limited.n_bytes == 9216


def test_depthwise_groups_run_side_by_side():
    array = ruled().pe_array
    abreast = array.model_copy(update={"parallel_groups": 16})
    tile = TileShape(k=32, c=1, m=100, r=3, s=3, groups=32)
    # 16 x 16 PEs; c <= 16, so the three taps of a row are one pass: 100 * 3 per group.
    assert pe_cycles(array, tile) == 32 * 300
    assert pe_cycles(abreast, tile) == 2 * 300


def test_switching_weights_costs_only_where_they_serve_several_pixels():
    array = ruled().pe_array.model_copy(update={"pass_setup_cycles": 50})
    # 2 x 3 passes of 16 x 16 weights.
    assert pe_cycles(array, TileShape(k=48, c=32, m=10, r=1, s=1)) == 6 * (10 + 50)
    assert pe_cycles(array, TileShape(k=48, c=32, m=1, r=1, s=1)) == 6


@given(
    rules=st.fixed_dictionaries(
        {
            "layer_setup_ns": st.sampled_from((0.0, 700.0)),
            "inference_setup_ns": st.sampled_from((0.0, 300.0)),
            "tile_pixels": st.sampled_from((None, 16, 100)),
            "keeps_streamed_weights": st.booleans(),
            "overlaps_transfers": st.booleans(),
            "output_bits": st.sampled_from((None, 32)),
        }
    ),
    rate=st.sampled_from((10**8, 4 * 10**9)),
)
def test_engine_and_recurrence_agree_and_stalls_are_a_partition(rules, rate):
    spec = ruled({"dram__peak_bytes_per_s": rate}, **rules)
    run = run_route(chain(), spec, Policy.ON_DEMAND)
    assert replay(run.schedule) == simulate(run.schedule).timeline
    result = run.result
    assert result.compute_ps + sum(result.stalls_ps.values()) == result.latency_ps
    faster = ruled({"dram__peak_bytes_per_s": 2 * rate}, **rules)
    assert latency(faster, chain()) <= result.latency_ps
    if not rules["overlaps_transfers"]:
        assert (
            latency(
                ruled({"dram__peak_bytes_per_s": rate}, **(rules | {"overlaps_transfers": True})),
                chain(),
            )
            <= result.latency_ps
        )


def test_without_overlap_transfers_and_compute_add_up():
    spec = ruled({"dram__peak_bytes_per_s": 10**8}, overlaps_transfers=False)
    run = run_route(chain(), spec, Policy.ON_DEMAND)
    commands = run.schedule.commands
    loads = sum(
        occupancy
        for occupancy, free in zip(commands.occupancy_ps, commands.free_tile, strict=True)
        if free >= 0
    )
    assert run.result.latency_ps >= loads + run.result.compute_ps
