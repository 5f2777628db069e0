"""What keeping weights brings: equal terms, persistence, region sizes, bounded memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from simulator.ir import Route
from simulator.mapping.plan import block_bytes
from simulator.policy import Policy
from simulator.runtime.confidence import batch_means
from simulator.runtime.device import Device
from simulator.runtime.granularity import Granularity
from simulator.runtime.region_size import HARM_FRACTION, largest_harmless_region
from simulator.runtime.residency import ONLINE, Residency, ResidencyPolicy, Scope
from simulator.runtime.run_stream import device_for, highest_hit_fraction, run_stream
from simulator.runtime.stream_result import StreamResult
from simulator.runtime.streams import Stream, StreamKind, population_of_shares
from simulator.simulation import run_workload
from simulator.spec_file import load_spec
from tests.devices import device
from tests.simulate import with_part
from tests.trees import deep_tree, flat_tree

SPECS_DIR = Path(__file__).resolve().parent.parent / "accelerator_specs"
SPECS = sorted(path.stem for path in SPECS_DIR.glob("*.yaml"))
SPEC = device(scratchpad__capacity_kib=64)
REGION = 14_000  # trunk and router take about 1.2 kB; an arm 8 KiB: one and a half arms fit


def stream_of(kind: StreamKind, count: int, seed: int = 0, persistence: float = 0.9) -> Stream:
    itinerary = Device(flat_tree(), SPEC).itinerary
    return Stream(kind, population_of_shares(itinerary, "x"), count, seed, persistence)


def result(policy: ResidencyPolicy, stream: Stream) -> StreamResult:
    residency = Residency(policy, Granularity.BYTE, REGION)
    return run_stream(device_for(Device(flat_tree(), SPEC), residency, stream), stream)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_on_equal_terms_every_online_policy_hits_as_often(seed: int) -> None:
    stream = stream_of(StreamKind.INDEPENDENT, 2000, seed)
    runs = {policy: result(policy, stream) for policy in (*ONLINE, ResidencyPolicy.BELADY)}
    intervals = {p: run.interval("hit_bytes", "weight_bytes") for p, run in runs.items()}
    belady = runs[ResidencyPolicy.BELADY].hit_fraction
    # The backbone always hits; of the arms, what fits beside it does one time in four.
    dev = Device(flat_tree(), SPEC)
    backbone = sum(dev.cuts[node].n_bytes for node in dev.itinerary.backbone)
    path = sum(dev.cuts[node].n_bytes for node in dev.itinerary.path((0,)))
    expected = (backbone + (REGION - backbone) / 4) / path
    for policy in ONLINE:
        interval = intervals[policy]
        assert interval is not None
        assert abs(interval.mean - expected) < 2 * interval.half_width
        assert runs[policy].hit_fraction <= belady
    assert belady > expected * 1.05


def test_persistence_raises_the_hit_rate() -> None:
    rates = [
        result(ResidencyPolicy.LRU, stream_of(StreamKind.MARKOV, 3000, persistence=p))
        for p in (0.0, 0.5, 0.9)
    ]
    hits = [rate.hit_fraction for rate in rates]
    latencies = [rate.latencies_ps.mean for rate in rates]
    assert hits == sorted(hits)
    assert hits[2] > hits[0] + 0.2
    assert latencies == sorted(latencies, reverse=True)


def test_without_residency_a_stream_is_a_run() -> None:
    workload = deep_tree()
    dev = Device(workload, SPEC)
    stream = Stream(StreamKind.INDEPENDENT, population_of_shares(dev.itinerary, "x"), 200, seed=4)
    routes = list(stream.routes())
    run = run_workload(workload, SPEC, Policy.ON_DEMAND, [Route(arms=arms) for arms in routes])
    for arms in set(routes):
        inference = dev.serve(arms)
        assert inference.latency_ps == run.results[arms].latency_ps
        assert inference.energy_pj == pytest.approx(run.results[arms].energy.total_pj)
        assert inference.weight_read_bytes == run.results[arms].weight_read_bytes


def test_what_is_resident_is_not_waited_for() -> None:
    # Slow DRAM: an arm of 8 KiB takes 8.2 us at 1 GB/s. On chip it takes no time at all.
    slow = with_part(SPEC, "dram", peak_bytes_per_s=10**9)
    residency = Residency(ResidencyPolicy.LRU, region_bytes=16 * 1024)
    dev = Device(flat_tree(), slow, residency=residency)
    first, second = dev.serve((0,)), dev.serve((0,))
    assert second.weight_read_bytes == 0
    saved_ps = first.latency_ps - second.latency_ps
    assert saved_ps > first.weight_read_bytes * 1000 * 0.9


def test_the_oracle_fetches_across_branches_and_is_no_slower() -> None:
    residency = Residency(ResidencyPolicy.LRU, region_bytes=4096)
    for policy in (Policy.ON_DEMAND, Policy.ORACLE):
        dev = Device(flat_tree(), SPEC, policy, residency)
        latencies = [dev.serve((i % 4,)).latency_ps for i in range(6)]
        if policy is Policy.ON_DEMAND:
            on_demand = latencies
    assert all(o <= d for o, d in zip(latencies, on_demand, strict=True))


def test_the_bound_holds_for_every_policy_and_scope() -> None:
    stream = stream_of(StreamKind.MARKOV, 200, persistence=0.5)
    base = Device(flat_tree(), SPEC, residency=Residency(region_bytes=REGION))
    for scope in Scope:
        for policy in ResidencyPolicy:
            residency = Residency(policy, region_bytes=REGION, scope=scope)
            dev = device_for(base, residency, stream)
            assert run_stream(dev, stream).hit_fraction <= highest_hit_fraction(dev, stream)


def test_the_default_region_leaves_the_plan_unharmed() -> None:
    size, tried = largest_harmless_region(deep_tree(), SPEC, Policy.ON_DEMAND)
    assert tried[0].region_bytes == 0
    whole = tried[0].latency_ps
    assert whole is not None
    total = sum(cut.n_bytes for cut in Device(deep_tree(), SPEC).cuts)
    assert 0 < size <= total
    beside = Device(deep_tree(), SPEC, residency=Residency(region_bytes=size))
    mean = sum(
        share * beside.serve(arms).latency_ps for arms, share in beside.itinerary.shares.items()
    )
    assert mean <= whole * (1 + HARM_FRACTION)


def test_memory_does_not_grow_with_the_stream() -> None:
    def peak_bytes(count: int) -> int:
        stream = stream_of(StreamKind.MARKOV, count)
        dev = Device(flat_tree(), SPEC, residency=Residency(ResidencyPolicy.LRU, region_bytes=8192))
        run_stream(dev, stream)  # simulates the cases there are
        tracemalloc.start()
        run_stream(dev, stream)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert peak_bytes(6000) < 1.1 * peak_bytes(1500)


def test_batch_means() -> None:
    # Twenty windows of hits 1 and 2 by turns out of 10: mean 0.15, variance 0.0025 * 20 / 19;
    # half-width 2.093 * sqrt(0.0025 * 20 / 19 / 20) = 0.02401.
    interval = batch_means([1, 2] * 10, [10] * 20)
    assert interval is not None
    assert interval.mean == pytest.approx(0.15)
    assert interval.half_width == pytest.approx(0.02401, abs=1e-5)
    assert batch_means([1] * 19, [10] * 19) is None


@pytest.mark.parametrize("name", SPECS)
def test_on_every_shipped_spec_the_pieces_are_all_the_weights(name: str) -> None:
    spec = load_spec(SPECS_DIR / f"{name}.yaml", [])
    workload = deep_tree()
    dev = Device(workload, spec, residency=Residency(ResidencyPolicy.LRU, region_bytes=4096))
    for node, cut in zip(dev.itinerary.nodes, dev.cuts, strict=True):
        blocks = [block for group in node.groups for block in group.weights]
        assert cut.n_bytes == sum(block_bytes(block, spec) for block in blocks)
    first = dev.serve((0, 0))
    again = dev.serve((0, 0))
    assert first.weight_bytes == again.weight_bytes
    assert 0 < again.hit_bytes <= 4096
    assert again.weight_read_bytes < first.weight_read_bytes
