"""Latency on an idealised device, where it can be worked out without the simulator.

2,048 MACs at full utilisation at 1 GHz: a tile of M multiply-accumulates takes ceil(M / 2048) ns.
8 GB/s of DRAM, no latency, no descriptors, bursts of one byte: a weight takes 125 ps. Inputs,
outputs and activations stay in a scratchpad that is never short. int8 unless said otherwise.
"""

from __future__ import annotations

from functools import cache
from math import prod
from pathlib import Path

import pytest

from simulator.compile import compile_program
from simulator.counts import flops_fvcore
from simulator.fast.recurrence import replay
from simulator.ir import ELEMENTWISE_OPS, MAC_OPS, Layer, Workload, leaf_routes
from simulator.mapping.case import Case, Wants
from simulator.mapping.plan import GroupPlan
from simulator.policy import Policy
from simulator.program_file import workload_from_json
from tests.devices import ideal_device
from tests.simulate import Run, run_route

ROOT = Path(__file__).resolve().parent.parent
PS_PER_BYTE = 125  # 10^12 / (8 x 10^9)
PS_PER_MS = 10**9
VECTOR_PS = 10  # a cycle of the ideal device's vector unit: 2^20 lanes at 100 GHz
LANES = 2**20


def shipped(name: str) -> Workload:
    path = ROOT / f"workloads/programs/{name}.json"
    return workload_from_json(path.read_text(), path.name)


@cache
def ideal_run(name: str, policy: Policy) -> tuple[Workload, tuple[int, ...], Run]:
    """One inference along the first route; all routes of these trees have one shape."""
    workload = shipped(name)
    arms = leaf_routes(workload.program)[0]
    return workload, arms, run_route(workload.program, ideal_device(), policy, arms)


def route_layers(workload: Workload, arms: tuple[int, ...]) -> list[list[Layer]]:
    """The layers a route runs, cut where a routing decision falls."""
    stages: list[list[Layer]] = [[]]
    left = list(arms)

    def follow(steps) -> None:
        for step in steps:
            if step.type == "segment":
                stages[-1].extend(step.layers)
            else:
                stages[-1].extend(step.router.layers)
                stages.append([])
                follow(step.arms[left.pop(0)].steps)

    follow(workload.program.steps)
    return stages


def weight_bytes(layers: list[Layer]) -> int:
    return sum(block.params for layer in layers for block in layer.weights)


