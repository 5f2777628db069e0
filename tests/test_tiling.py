"""Loop blockings, each tile walked and every buffer followed, against what the planner says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cost.compute import ComputeSide
from simulator.ir import Program, Tensor
from simulator.mapping.plan import GroupPlan, Knobs, MappingProblem
from simulator.mapping.tiles import Tile, TiledGroup, TransferKind, tile_group
from simulator.mapping.tiling import Candidates, LoopOrder, Tiling, enumerate_candidates
from simulator.spec import AcceleratorSpec
from tests.devices import device
from tests.networks import Net, program, tensor

WEIGHT, IFMAP = TransferKind.WEIGHT, TransferKind.IFMAP


def all_in_dram(prog: Program, spec: AcceleratorSpec) -> dict[str, GroupPlan]:
    """Each group's plan with every tensor in DRAM."""
    problem = MappingProblem(prog, spec)
    budget, _ = problem.least_budget()
    residency = replace(
        problem.residency(budget, 0.0),
        in_dram=frozenset(t for live in problem.liveness.values() for t in live.tensor_names),
        resident_bytes=dict.fromkeys(problem.liveness, 0),
    )
    return problem.plan(residency, Knobs(budget, 1 / 2, 0.0)).groups


def candidates_of(plan: GroupPlan, spec: AcceleratorSpec) -> Candidates:
    return enumerate_candidates(plan.shape, ComputeSide.of(spec))


def tilings_of(candidates: Candidates) -> list[Tiling]:
    return [candidates.tiling(index) for index in range(len(candidates.blocks))]


@dataclass(frozen=True)
class Step:
    """One iteration of a blocked loop nest, and the operands whose block has changed."""

    dk: int
    p0: int
    dp: int
    dc: int
    first_c: bool
    last_c: bool
    new: frozenset[TransferKind]


