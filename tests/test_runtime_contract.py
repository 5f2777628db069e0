"""What holds for every way of keeping weights, whatever the stream."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.engine import simulate
from simulator.errors import UserError
from simulator.runtime.device import Device
from simulator.runtime.granularity import Granularity
from simulator.runtime.itinerary import Arms
from simulator.runtime.residency import Residency, ResidencyPolicy, Scope
from tests.devices import device
from tests.trees import deep_tree

LEAVES: tuple[Arms, ...] = ((0, 0), (0, 1), (1, 0), (1, 1))
CASES = [
    (policy, granularity)
    for policy in ResidencyPolicy
    for granularity in (Granularity.NODE, Granularity.TILE, Granularity.BIT_SLICE)
]
streams = st.lists(st.sampled_from(LEAVES), min_size=1, max_size=25)


@cache
def made(residency: Residency) -> Device:
    """One device per way of keeping weights; its simulated cases are shared by all examples."""
    return Device(deep_tree(), device(scratchpad__capacity_kib=16), residency=residency, future=())


def device_with(residency: Residency, stream: list[Arms]) -> Device:
    found = made(residency)
    found.reset(future=stream)
    return found


def assert_engine_agrees(dev: Device, arms: Arms) -> None:
    passage = dev.passage(arms)
    inference = dev.costs.of(passage)
    run = simulate(dev.costs.timeline(passage).schedule)
    assert run.timeline.latency_ps == inference.latency_ps
    beside = dev.spec.scratchpad.capacity_bytes - dev.residency.region_bytes
    assert run.scratchpad_peak_bytes <= beside


def every_case() -> pytest.MarkDecorator:
    residencies = [Residency(*case, region_bytes=6000) for case in CASES]
    return pytest.mark.parametrize("residency", residencies, ids=["-".join(case) for case in CASES])


@every_case()
class TestEveryPolicy:
    @settings(max_examples=15)
    @given(stream=streams)
    def test_capacity_bytes_and_use(self, residency: Residency, stream: list[Arms]) -> None:
        dev = device_with(residency, stream)
        path_bytes = {
            arms: sum(dev.cuts[node].n_bytes for node in dev.itinerary.path(arms))
            for arms in LEAVES
        }
        for index, arms in enumerate(stream):
            resident = [dev.region.units(node) for node in range(len(dev.cuts))]
            latency_ps = dev.peek(arms)
            assert [dev.region.units(node) for node in range(len(dev.cuts))] == resident
            inference = dev.serve(arms)
            assert inference.latency_ps == latency_ps
            assert dev.region.used_bytes <= residency.region_bytes
            # Each byte of the route's weights was on chip, came to stay or went through.
            assert inference.weight_bytes == path_bytes[arms]
            assert inference.kept_bytes + inference.streamed_bytes == inference.weight_read_bytes
            # What was resident before the inference bounds its hits; the first finds nothing.
            most = sum(
                dev.cuts[node].prefix_bytes[resident[node]] for node in dev.itinerary.path(arms)
            )
            assert inference.hit_bytes <= most
            assert index or not inference.hit_bytes
            # What is resident of the route now was hit or taken in; of the rest, none was added.
            units = [dev.region.units(node) for node in range(len(dev.cuts))]
            path = dev.itinerary.path(arms)
            there = sum(dev.cuts[node].prefix_bytes[units[node]] for node in path)
            assert there == inference.hit_bytes + inference.kept_bytes
            others = set(range(len(units))) - set(path)
            assert all(units[node] <= resident[node] for node in others)
        if residency.policy is ResidencyPolicy.NONE:
            assert dev.region.used_bytes == 0

    def test_what_a_leg_uses_stays_to_the_end_of_the_inference(self, residency: Residency) -> None:
        stream = [LEAVES[i] for i in (0, 3, 1, 2, 2, 0, 3)]
        dev = device_with(residency, stream)
        for arms in stream:
            uses = dev.region.pass_through(dev.itinerary, arms)
            assert all(dev.region.units(node) == after for node, _, after in uses)

    def test_the_engine_agrees_on_every_state(self, residency: Residency) -> None:
        stream = [LEAVES[i] for i in (0, 3, 1, 2, 2, 0, 3)]
        dev = device_with(residency, stream)
        for arms in stream:
            assert_engine_agrees(dev, arms)

    def test_behind_branches_alone_the_backbone_is_never_kept(self, residency: Residency) -> None:
        stream = [LEAVES[i] for i in (0, 3, 1, 2, 2, 0, 3)]
        scoped = Residency(
            residency.policy, residency.granularity, residency.region_bytes, scope=Scope.BRANCHES
        )
        dev = device_with(scoped, stream)
        for arms in stream:
            dev.serve(arms)
            assert not any(dev.region.units(node) for node in dev.itinerary.backbone)


@settings(max_examples=50)
@given(stream=streams, size=st.integers(0, 14_000), n_bytes=st.booleans())
def test_no_online_policy_beats_the_bound_by_bytes(
    stream: list[Arms], size: int, n_bytes: bool
) -> None:
    granularity = Granularity.BYTE if n_bytes else Granularity.TILE
    hits = {}
    for policy in ResidencyPolicy:
        dev = made(Residency(policy, granularity))
        dev.reset(future=stream)
        dev.region.capacity_bytes = size
        hits[policy] = sum(
            dev.cuts[node].prefix_bytes[before]
            for arms in stream
            for node, before, _ in dev.region.pass_through(dev.itinerary, arms)
        )
    if n_bytes:  # all units have one size: Belady's is the best
        assert max(hits.values()) == hits[ResidencyPolicy.BELADY]


def test_a_region_that_holds_all_hits_all_but_the_first_time() -> None:
    residency = Residency(ResidencyPolicy.LRU, region_bytes=20_000)
    large = Device(deep_tree(), device(scratchpad__capacity_kib=64), residency=residency)
    for arms in LEAVES:
        large.serve(arms)
    for arms in LEAVES:
        again = large.serve(arms)
        assert again.hit_bytes == again.weight_bytes
        assert again.weight_read_bytes == 0


def test_belady_needs_to_know_what_is_to_come() -> None:
    with pytest.raises(UserError, match="needs all routes to come"):
        Device(deep_tree(), device(), residency=Residency(ResidencyPolicy.BELADY))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"region_bytes": -1}, "region_bytes -1: must be zero or more"),
        ({"bit_slices": 1}, "bit_slices 1: must be from 2 to 8"),
        ({"standin": True}, "only bit_slice keeps weights in fewer bits"),
    ],
)
def test_impossible_residencies(fields: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Residency(**fields)
