"""Guesses and residency together: what is fetched before a decision does not depend on it."""

from __future__ import annotations

import random

import pytest

from simulator.engine import simulate
from simulator.errors import UserError
from simulator.policy import PREDICTING, Policy, PolicyChoice, PredictorName
from simulator.runtime.device import Device
from simulator.runtime.granularity import Granularity
from simulator.runtime.itinerary import Arms
from simulator.runtime.residency import Residency, ResidencyPolicy
from tests.devices import device
from tests.trees import deep_tree

LEAVES: tuple[Arms, ...] = ((0, 0), (0, 1), (1, 0), (1, 1))
SPEC = device(
    scratchpad__capacity_kib=16,
    dram__peak_bytes_per_s=10**9,
    pe_array__rows=1,
    pe_array__cols=4,
    dma__preemption_bytes=256,
)
CHOICES = [
    *map(PolicyChoice, (Policy.ON_DEMAND, *PREDICTING, Policy.ORACLE)),
    PolicyChoice(Policy.MOST_PROBABLE, PredictorName.LAST_ROUTE),
    PolicyChoice(Policy.MOST_PROBABLE, PredictorName.MARKOV),
]
KEPT = [
    Residency(ResidencyPolicy.LRU, Granularity.TILE, 5000),
    Residency(ResidencyPolicy.LFU, Granularity.BIT_SLICE, 5000, standin=True),
]


def stream(count: int) -> list[Arms]:
    return random.Random(3).choices(LEAVES, k=count)


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice.text)
@pytest.mark.parametrize("kept", KEPT, ids=["tile", "standin"])
def test_bytes_are_conserved_and_the_engine_agrees(choice: PolicyChoice, kept: Residency) -> None:
    dev = Device(deep_tree(), SPEC, choice, kept)
    wasted = 0
    for arms in stream(12):
        before = dev.peek(arms)
        passage = dev.passage(arms)
        inference = dev.costs.of(passage)
        assert inference.latency_ps == before
        run = simulate(dev.costs.timeline(passage).schedule)
        assert run.timeline.latency_ps == inference.latency_ps
        assert run.scratchpad_peak_bytes <= 16 * 1024 - kept.region_bytes
        fetched = inference.kept_bytes + inference.streamed_bytes + inference.wasted_bytes
        assert inference.weight_read_bytes == fetched
        wasted += inference.wasted_bytes
    assert (wasted > 0) == (choice.policy in PREDICTING)


@pytest.mark.parametrize("choice", [c for c in CHOICES if c.policy is not Policy.ORACLE], ids=str)
def test_until_a_decision_all_routes_are_the_same(choice: PolicyChoice) -> None:
    dev = Device(deep_tree(), SPEC, choice, KEPT[0])
    for arms in stream(8):
        state = dev.region.save()
        ends = []
        for route in LEAVES:
            timeline = dev.costs.timeline(dev.passage(route))
            dev.region.restore(state)
            decision = timeline.schedule.branch_tiles[0]
            decided = timeline.vector_end_ps[decision]
            buses = [
                burst for early in timeline.early for burst in early.bursts if burst[0] < decided
            ]
            ends.append((timeline.vector_end_ps[: decision + 1], buses))
        assert all(each == ends[0] for each in ends)
        dev.serve(arms)


@pytest.mark.parametrize("policy", PREDICTING)
def test_with_nothing_resident_the_oracle_is_no_slower(policy: Policy) -> None:
    guessing = Device(deep_tree(), SPEC, policy)
    oracle = Device(deep_tree(), SPEC, Policy.ORACLE)
    for arms in LEAVES:
        assert oracle.serve(arms).latency_ps <= guessing.serve(arms).latency_ps


def test_the_last_route_is_a_good_guess_for_a_stream_that_stays() -> None:
    stays = [LEAVES[0]] * 6
    latencies = {}
    for name in (Policy.ON_DEMAND, Policy.MOST_PROBABLE):
        choice = PolicyChoice(name, PredictorName.LAST_ROUTE)
        dev = Device(deep_tree(), SPEC, choice)
        latencies[name] = [dev.serve(arms).latency_ps for arms in stays][-1]
    assert latencies[Policy.MOST_PROBABLE] < latencies[Policy.ON_DEMAND]


def test_what_is_guessed_is_not_taken_in_and_what_is_missed_is() -> None:
    dev = Device(deep_tree(), SPEC, Policy.MOST_PROBABLE, KEPT[0])
    names = [node.name for node in dev.itinerary.nodes]
    for arms in stream(20):
        dev.serve(arms)
    units = {name: dev.region.units(node) for node, name in enumerate(names)}
    # By the prior (0.4, 0.3, 0.2, 0.1) arm 0 is guessed at every branch.
    assert units["level.0"] == units["leaf.0.0"] == units["leaf.1.0"] == 0
    assert units["level.1"] > 0


@pytest.mark.parametrize("policy", [Policy.EARLY_ROUTER, Policy.TIED])
def test_policies_that_do_not_go_with_a_region(policy: Policy) -> None:
    with pytest.raises(UserError, match=f"--policy {policy}: "):
        Device(deep_tree(), SPEC, policy, KEPT[0])
