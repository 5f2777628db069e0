"""Orders of inputs against what they promise: shares, persistence, bursts, order."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import groupby, pairwise
from math import ceil, log2

import numpy as np
import pytest

from simulator.errors import UserError
from simulator.ir import Route
from simulator.mapping.groups import group_program
from simulator.runtime.itinerary import Itinerary, itinerary_of
from simulator.runtime.locality import measure_locality
from simulator.runtime.streams import (
    CHUNK,
    Population,
    Stream,
    StreamKind,
    population_of_routes,
    population_of_shares,
)
from simulator.runtime.tally import Tally
from tests.trees import deep_tree, flat_tree


def tree() -> Itinerary:
    workload = deep_tree((0.4, 0.3, 0.2, 0.1))
    return itinerary_of(workload, group_program(workload.program))


def shares() -> Population:
    return population_of_shares(tree(), "shares")


def real(labels: bool = True) -> Population:
    """Six inputs of three classes."""
    found = population_of_routes(
        tree(), [Route(arms=arms) for arms in ((0, 0), (0, 1), (1, 0), (0, 0), (1, 1), (0, 1))], "x"
    )
    return replace(found, labels=np.array([0, 0, 1, 1, 2, 2])) if labels else found


@pytest.mark.parametrize("kind", [StreamKind.INDEPENDENT, StreamKind.MARKOV])
def test_leaves_keep_their_shares(kind: StreamKind) -> None:
    inputs = list(Stream(kind, shares(), 40_000, seed=3, persistence=0.6).inputs())
    found = Counter(inputs)
    # With persistence p a share's standard error grows by (1 + p) / (1 - p): below 0.5 % here.
    for leaf, share in enumerate((0.4, 0.3, 0.2, 0.1)):
        assert found[leaf] / 40_000 == pytest.approx(share, abs=0.02)


def test_persistence_is_how_often_a_leaf_is_kept_on_purpose() -> None:
    inputs = list(Stream(StreamKind.MARKOV, shares(), 50_000, seed=1, persistence=0.8).inputs())
    same = sum(a == b for a, b in pairwise(inputs)) / (len(inputs) - 1)
    # Kept with 0.8; of the rest 0.4^2 + 0.3^2 + 0.2^2 + 0.1^2 = 0.3 are the same leaf by chance.
    assert same == pytest.approx(0.8 + 0.2 * 0.3, abs=0.01)


def test_persistence_one_never_leaves_and_zero_is_independent() -> None:
    stuck = Stream(StreamKind.MARKOV, shares(), 3 * CHUNK, seed=2, persistence=1.0)
    assert len(set(stuck.inputs())) == 1
    free = Stream(StreamKind.MARKOV, shares(), 999, seed=2, persistence=0.0)
    assert list(free.inputs()) == list(
        Stream(StreamKind.INDEPENDENT, shares(), 999, seed=2).inputs()
    )


def test_the_data_set_in_its_order_again_and_again() -> None:
    stream = Stream(StreamKind.DATA_SET, real(), 8)
    assert list(stream.inputs()) == [0, 1, 2, 3, 4, 5, 0, 1]
    assert list(stream.routes())[:3] == [(0, 0), (0, 1), (1, 0)]


def test_shuffled_takes_every_input_once_per_pass() -> None:
    inputs = list(Stream(StreamKind.SHUFFLED, real(), 18, seed=4).inputs())
    passes = [inputs[i : i + 6] for i in (0, 6, 12)]
    assert all(sorted(each) == list(range(6)) for each in passes)
    assert len({tuple(each) for each in passes}) > 1


def test_class_bursts_stay_in_a_class() -> None:
    population = real()
    stream = Stream(StreamKind.CLASS_BURSTS, population, 3000, seed=5, burst=10)
    assert population.labels is not None
    classes = population.labels[list(stream.inputs())]
    lengths = [len(list(run)) for _, run in groupby(classes.tolist())]
    assert all(length % 10 == 0 for length in lengths)
    assert Counter(classes.tolist())[1] / 3000 == pytest.approx(1 / 3, abs=0.1)


def test_equal_streams_are_equal_and_seeds_differ() -> None:
    stream = Stream(StreamKind.MARKOV, shares(), 200, seed=7)
    assert list(stream.inputs()) == list(stream.inputs())
    assert list(stream.inputs()) != list(replace(stream, seed=8).inputs())
    assert len(list(replace(stream, count=2 * CHUNK + 1).inputs())) == 2 * CHUNK + 1


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (StreamKind.DATA_SET, {}, "--stream data_set: needs real inputs"),
        (StreamKind.CLASS_BURSTS, {}, "needs classes: name --outcomes"),
        (StreamKind.MARKOV, {"persistence": 1.5}, "--persistence 1.5: must be from 0 to 1"),
        (StreamKind.INDEPENDENT, {"burst": 0}, "--burst 0: must be one or more"),
    ],
)
def test_impossible_streams(kind: StreamKind, fields: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Stream(kind, shares(), 10, **fields)


def test_locality_of_a_worked_example() -> None:
    itinerary = tree()
    names = [node.name for node in itinerary.nodes]
    n_bytes = [100 if name.startswith("leaf") else 10 for name in names]
    stream = Stream(StreamKind.DATA_SET, real(), 6)  # 00 01 10 00 11 01
    found = measure_locality(stream, itinerary, n_bytes)
    assert found.shares == pytest.approx((2 / 6, 2 / 6, 1 / 6, 1 / 6))
    assert found.transitions[0] == pytest.approx((0, 1 / 2, 0, 1 / 2))  # 00 to 01, 00 to 11
    assert found.entropy_bits == pytest.approx(2 * log2(3) / 3 + 2 * log2(6) / 6)
    # Two steps follow leaf 00, one way each: 1 bit for 2 of 5 steps; the other steps are certain.
    assert found.conditional_entropy_bits == pytest.approx(2 / 5)
    assert found.run_lengths.items() == [(1, 6)]
    # Leaf 00 comes again in the fourth inference: since then trunk, top router, level 0, its
    # router (both new and again) and leaf 01 ran, level 1, its router and leaf 10: 6 tens, 200.
    assert found.reuse_bytes[names.index("leaf.0.0")].items() == [(260, 1)]
    # The trunk is needed again after router, level, router and leaf: 3 tens and a hundred.
    assert found.reuse_bytes[names.index("trunk")].items() == [(130, 5)]


def test_conditional_entropy_of_a_markov_chain() -> None:
    workload = flat_tree(4)
    itinerary = itinerary_of(workload, group_program(workload.program))
    population = population_of_shares(itinerary, "x")
    stream = Stream(StreamKind.MARKOV, population, 60_000, seed=1, persistence=0.7)
    found = measure_locality(stream, itinerary, [1] * len(itinerary.nodes))
    stay, leave = 0.7 + 0.3 / 4, 0.3 / 4
    expected = -stay * log2(stay) - 3 * leave * log2(leave)
    assert found.conditional_entropy_bits == pytest.approx(expected, abs=0.02)
    assert found.entropy_bits == pytest.approx(2.0, abs=0.01)
    # A run ends with probability 3 * leave: geometric.
    assert found.run_lengths.mean == pytest.approx(1 / (3 * leave), rel=0.03)


def test_percentiles_are_those_of_all_values_while_few_differ() -> None:
    values = [5, 5, 5, 7, 9, 9, 100, 100, 100, 1000]
    tally = Tally()
    for value in values:
        tally.add(value)
    assert [tally.percentile(p) for p in (10, 30, 31, 50, 90, 100)] == [5, 5, 7, 9, 100, 1000]
    assert (tally.mean, tally.distinct, tally.exact) == (134.0, 5, True)


def test_percentiles_of_many_values_are_high_by_a_thousandth_at_most() -> None:
    rng = np.random.default_rng(0)
    values = rng.lognormal(20, 2, size=20_000).astype(np.int64).tolist()
    tally = Tally(most_distinct=1000)
    for value in values:
        tally.add(value)
    assert not tally.exact
    assert tally.distinct < 20_000
    assert tally.mean == pytest.approx(sum(values) / len(values))
    ordered = sorted(values)
    for percent in (1, 50, 90, 99, 99.9, 100):
        true = ordered[ceil(len(ordered) * percent / 100) - 1]
        assert true <= tally.percentile(percent) <= true * 1.0011
