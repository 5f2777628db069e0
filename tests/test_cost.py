"""Costs of a tile, a transfer and an inference, against counting them one by one."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cost.compute import (
    ComputeSide,
    PartialSums,
    TileShape,
    operand_reads,
    pe_cycles,
    scratchpad_traffic,
    tile_cycles,
)
from simulator.cost.dram import RateLatencyDram
from simulator.cost.energy import EventCounts, energy_of
from simulator.cost.vector import lane_operations, operations
from simulator.ir import Dims, Layer, Op
from simulator.spec import Dataflow, PeArray
from tests.devices import device
from tests.networks import Net, tensor

SYSTOLIC = (Dataflow.OUTPUT_STATIONARY, Dataflow.WEIGHT_STATIONARY, Dataflow.INPUT_STATIONARY)
SMALL = st.integers(1, 7)


def array(dataflow: Dataflow, rows: int, cols: int) -> PeArray:
    return PeArray(rows=rows, cols=cols, dataflow=dataflow, clock_hz=10**9)


def output_stationary_fold(left: np.ndarray, right: np.ndarray) -> tuple[int, np.ndarray]:
    """Registers of an R x C array, cycle by cycle: left's rows flow right, right's columns down,
    each a cycle behind the one before; a PE adds the product of what it holds."""
    rows, depth = left.shape
    cols = right.shape[1]
    sums, macs = np.zeros((rows, cols)), np.zeros((rows, cols))
    a, b = np.full((rows, cols), np.nan), np.full((rows, cols), np.nan)
    cycle = 0
    while macs.min() < depth:
        a[:, 1:], b[1:, :] = a[:, :-1].copy(), b[:-1, :].copy()
        for i in range(rows):
            a[i, 0] = left[i, cycle - i] if 0 <= cycle - i < depth else np.nan
        for j in range(cols):
            b[0, j] = right[cycle - j, j] if 0 <= cycle - j < depth else np.nan
        meets = ~np.isnan(a) & ~np.isnan(b)
        sums += np.where(meets, a * b, 0)
        macs += meets
        cycle += 1
    return cycle, sums


def held_fold(held: np.ndarray, streamed: np.ndarray) -> tuple[int, np.ndarray]:
    """The same with one operand held: R cycles to shift it in, then rows of the other stream in
    from the left while partial sums move down and out at the bottom."""
    depth, cols = held.shape
    count = len(streamed)
    values, sums = np.full((depth, cols), np.nan), np.zeros((depth, cols))
    out: dict[tuple[int, int], float] = {}
    cycle = 0
    while len(out) < count * cols:
        values[:, 1:] = values[:, :-1].copy()
        for i in range(depth):
            values[i, 0] = streamed[cycle - i, i] if 0 <= cycle - i < count else np.nan
        above = np.vstack([np.zeros(cols), sums[:-1]])
        sums = np.where(np.isnan(values), 0, above + held * np.nan_to_num(values))
        for j in range(cols):
            pixel = cycle - (depth - 1) - j
            if 0 <= pixel < count:
                out[pixel, j] = sums[-1, j]
        cycle += 1
    result = np.array([[out[pixel, j] for j in range(cols)] for pixel in range(count)])
    return depth + cycle, result


def padded(matrix: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """A matrix that fills a fold: idle PEs hold zeros."""
    return np.pad(matrix, ((0, rows - matrix.shape[0]), (0, cols - matrix.shape[1])))


def systolic_cycles(dataflow: Dataflow, rows: int, cols: int, m: int, k: int, c: int) -> int:
    """Cycles of (m x c) times (c x k), fold by fold, each fold's product checked."""
    rng = np.random.default_rng(m * 100 + k * 10 + c)
    pixels, weights = rng.integers(1, 9, (m, c)), rng.integers(1, 9, (c, k))
    total, found = 0, np.zeros((m, k))

    def blocks(full: int, size: int) -> list[slice]:
        return [slice(at, min(at + size, full)) for at in range(0, full, size)]

    if dataflow is Dataflow.OUTPUT_STATIONARY:
        for i, j in product(blocks(m, rows), blocks(k, cols)):
            left = padded(pixels[i], rows, c)
            cycles, sums = output_stationary_fold(left, padded(weights[:, j], c, cols))
            found[i, j] += sums[: i.stop - i.start, : j.stop - j.start]
            total += cycles
    elif dataflow is Dataflow.WEIGHT_STATIONARY:
        for i, j in product(blocks(c, rows), blocks(k, cols)):
            held = padded(weights[i, j], rows, cols)
            cycles, sums = held_fold(held, padded(pixels[:, i], m, rows))
            found[:, j] += sums[:, : j.stop - j.start]
            total += cycles
    else:
        for i, j in product(blocks(c, rows), blocks(m, cols)):
            held = padded(pixels[j, i].T, rows, cols)
            cycles, sums = held_fold(held, padded(weights[i].T, k, rows))
            found[j] += sums[:, : j.stop - j.start].T
            total += cycles
    assert np.array_equal(found, pixels @ weights)
    return total


