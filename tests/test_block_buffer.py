"""Blocks of outputs: as Arm's compiler chooses them, and the reads counted block by block."""

import itertools
from pathlib import Path

import pytest

from simulator.cost.compute import TileShape, pe_cycles
from simulator.fast.recurrence import replay
from simulator.ir import (
    Dims,
    Layer,
    Op,
    Program,
    Route,
    Segment,
    Tensor,
    WeightBlock,
    Workload,
)
from simulator.mapping.blocks import Blocking, choose_blocking
from simulator.mapping.tiles import TransferKind
from simulator.policy import Policy
from simulator.simulation import RunResult, run_workload
from simulator.spec_file import Override, load_spec
from simulator.validate.networks import convolutions
from tests.networks import Net, program, tensor, workload
from tests.simulate import with_part

SPECS = Path(__file__).parent.parent / "accelerator_specs"
SPEC = load_spec(SPECS / "ethos_u65_256.yaml")


def conv(k, c, p, r=1, stride=1, groups=1) -> Dims:
    return Dims(k=k, c=c, p=p, q=p, r=r, s=r, groups=groups, stride=(stride, stride))


def blocking(dims: Dims, pixels: int) -> Blocking:
    return choose_blocking(SPEC.block_buffer, dims, pixels, SPEC.pe_array.rows)


# Read in the debug database of ethos-u-vela 5.2.0 for ResNet-50 on Ethos-U65-256: output block
# (rows, columns, channels) and the pixels of its input block.
@pytest.mark.parametrize(
    ("dims", "pixels", "block", "inputs"),
    [
        (conv(64, 3, 112, 7, 2), 224, (8, 16, 16), 22 * 38),
        (conv(256, 64, 56), 56, (8, 8, 64), 8 * 8),
        (conv(64, 64, 56, 3), 56, (6, 14, 32), 8 * 16),
        (conv(512, 256, 28, 1, 2), 56, (2, 14, 128), 4 * 28),
        (conv(128, 128, 28, 3, 2), 56, (4, 16, 32), 10 * 34),
        (conv(512, 128, 28), 28, (2, 28, 64), 2 * 28),
        (conv(256, 1024, 14), 14, (4, 14, 64), 4 * 14),
        (conv(2048, 512, 7), 7, (8, 8, 64), 7 * 7),
    ],
)
def test_the_block_is_the_one_that_arms_compiler_takes(dims, pixels, block, inputs):
    found = blocking(dims, pixels)
    assert (found.rows, found.columns, found.channels) == block
    assert found.input_pixels == inputs


@pytest.mark.parametrize(
    ("dims", "pixels"),
    [(conv(96, 32, 30, 3), 30), (conv(80, 48, 13, 1, 2), 26), (conv(40, 40, 20, 3, 1, 40), 20)],
)
def test_reads_are_those_of_a_walk_over_the_blocks(dims, pixels):
    found = blocking(dims, pixels)
    map_bytes = dims.c * pixels * pixels
    rows, columns = range(0, dims.p, found.rows), range(0, dims.q, found.columns)
    walked = 0
    for _ in itertools.product(rows, columns):
        if dims.groups > 1:
            walked += found.input_pixels * dims.c
        else:
            walked += found.input_pixels * dims.c * len(range(0, dims.k, found.channels))
    assert found.ifmap_bytes(dims.k, dims.p, map_bytes) == walked
    assert found.pixel_blocks(dims.p) == len(rows) * len(columns)
    assert walked >= map_bytes


def test_microblocks_and_decoding_bound_the_cycles():
    # 7 x 7 pixels are 4 x 4 microblocks of 2 x 2, not 49 / 4; more than the 8 cycles of decoding.
    assert blocking(conv(512, 512, 7, 3), 7).pixel_steps(7) == 16
    # Fully connected: one microblock, so decoding 8 x 8 weights in 8 cycles sets the pace.
    assert blocking(Dims(k=1000, c=2048), 1).pixel_steps(1) == 8


@pytest.mark.parametrize(
    ("c", "taps", "groups", "cycles"),
    [
        (64, 9, 1, 9 * 2 * 4),  # one tap of 32 channels a pass
        (3, 49, 1, 13 * 4),  # four taps of 8 channels a pass
        (1, 9, 8, 3 * 4),  # depthwise: 8 channels abreast, three passes
    ],
)
def test_a_pass_takes_channels_or_taps(c, taps, groups, cycles):
    tile = TileShape(k=8, c=c, m=4, r=1, s=taps, groups=groups, pixel_steps=1)
    assert int(pe_cycles(SPEC.pe_array, tile)) == cycles