def walk(plan: GroupPlan, tiling: Tiling) -> Iterator[Step]:
    """The plainest loop nest there is: one buffer per operand, loaded when its block changes."""
    d = plan.shape.dims
    ks, ps, cs = (
        [(at, min(size, full - at)) for at in range(0, full, size)]
        for full, size in ((d.k, tiling.k), (d.p, tiling.p), (d.c, tiling.c))
    )
    outer = [(k, p) for k in ks for p in ps]
    if tiling.order is LoopOrder.P_OUTER:
        outer = [(k, p) for p in ps for k in ks]
    held: dict[TransferKind, object] = {}
    for (k, p), c in product(outer, cs):
        needed = {WEIGHT: (k, c), IFMAP: (p, c)}
        new = frozenset(kind for kind, block in needed.items() if held.get(kind) != block)
        held = dict(needed)
        yield Step(k[1], p[0], p[1], c[1], c == cs[0], c == cs[-1], new)


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Program, int]:
    """One convolution of any stride and padding, an addition behind it or not; its padding."""
    groups = draw(st.sampled_from((1, 1, 1, 4)))
    c, k = (groups * draw(st.integers(1, 40 // groups)) for _ in range(2))
    r = draw(st.sampled_from((1, 3, 5)))
    x = tensor("x", 1, c, draw(st.integers(r, 15)), draw(st.integers(r, 6)))
    net = Net("net")
    pad = draw(st.integers(0, r // 2))
    y = net.conv(x, k, r=r, stride=draw(st.integers(1, 3)), pad=pad, groups=groups)
    inputs: tuple[Tensor, ...] = (x,)
    if draw(st.booleans()):
        other = tensor("other", *y.shape)
        net.add(y, other)
        inputs = (x, other)
    return program(net, inputs=inputs), pad


@settings(max_examples=40)
@given(convolutions(), st.sampled_from((1, 5, 8)), st.sampled_from((1, 4, 16)))
def test_every_blocking_does_what_its_numbers_say(
    made: tuple[Program, int], rows: int, cols: int
) -> None:
    prog, pad = made
    spec = device(pe_array__rows=rows, pe_array__cols=cols)
    (plan,) = all_in_dram(prog, spec).values()
    candidates = candidates_of(plan, spec)
    for index, tiling in enumerate(tilings_of(candidates)):
        chosen = replace(plan, tiling=tiling)
        tiled = tile_group(chosen, spec)
        check_loads(chosen, tiled, pad)
        check_totals(chosen, tiled)
        check_buffers(chosen, tiled)
        moved = sum(sum(ld.n_bytes for ld in t.loads) + t.store_bytes for t in tiled.tiles)
        assert tiling.least_dram_bytes <= moved <= int(candidates.dram_bytes[index])
        assert len(tiled.tiles) == int(candidates.tiles[index])


def check_loads(plan: GroupPlan, tiled: TiledGroup, pad: int) -> None:
    """Tile by tile: what the walker loads, and as much of it."""
    shape, d = plan.shape, plan.shape.dims
    for tile, step in zip(tiled.tiles, walk(plan, plan.tiling), strict=True):
        operand = shape.operand_bytes * step.dk * step.dp / (d.k * d.p) if step.first_c else 0
        weight, ifmap = (
            sum(ld.n_bytes for ld in tile.loads if ld.kind is k) for k in (WEIGHT, IFMAP)
        )
        share = shape.weight_bytes * step.dk * step.dc / (d.k * d.c)
        assert abs(weight - (share if WEIGHT in step.new else 0)) < 1
        first = max(step.p0 * d.stride[0] - pad, 0)
        after = min((step.p0 + step.dp - 1) * d.stride[0] - pad + d.r, shape.ifmap_rows)
        per_row = shape.ifmap_bytes * step.dc / (shape.ifmap_rows * d.c)
        image = per_row * max(after - first, 1) if IFMAP in step.new else 0
        # The planner infers the padding from the sizes; it may sit up to `pad` rows off.
        slack = per_row * pad if image else 0
        assert image + operand - slack - 1 <= ifmap <= image + operand + slack + 2
        assert tile.store_bytes == 0 or step.last_c


def check_totals(plan: GroupPlan, tiled: TiledGroup) -> None:
    """Each sweep moves a whole tensor; nothing is computed or written twice."""
    shape, steps = plan.shape, list(walk(plan, plan.tiling))
    weight_bytes = sum(ld.n_bytes for t in tiled.tiles for ld in t.loads if ld.kind is WEIGHT)
    assert weight_bytes % shape.weight_bytes == 0
    assert sum(t.store_bytes for t in tiled.tiles) == shape.ofmap_bytes
    assert sum(t.vector_cycles for t in tiled.tiles) == plan.vector_cycles
    d = shape.dims
    macs = sum(d.n * s.dk * s.dp * d.q * (s.dc // d.groups) * d.r * d.s for s in steps)
    assert macs == plan.macs == tiled.counts.macs


def check_buffers(plan: GroupPlan, tiled: TiledGroup) -> None:
    """While a tile is computed, what it uses and what the next one needs lie in the buffers."""
    fixed = tiled.psum_bytes + tiled.ofmap_buffer_bytes
    held: list[tuple[int, int]] = []  # (last tile that uses it, bytes)
    for i, tile in enumerate(tiled.tiles):
        held = [(last, n) for last, n in held if last >= i]
        held += [(i + load.held_for, load.n_bytes) for load in tile.loads]
        following = tiled.tiles[i + 1].loads if i + 1 < len(tiled.tiles) else []
        ahead = sum(load.n_bytes for load in following)
        assert fixed + sum(n for _, n in held) + ahead <= plan.tiling.buffer_bytes


def test_one_ideal_pe_takes_a_cycle_per_mac() -> None:
    x = tensor("x", 1, 12, 9, 7)
    net = Net("net")
    net.conv(x, 20, r=3)
    spec = device(
        pe_array__rows=1,
        pe_array__cols=1,
        pe_array__dataflow="ideal",
        scratchpad__bank_bytes_per_cycle=4096,
    )
    (plan,) = all_in_dram(program(net, inputs=(x,)), spec).values()
    for tiling in tilings_of(candidates_of(plan, spec)):
        tiled = tile_group(replace(plan, tiling=tiling), spec)
        assert sum(tile.pe_cycles for tile in tiled.tiles) == 20 * 12 * 9 * 7 * 9


def every_blocking(plan: GroupPlan, spec: AcceleratorSpec) -> Iterator[Tiling]:
    """All tile sizes in whole arrays, not only the halvings that the planner tries."""
    d, array = plan.shape.dims, spec.pe_array
    ks = sorted({min(k, d.k) for k in range(array.cols, d.k + array.cols, array.cols)})
    cs = sorted({min(c, d.c) for c in range(array.rows, d.c + array.rows, array.rows)})
    for order, k, p, c in product(LoopOrder, ks, range(1, d.p + 1), cs):
        yield Tiling(order, k, p, c, 0, 0)


def buffer_bytes(tiled: TiledGroup) -> int:
    """The least that holds the tiles in use, the next one's loads, sums and outputs."""
    most, held = 0, []
    for i, tile in enumerate(tiled.tiles):
        held = [(last, n) for last, n in held if last >= i]
        held += [(i + load.held_for, load.n_bytes) for load in tile.loads]
        following: list[Tile] = list(tiled.tiles[i + 1 : i + 2])
        ahead = sum(load.n_bytes for t in following for load in t.loads)
        most = max(most, sum(n for _, n in held) + ahead)
    return most + tiled.psum_bytes + tiled.ofmap_buffer_bytes


@pytest.mark.parametrize(
    ("c", "side", "k", "r"), [(32, 12, 48, 3), (64, 7, 100, 1), (128, 1, 300, 1)]
)
def test_chosen_traffic_is_near_the_least_of_all_tile_sizes(
    c: int, side: int, k: int, r: int
) -> None:
    x = tensor("x", 1, c, side, side)
    net = Net("net")
    net.conv(x, k, r=r)
    spec = device(pe_array__rows=16, pe_array__cols=16)
    (plan,) = all_in_dram(program(net, inputs=(x,)), spec).values()

    def traffic(tiled: TiledGroup) -> int:
        return sum(sum(ld.n_bytes for ld in t.loads) + t.store_bytes for t in tiled.tiles)

    every = [tile_group(replace(plan, tiling=t), spec) for t in every_blocking(plan, spec)]
    known = [(buffer_bytes(tiled), traffic(tiled)) for tiled in every]
    candidates = candidates_of(plan, spec)
    smallest, largest = candidates.smallest_buffer_bytes, candidates.largest_buffer_bytes
    excess = []
    for room in range(smallest, largest + 1, (largest - smallest) // 40):
        best = candidates.best(room, cycles_per_byte=1000.0, command_cycles=0.0)
        chosen = tile_group(replace(plan, tiling=best), spec)
        assert buffer_bytes(chosen) <= best.buffer_bytes <= room
        excess.append(traffic(chosen) / min(n for size, n in known if size <= room))
    # Tile sizes are halvings: where the room falls between two of them, some is lost.
    assert median(excess) == 1
    assert max(excess) < 2


@pytest.mark.parametrize("balance", [1 / 2, 1 / 32])
def test_the_choice_is_the_cheapest_by_its_own_measure(balance: float) -> None:
    x = tensor("x", 1, 32, 12, 12)
    net = Net("net")
    net.conv(x, 48, r=3)
    spec = device(pe_array__rows=16, pe_array__cols=16)
    (plan,) = all_in_dram(program(net, inputs=(x,)), spec).values()
    found = candidates_of(plan, spec)

    def cost(i: int) -> float:
        work, transfer = int(found.cycles[i]), int(found.dram_bytes[i]) * balance
        commands = int(found.transfers[i])
        return max(work, transfer) + min(work, transfer) / max(commands, 1) + 25 * commands

    for room in np.linspace(found.smallest_buffer_bytes, found.largest_buffer_bytes, 9).astype(int):
        fitting = [i for i, t in enumerate(tilings_of(found)) if t.buffer_bytes <= room]
        best = tilings_of(found).index(found.best(room, balance, 25))
        assert cost(best) == pytest.approx(min(cost(i) for i in fitting))