@settings(max_examples=40)
@given(st.sampled_from(SYSTOLIC), st.integers(1, 4), st.integers(1, 4), SMALL, SMALL, SMALL)
def test_systolic_cycles_equal_those_of_a_simulated_array(
    dataflow: Dataflow, rows: int, cols: int, m: int, k: int, c: int
) -> None:
    tile = TileShape(k=k, c=c, m=m, r=1, s=1)
    expected = systolic_cycles(dataflow, rows, cols, m, k, c)
    assert int(pe_cycles(array(dataflow, rows, cols), tile)) == expected


@pytest.mark.parametrize(
    ("dataflow", "cycles"),
    [
        # 100 pixels, 40 output channels, 3 x 3 x 16 = 144 products each, on 32 x 32:
        (Dataflow.OUTPUT_STATIONARY, 4 * 2 * (32 + 32 + 144 - 2)),  # ceil(100/32) x ceil(40/32)
        (Dataflow.WEIGHT_STATIONARY, 5 * 2 * (2 * 32 + 32 + 100 - 2)),  # ceil(144/32) x 2
        (Dataflow.INPUT_STATIONARY, 5 * 4 * (2 * 32 + 32 + 40 - 2)),  # 5 x ceil(100/32)
        (Dataflow.DOT_PRODUCT, 100 * 3 * 2 * 2),  # 3 rows of ceil(3 x 16/32) = 2, ceil(40/32) = 2
        (Dataflow.IDEAL, 563),  # 576,000 MACs / 1,024 = 562.5
    ],
)
def test_cycles_worked_by_hand(dataflow: Dataflow, cycles: int) -> None:
    tile = TileShape(k=40, c=16, m=100, r=3, s=3)
    assert int(pe_cycles(array(dataflow, 32, 32), tile)) == cycles


def test_a_seventeenth_channel_on_a_sixteen_wide_array_doubles_the_time() -> None:
    wide = array(Dataflow.DOT_PRODUCT, 16, 16)
    cycles = [int(pe_cycles(wide, TileShape(k=16, c=c, m=50, r=3, s=3))) for c in (15, 16, 17, 32)]
    # 3 filter rows x ceil(3 x 15 / 16) = 3 cycles a pixel; 9 taps x ceil(17 / 16) = 18
    assert cycles == [450, 450, 900, 900]
    cycles = [int(pe_cycles(wide, TileShape(k=k, c=16, m=50, r=1, s=1))) for k in (16, 17, 32)]
    assert cycles == [50, 100, 100]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 9), st.integers(1, 3))
def test_dot_product_cycles_counted_one_by_one(k: int, c: int, m: int, r: int) -> None:
    wide = array(Dataflow.DOT_PRODUCT, 16, 8)
    along_channels = [c] * (r * r) if c > 16 else [c * r] * r  # taps of a row side by side
    cycles = 0
    for _pixel in range(m):
        for _channels_out in range(0, k, 8):
            for values in along_channels:
                for _channels_in in range(0, values, 16):
                    cycles += 1
    assert int(pe_cycles(wide, TileShape(k=k, c=c, m=m, r=r, s=r))) == cycles


@pytest.mark.parametrize("dataflow", [d for d in Dataflow if d is not Dataflow.IDEAL])
def test_channel_groups_run_one_after_the_other(dataflow: Dataflow) -> None:
    wide = array(dataflow, 8, 8)
    alone = pe_cycles(wide, TileShape(k=4, c=2, m=30, r=3, s=3))
    groups = pe_cycles(wide, TileShape(k=20, c=2, m=30, r=3, s=3, groups=5))
    assert int(groups) == 5 * int(alone)


@pytest.mark.parametrize("dataflow", list(Dataflow))
def test_no_dataflow_beats_full_utilisation(dataflow: Dataflow) -> None:
    for k, c, m, r in product((1, 5, 64), (1, 3, 40), (1, 50), (1, 3)):
        macs = k * c * m * r * r
        cycles = int(pe_cycles(array(dataflow, 16, 8), TileShape(k=k, c=c, m=m, r=r, s=r)))
        assert cycles >= macs / 128


