"""Routing by what is resident, and running on high bits alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import UserError
from simulator.ir import Workload
from simulator.outcomes_file import Outcomes, most_probable, outcomes_from_file
from simulator.program_file import workload_from_json
from simulator.runtime.device import Device
from simulator.runtime.granularity import Granularity
from simulator.runtime.residency import ONLINE, Residency, ResidencyPolicy
from simulator.runtime.routed_stream import Answers, prefer_resident, run_routed
from simulator.runtime.run_stream import run_stream
from simulator.runtime.streams import Stream, StreamKind, population_of_outcomes
from tests.devices import device

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "digits_tree"
REGION = 9000


@pytest.fixture(scope="module")
def tree() -> Workload:
    path = FOLDER / "program.json"
    return workload_from_json(path.read_text(), str(path))


@pytest.fixture(scope="module")
def full() -> Outcomes:
    return outcomes_from_file(FOLDER / "outcomes.json")


@pytest.fixture(scope="module")
def fewer() -> Outcomes:
    return outcomes_from_file(FOLDER / "outcomes_4bit.json")


@pytest.fixture(scope="module")
def base(tree: Workload) -> Device:
    residency = Residency(granularity=Granularity.BIT_SLICE, region_bytes=REGION)
    return Device(tree, device(scratchpad__capacity_kib=64), residency=residency)


def kept(base: Device, policy: ResidencyPolicy, standin: bool = False) -> Device:
    return base.alike(Residency(policy, Granularity.BIT_SLICE, REGION, standin=standin))


@pytest.mark.parametrize("policy", ONLINE)
def test_margin_zero_is_plain_routing(base: Device, full: Outcomes, policy: str) -> None:
    stream = Stream(StreamKind.SHUFFLED, population_of_outcomes(full, "x"), 500, seed=1)
    mine = kept(base, ResidencyPolicy(policy))
    plain = run_stream(mine, stream)
    routed = run_routed(mine, stream, Answers(full), 0.0)
    assert routed.latencies_ps.items() == plain.latencies_ps.items()
    for name in ("hit_bytes", "kept_bytes", "weight_read_bytes", "energy_pj"):
        assert routed.total(name) == plain.total(name)
    assert routed.total("diverted") == 0


def test_at_margin_zero_the_data_set_is_as_right_as_its_file_says(
    base: Device, full: Outcomes
) -> None:
    stream = Stream(StreamKind.DATA_SET, population_of_outcomes(full, "x"), len(full.inputs))
    found = run_routed(kept(base, ResidencyPolicy.LRU), stream, Answers(full))
    assert found.mean("right") == pytest.approx(full.accuracy_fraction())


def test_a_wider_margin_reads_less_and_margin_one_stays_where_it_is(
    base: Device, full: Outcomes
) -> None:
    stream = Stream(StreamKind.SHUFFLED, population_of_outcomes(full, "x"), 800)
    mine = kept(base, ResidencyPolicy.LRU)
    runs = [run_routed(mine, stream, Answers(full), margin) for margin in (0, 0.3, 0.7, 1)]
    reads = [run.mean("weight_read_bytes") for run in runs]
    assert reads == sorted(reads, reverse=True)
    assert reads[3] < 0.6 * reads[0]
    assert runs[3].mean("right") < runs[0].mean("right")


@given(
    weights=st.lists(st.integers(0, 5), min_size=2, max_size=4).filter(any),
    data=st.data(),
)
def test_what_may_be_preferred(weights: list[int], data: st.DataObject) -> None:
    probabilities = tuple(weight / sum(weights) for weight in weights)
    resident = [data.draw(st.sampled_from((0.0, 0.5, 1.0))) for _ in weights]
    assert prefer_resident(probabilities, resident, 0.0) == most_probable("", probabilities)
    margin = data.draw(st.floats(0, 1))
    arm = prefer_resident(probabilities, resident, margin)
    best = most_probable("", probabilities)
    assert resident[arm] >= resident[best]
    assert arm == best or probabilities[arm] > probabilities[best] - margin


def test_standing_in_saves_what_it_skips(base: Device, full: Outcomes, fewer: Outcomes) -> None:
    stream = Stream(StreamKind.SHUFFLED, population_of_outcomes(full, "x"), 800)
    without = run_routed(kept(base, ResidencyPolicy.LRU), stream, Answers(full, fewer))
    with_it = run_routed(kept(base, ResidencyPolicy.LRU, True), stream, Answers(full, fewer))
    assert without.total("standins") == 0
    assert with_it.total("standins") > 0
    assert with_it.total("skipped_bytes") > 0
    assert with_it.mean("weight_read_bytes") < without.mean("weight_read_bytes")
    assert with_it.judged
    assert not run_routed(kept(base, ResidencyPolicy.LRU, True), stream, Answers(full)).judged


def test_an_arm_runs_on_its_high_bits_once_these_are_all_there_is(base: Device) -> None:
    mine = kept(base, ResidencyPolicy.LRU, standin=True)
    arms = ((0, 0), (0, 1), (1, 0), (1, 1))
    seen = set()
    for step in range(12):
        inference = mine.serve(arms[step % 4])
        seen.add(inference.standin_nodes)
        assert mine.region.used_bytes <= REGION
        if inference.standin_nodes:
            # All of an arm that stands in was resident or skipped; nothing of it was read.
            assert inference.skipped_bytes > 0
        read = inference.kept_bytes + inference.streamed_bytes
        assert inference.weight_read_bytes == read
    assert len(seen) > 1
    backbone = mine.itinerary.backbone
    assert all(mine.cuts[node].n_units >= mine.region.units(node) for node in backbone)


def test_other_inputs_cannot_stand_in(full: Outcomes, fewer: Outcomes) -> None:
    shorter = fewer.model_copy(update={"inputs": fewer.inputs[1:]})
    with pytest.raises(UserError, match="is of other inputs"):
        Answers(full, shorter)
    other = fewer.model_copy(update={"leaves": fewer.leaves[::-1]})
    with pytest.raises(UserError, match="is of another tree"):
        Answers(full, other)


def test_margins_are_fractions(base: Device, full: Outcomes) -> None:
    stream = Stream(StreamKind.DATA_SET, population_of_outcomes(full, "x"), 3)
    with pytest.raises(UserError, match=r"margin 1\.5: must be from 0 to 1"):
        run_routed(base, stream, Answers(full), 1.5)