def unconnected(*shapes: tuple[int, int, int, int, int]) -> Workload:
    """Convolutions that each read an input of their own: (k, c, output pixels, taps, input)."""
    layers, inputs = [], []
    for i, (k, c, p, r, pixels) in enumerate(shapes):
        x = Tensor(name=f"in{i}", shape=(1, c, pixels, pixels))
        block = WeightBlock(name=f"w{i}", params=k * c * r * r)
        out = Tensor(name=f"out{i}", shape=(1, k, p, p))
        dims = conv(k, c, p, r)
        layers.append(
            Layer(name=f"l{i}", op=Op.CONV2D, dims=dims, ifmaps=(x,), ofmap=out, weights=(block,))
        )
        inputs.append(x)
    steps = (Segment(name="all", layers=tuple(layers)),)
    program = Program(inputs=tuple(inputs), steps=steps)
    return Workload(name="unconnected", description="test", source="test", program=program)


WORKLOAD = unconnected((48, 16, 28, 3, 30), (512, 256, 14, 1, 14))


def run(kib: int) -> RunResult:
    spec = with_part(SPEC, "scratchpad", capacity_kib=kib)
    return run_workload(WORKLOAD, spec, Policy.ON_DEMAND, [Route(arms=())])


@pytest.mark.parametrize("kib", [16, 96, 512])
def test_the_engine_agrees_and_inputs_are_read_by_the_block(kib):
    result = run(kib)
    (schedule,) = result.compiled.schedules.values()
    assert replay(schedule).latency_ps == result.typical.latency_ps
    assert result.typical.scratchpad_peak_bytes <= kib * 1024
    # An image's burst of 128 bytes brings one pixel's 16 channels, or 32 of 256.
    for layer, dims, pixels, waste in (
        (result.typical.layers[0], conv(48, 16, 28, 3), 30, 128 // 16),
        (result.typical.layers[1], conv(512, 256, 14), 14, 128 // 32),
    ):
        found = blocking(dims, pixels)
        reads = found.ifmap_bytes(dims.k, dims.p, dims.c * pixels * pixels)
        assert layer.ifmap_bytes == reads * waste


def test_weights_without_room_are_read_for_every_block_of_pixels():
    first, second = run(16).typical.layers
    assert first.weight_bytes == 48 * 16 * 9
    assert second.tiling.startswith("p_outer")
    assert second.weight_bytes == 4 * 512 * 256
    assert run(512).typical.weight_read_bytes == 48 * 16 * 9 + 512 * 256


def test_weights_are_fetched_one_layer_ahead_at_most():
    spec = load_spec(SPECS / "ethos_u65_256.yaml", [Override("scratchpad.capacity_kib", 8192)])
    result = run_workload(convolutions(64), spec, Policy.ON_DEMAND, [Route(arms=())])
    (schedule,) = result.compiled.schedules.values()
    starts = schedule.starts
    for j, kind in enumerate(schedule.commands.kind):
        group = schedule.tiles.group[schedule.commands.tile[j]]
        if kind is TransferKind.WEIGHT and group >= 1:
            assert schedule.commands.release_tile[j] >= starts[group - 1] - 1


def test_outputs_and_pooling_have_a_pace_of_their_own():
    """A quarter of a cycle per output of a thin 1x1 convolution; an eighth per pooled element."""
    net = Net("net")
    x = tensor("image", 1, 8, 32, 32)
    net.max_pool(net.conv(x, 64), 2, 2)
    result = run_workload(
        workload(program(net, inputs=(x,))), SPEC, Policy.ON_DEMAND, [Route(arms=())]
    )
    conv_layer, pool = result.typical.layers
    assert conv_layer.vector_busy_ps == 32 * 32 * 64 // 4 * 1000
    # 16 x 16 microblocks, 8 times 8 channels, one tap: a pass of four cycles.
    assert conv_layer.pe_busy_ps == 16 * 16 * 8 * 4 * 1000
    assert pool.vector_busy_ps == 16 * 16 * 64 * 4 // 8 * 1000