@pytest.mark.parametrize(
    ("dataflow", "ifmap", "weight"),
    [
        # 100 pixels, 40 output channels, 144 products each, on 32 x 32: 14,400 pixel values and
        # 5,760 weights, each read again for every fold that does not hold it.
        (Dataflow.OUTPUT_STATIONARY, 2 * 14_400, 4 * 5_760),  # 2 column folds, 4 row folds
        (Dataflow.WEIGHT_STATIONARY, 2 * 14_400, 5_760),  # each weight sits in one fold
        (Dataflow.INPUT_STATIONARY, 14_400, 4 * 5_760),  # streamed past 4 sets of pixels
        (Dataflow.DOT_PRODUCT, 2 * 14_400, 5_760),
        (Dataflow.IDEAL, 1_600, 5_760),  # every value once: 100 pixels x 16 channels
    ],
)
def test_operand_reads_by_hand(dataflow: Dataflow, ifmap: int, weight: int) -> None:
    tile = TileShape(k=40, c=16, m=100, r=3, s=3)
    assert operand_reads(array(dataflow, 32, 32), tile) == (ifmap, weight)


def test_scratchpad_traffic_and_its_bandwidth_by_hand() -> None:
    # 4-bit weights: 5,760 of them are 2,880 B. 28,800 pixel values of a byte. 4,000 outputs:
    # partial sums of 4 B in or out, results of 1 B.
    spec = device(
        pe_array__rows=32, pe_array__cols=32, precision__weight_bits=4, scratchpad__ports=1
    )
    compute = ComputeSide.of(spec)
    tile = TileShape(k=40, c=16, m=100, r=3, s=3)
    first = scratchpad_traffic(compute, tile, PartialSums(reads=0, writes=1, outputs=0))
    assert (first.read_bytes, first.write_bytes) == (28_800 + 2_880, 16_000)
    last = scratchpad_traffic(compute, tile, PartialSums(reads=1, writes=0, outputs=1))
    assert (last.read_bytes, last.write_bytes) == (28_800 + 2_880 + 16_000, 4_000)
    # 16 banks of 64 B/cycle, one of them lost to the DMA: 960 B/cycle feed the array in 54
    # cycles, while its own work takes 1,200.
    assert compute.bytes_per_cycle == 960
    assert int(tile_cycles(compute, tile, last)) == 1_200
    # One bank of 8 B/cycle with two ports: 51,680 B / 16 B = 3,230 cycles.
    narrow = device(
        pe_array__rows=32,
        pe_array__cols=32,
        precision__weight_bits=4,
        scratchpad__banks=1,
        scratchpad__bank_bytes_per_cycle=8,
    )
    assert int(tile_cycles(ComputeSide.of(narrow), tile, last)) == 3_230


def test_cost_functions_take_arrays_of_candidates() -> None:
    for dataflow in Dataflow:
        wide = array(dataflow, 16, 8)
        ks, ms = np.array([1, 8, 9, 100]), np.array([7, 1, 300, 16])
        together = pe_cycles(wide, TileShape(k=ks, c=20, m=ms, r=3, s=3))
        alone = [
            int(pe_cycles(wide, TileShape(k=int(k), c=20, m=int(m), r=3, s=3)))
            for k, m in zip(ks, ms, strict=True)
        ]
        assert together.tolist() == alone