def macs(layers: list[Layer]) -> int:
    return sum(
        prod((d.n, d.k, d.c // d.groups, d.p, d.q, d.r, d.s))
        for d in (layer.dims for layer in layers if layer.op in MAC_OPS)
    )


def pieces(full: int, size: int) -> list[int]:
    return [min(size, full - start) for start in range(0, full, size)]


def shares(total: int, parts: list[int]) -> list[int]:
    """A whole number dealt out in proportion, rounded down on the running sum."""
    done, dealt, found = 0, 0, []
    for part in parts:
        done += part
        found.append(total * done // sum(parts) - dealt)
        dealt += found[-1]
    return found


def tiles(plan: GroupPlan) -> list[tuple[int, int, int]]:
    """(weight bytes that arrive for it, PE ps, vector ps) of each tile, from dims and tile sizes.

    Works where every weight is loaded once.
    """
    layer, epilogue, tiling = plan.group.main, plan.group.epilogue, plan.tiling
    d = layer.dims
    n_bytes = weight_bytes([layer, *epilogue])
    if layer.op not in MAC_OPS:
        assert tiling.pieces == 1
        return [(n_bytes, 0, plan.vector_cycles * VECTOR_PS)]
    assert all(e.op in ELEMENTWISE_OPS for e in epilogue)
    ks, ps, cs = pieces(d.k, tiling.k), pieces(d.p, tiling.p), pieces(d.c, tiling.c)
    assert tiling.order.value == "k_outer" or len(ks) == 1 or len(ps) == 1
    assert len(cs) == 1 or len(ps) == 1  # or weights would be loaded again for other rows
    elements = layer.ofmap.elements if epilogue else 0  # one pass, however long the epilogue
    grid = [(k, p, c) for k in range(len(ks)) for p in range(len(ps)) for c in range(len(cs))]
    loads = iter(shares(n_bytes, [k * c for k in ks for c in cs]))
    vector = iter(shares(-(-elements // LANES), [k * p for k in ks for p in ps]))
    per_pixel = d.n * d.q * d.r * d.s
    return [
        (
            next(loads) if p == 0 else 0,
            -(-(ks[k] * ps[p] * (cs[c] // d.groups) * per_pixel) // 2048) * 1000,
            next(vector) * VECTOR_PS if c == len(cs) - 1 else 0,
        )
        for k, p, c in grid
    ]


def expected_latency_ps(
    groups: tuple[GroupPlan, ...], waits_for_decisions: bool, decisions_ahead: int = 0
) -> int:
    """Weights arrive back to back in order; a tile starts when its weights and the array are there.

    On demand, what follows a decision is not asked for before the decision; who guesses right asks
    for it one decision earlier.
    """
    decided = [0] * decisions_ahead
    arrived = array_free = 0
    done = [0, 0]  # of the tile before the last, and of the last
    for plan in groups:
        for index, (n_bytes, pe_ps, vector_ps) in enumerate(tiles(plan)):
            arrived += n_bytes * PS_PER_BYTE
            start = max(arrived if n_bytes else 0, array_free, done[0])
            if index == 0:
                start = max(start, done[1])
            array_free = start + pe_ps
            done = [done[1], max(max(start, done[1]) + vector_ps, array_free)]
        if plan.group.is_decision and waits_for_decisions:
            decided.append(done[1])
            arrived = max(arrived, decided[-1 - decisions_ahead])
    return done[1]


@pytest.mark.parametrize("policy", [Policy.ON_DEMAND, Policy.ORACLE])
@pytest.mark.parametrize("name", ["dense_resnet50", "sigmab_resnet50"])
def test_latency_is_the_one_worked_out_by_hand(name: str, policy: Policy) -> None:
    _, _, run = ideal_run(name, policy)
    expected = expected_latency_ps(run.schedule.groups, policy is not Policy.ORACLE)
    assert run.result.latency_ps == expected
    assert replay(run.schedule).latency_ps == expected


@pytest.mark.parametrize(
    ("name", "policy", "milliseconds"),
    [
        ("dense_resnet50", Policy.ON_DEMAND, 3.195),
        ("dense_resnet50", Policy.ORACLE, 3.195),
        ("sigmab_resnet50", Policy.ORACLE, 1.374),
        ("sigmab_resnet50", Policy.ON_DEMAND, 1.989),
    ],
)
def test_latency_on_the_idealised_device(name: str, policy: Policy, milliseconds: float) -> None:
    # 3.19, 1.38 and about 2.0 ms if whole layers wait for whole weight tensors and batch norm
    # and pooling take the array's time too: 2,833,842,640 FLOPs / 2,048 per ns = 1.384 ms for the
    # oracle. Here they run on the vector unit: 2,812,911,304 MACs / 2,048 per ns = 1.373 ms.
    _, _, run = ideal_run(name, policy)
    assert round(run.result.latency_ps / PS_PER_MS, 3) == milliseconds
    assert run.result.counts.dram_write_bytes == 0


@pytest.mark.parametrize(
    ("name", "waits_for_decisions", "milliseconds"),
    [
        ("dense_resnet50", False, 3.196),
        ("sigmab_resnet50", False, 1.385),
        ("sigmab_resnet50", True, 2.011),
    ],
)
def test_whole_layers_on_the_array_alone(
    name: str, waits_for_decisions: bool, milliseconds: float
) -> None:
    # The estimate by layers that the exact figures above stand beside: every FLOP of the paper's
    # count on the array, a layer starts when its whole weight tensor has arrived.
    workload = shipped(name)
    arms = leaf_routes(workload.program)[0]
    arrived = time = 0
    for stage in route_layers(workload, arms):
        for layer in stage:
            arrived += weight_bytes([layer]) * PS_PER_BYTE
            waits = arrived if layer.weights else 0
            time = max(time, waits) + flops_fvcore(layer) * 1000 / 2048
        if waits_for_decisions:
            arrived = max(arrived, time)
    assert round(time / PS_PER_MS, 3) == milliseconds


def test_dense_is_bound_by_its_weights() -> None:
    # 25,557,032 weights x 125 ps = 3.194629 ms, during which the array could do 6.5 GMAC of the
    # 4.09 it has to: only the last tile is computed after the last weight. It is at most the
    # whole classifier, 2,048,000 MACs or 1 us.
    workload, arms, run = ideal_run("dense_resnet50", Policy.ON_DEMAND)
    assert weight_bytes(route_layers(workload, arms)[0]) == 25_557_032
    over = run.result.latency_ps - 25_557_032 * PS_PER_BYTE
    assert 0 < over <= 1_000_000


def test_oracle_is_bound_by_compute_and_on_demand_by_the_sum_of_the_stages() -> None:
    # Between decisions a stage takes at least its weights' and at least its MACs' time. On demand
    # the stages add up; the oracle overlaps them, and has the trunk's 0.886 ms of compute to load
    # what comes later.
    workload, arms, oracle = ideal_run("sigmab_resnet50", Policy.ORACLE)
    _, _, on_demand = ideal_run("sigmab_resnet50", Policy.ON_DEMAND)
    stages = route_layers(workload, arms)
    load_ps = [weight_bytes(stage) * PS_PER_BYTE for stage in stages]
    mac_ps = [macs(stage) * 1000 / 2048 for stage in stages]
    staged = sum(max(pair) for pair in zip(load_ps, mac_ps, strict=True))
    # Beyond the bounds there is only the array's wait for the first tile of a stage, the last
    # tile's compute and the fill of tiles to whole cycles: 1 % at most.
    assert staged <= on_demand.result.latency_ps <= 1.01 * staged
    unstaged = max(sum(load_ps), sum(mac_ps))
    assert unstaged <= oracle.result.latency_ps <= 1.01 * unstaged


def test_traffic_is_cut_by_59_5_per_cent() -> None:
    found = {}
    for name in ("dense_resnet50", "sigmab_resnet50"):
        workload, arms, run = ideal_run(name, Policy.ON_DEMAND)
        found[name] = run.result.weight_read_bytes
        assert run.result.counts.dram_read_bytes == found[name]
        assert found[name] == sum(map(weight_bytes, route_layers(workload, arms)))
    # arXiv 2606.09924 table III prints 25.56 and 10.34 M: 1 - 10.34 / 25.56 = 59.5 %.
    millions = {name: round(n_bytes / 10**6, 2) for name, n_bytes in found.items()}
    assert millions == {"dense_resnet50": 25.56, "sigmab_resnet50": 10.34}
    cut = 1 - found["sigmab_resnet50"] / found["dense_resnet50"]
    assert cut == pytest.approx(0.595, abs=0.001)


@pytest.mark.parametrize(("name", "megabytes"), [("dense_resnet50", 102), ("sigmab_resnet50", 41)])
def test_fp32_weights_per_inference(name: str, megabytes: int) -> None:
    # arXiv 2606.09924 section VI-B
    workload = shipped(name)
    arms = leaf_routes(workload.program)[0]
    device = ideal_device(precision__weight_bits=32)
    run = run_route(workload.program, device, Policy.ON_DEMAND, arms)
    assert run.result.weight_read_bytes == 4 * sum(map(weight_bytes, route_layers(workload, arms)))
    assert round(run.result.weight_read_bytes / 10**6) == megabytes


@pytest.mark.parametrize("right", [True, False])
def test_a_right_guess_saves_a_decision_and_a_wrong_one_costs_a_granule(right: bool) -> None:
    # Nothing contends: weights behind the first decision have the idle bus of the trunk, those
    # behind the second what is left of it after the first. The oracle alone runs further ahead. A
    # wrong guess can only be in the way with the granule it was at: 4,096 B at each decision.
    workload, arms, _ = ideal_run("sigmab_resnet50", Policy.ORACLE)
    _, _, on_demand = ideal_run("sigmab_resnet50", Policy.ON_DEMAND)
    wants = tuple(Wants((arm if right else 1 - arm,)) for arm in arms)
    case = Case(arms, wants)
    spec = ideal_device()
    compiled = compile_program(workload.program, spec, Policy.MOST_PROBABLE, {case: 1})
    latency_ps = replay(compiled.schedules[case]).latency_ps
    if right:
        groups = compiled.schedules[case].groups
        expected = expected_latency_ps(groups, waits_for_decisions=True, decisions_ahead=1)
        assert latency_ps == pytest.approx(expected, rel=0.01)
        assert latency_ps < 0.8 * on_demand.result.latency_ps
    else:
        extra_ps = latency_ps - on_demand.result.latency_ps
        assert 0 <= extra_ps <= 2 * 4096 * PS_PER_BYTE