@given(
    st.integers(1, 10**6),
    st.sampled_from((1, 32, 64, 1000)),
    st.sampled_from((10**9, 6_400_000_000, 7_777_777_777)),
    st.sampled_from((1.0, 0.942, 0.1)),
)
def test_occupancy_equals_a_walk_over_the_bursts(
    n_bytes: int, burst: int, peak: int, efficiency: float
) -> None:
    spec = device(
        dram__burst_bytes=burst,
        dram__peak_bytes_per_s=peak,
        dram__efficiency_fraction=efficiency,
        dma__outstanding_requests=65536,
        dram__read_latency_ns=0,
    )
    dram = RateLatencyDram(spec)
    per_burst_ps = Fraction(burst * 10**12) / (peak * Fraction(str(efficiency)))
    left, bursts, busy_ps = n_bytes, 0, Fraction(0)
    step = max(n_bytes // (burst * 500), 1)  # whole runs of bursts, or large transfers take long
    while left > 0:
        run = min(step, math.ceil(left / burst))
        left -= run * burst
        bursts += run
        busy_ps += run * per_burst_ps
    assert dram.bus_bytes(n_bytes) == bursts * burst
    assert dram.occupancy_ps(n_bytes) == math.ceil(busy_ps)
    assert dram.least_occupancy_ps(n_bytes) <= dram.occupancy_ps(n_bytes)


def test_the_dma_keeps_no_more_in_flight_than_its_requests() -> None:
    # 64 requests of 32 B per 100 ns = 20.48 GB/s, less than the peak.
    slow = device(
        dma__outstanding_requests=64, dram__peak_bytes_per_s=10**11, dram__read_latency_ns=100
    )
    assert RateLatencyDram(slow).rate_bytes_per_s == 20_480_000_000
    assert RateLatencyDram(slow).occupancy_ps(2048) == 100_000
    # 0.942 x 6.4 GB/s = 6.0288 GB/s is less than what 64 requests could carry.
    edge = device(
        dma__outstanding_requests=64,
        dram__peak_bytes_per_s=6_400_000_000,
        dram__efficiency_fraction=0.942,
    )
    assert RateLatencyDram(edge).rate_bytes_per_s == 6_028_800_000


def vector_layer(op: Op, dims: Dims, ifmap: tuple[int, ...], ofmap: tuple[int, ...]) -> Layer:
    x, y = tensor("x", *ifmap), tensor("y", *ofmap)
    return Layer(name="layer", op=op, dims=dims, ifmaps=(x,), ofmap=y)


@pytest.mark.parametrize(
    ("op", "dims", "ifmap", "ofmap", "expected"),
    [
        (Op.RELU, Dims(k=4, c=4, p=6), (1, 4, 6), (1, 4, 6), 24),
        (Op.BATCH_NORM, Dims(k=4, c=4, p=6), (1, 4, 6), (1, 4, 6), 48),  # scale and shift
        (Op.LAYER_NORM, Dims(k=24, c=24), (1, 24), (1, 24), 120),
        (Op.GELU, Dims(k=24, c=24), (1, 24), (1, 24), 96),
        (Op.SOFTMAX, Dims(k=10, c=10), (1, 10), (1, 10), 40),
        (Op.ARGMAX, Dims(r=10), (1, 10), (1,), 10),
        (Op.MAX_POOL, Dims(k=4, c=4, p=2, q=3, r=3, s=3), (1, 4, 7, 9), (1, 4, 2, 3), 24 * 9),
        (Op.ADAPTIVE_AVG_POOL, Dims(k=4, c=4, r=63), (1, 4, 7, 9), (1, 4), 252),
        (Op.MAX_REDUCE, Dims(k=4, c=4, p=7, r=9), (1, 4, 7, 9), (1, 4, 7), 252),
        (Op.CONCAT, Dims(k=8, c=8), (1, 4), (1, 8), 8),
        (Op.COPY, Dims(k=8, c=8), (1, 8), (1, 8), 8),
        # 5 centroids x 20 points x (3 subtractions, 3 squares, 2 additions, 2 comparisons)
        (Op.FARTHEST_POINT_SAMPLE, Dims(c=3, p=5, r=20), (1, 3, 20), (1, 5), 1000),
        (Op.BALL_QUERY, Dims(c=3, p=5, r=20, k=4), (1, 3, 20), (1, 5, 4), 1000),
    ],
)
def test_vector_operations_by_hand(
    op: Op, dims: Dims, ifmap: tuple[int, ...], ofmap: tuple[int, ...], expected: int
) -> None:
    assert operations(vector_layer(op, dims, ifmap, ofmap)) == expected


def test_every_vector_op_has_a_cost_and_no_mac_op_has_one() -> None:
    x = tensor("x", 1, 2, 3, 3)
    net = Net("net")
    assert operations(net.layers[-1] if net.conv(x, 2) else None) == 0
    for op in set(Op) - {Op.CONV2D, Op.LINEAR, Op.MATMUL}:
        assert operations(vector_layer(op, Dims(k=2, c=2, p=3), (1, 2, 3), (1, 2, 3))) > 0


def test_a_chain_of_element_wise_layers_is_one_pass() -> None:
    x = tensor("x", 1, 4, 5, 5)
    net = Net("net")
    y = net.max_pool(net.relu(net.batch_norm(x)), 2, 1)
    net.relu(net.batch_norm(y))
    # 100 for the first chain, 64 outputs x 4 for the pooling, 64 for the second chain
    assert lane_operations(tuple(net.layers)) == 100 + 256 + 64


def test_energy_by_hand() -> None:
    counts = EventCounts(
        macs=1000,
        vector_operations=400,
        scratchpad_read_bytes=30,
        scratchpad_write_bytes=20,
        dram_read_bytes=10,
        dram_write_bytes=5,
    )
    energy = energy_of(counts + counts, 10**6, device())
    assert energy.mac_pj == 2000 * 0.5
    assert energy.vector_pj == 800 * 0.25
    assert energy.scratchpad_pj == 60 * 2 + 40 * 3
    assert (energy.dram.read_pj, energy.dram.write_pj) == (20 * 50, 10 * 70)
    assert energy.dram_pj == pytest.approx(1700 + 0.03 * 10**6)  # 30 mW for 1 us
    assert energy.static_pj == pytest.approx(0.12 * 10**6)
    assert energy.total_pj == pytest.approx(1000 + 200 + 240 + 1700 + 150_000)
