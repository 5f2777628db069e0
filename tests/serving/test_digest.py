"""Distributions in bounded memory: exact while small, then within the error they state."""

import numpy as np
import pytest

from simulator.serving.bootstrap import block_intervals
from simulator.serving.collector import FIRST_BLOCK, MOST_BLOCKS, Collector, Group, Quantity
from simulator.serving.digest import Digest, rank
from simulator.serving.service import Inference
from tests.serving.queues import request

FRACTIONS = (0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0)


def exact(values: list[int], fraction: float) -> int:
    return sorted(values)[rank(fraction, len(values)) - 1]


def test_rank_is_the_smallest_number_that_covers_the_fraction():
    assert [rank(0.5, 2), rank(0.5, 3), rank(0.999, 1000), rank(0.99, 1)] == [1, 2, 999, 1]


def test_few_values_stay_exact():
    digest = Digest(16)
    digest.add(np.array([5, 5, 7, 10**15 + 1]))
    assert digest.error_fraction == 0
    assert [digest.quantile(f) for f in (0.5, 0.75, 1.0)] == [5, 7, 10**15 + 1]
    assert digest.mean == (5 + 5 + 7 + 10**15 + 1) / 4


def test_many_values_are_rounded_up_by_less_than_stated():
    rng = np.random.default_rng(0)
    values = np.rint(rng.lognormal(22, 2, 30_000)).astype(np.int64)
    digest = Digest(500)
    for part in np.array_split(values, 7):
        digest.add(part)
    assert len(digest.values) <= 500
    assert 0 < digest.error_fraction < 0.1
    assert digest.total == sum(values.tolist())
    assert digest.largest == max(values.tolist())
    for fraction in FRACTIONS:
        true = exact(values.tolist(), fraction)
        assert true <= digest.quantile(fraction) < true * (1 + digest.error_fraction)


def test_the_order_of_adding_and_merging_changes_nothing_but_precision():
    rng = np.random.default_rng(1)
    values = rng.integers(0, 10**13, 5_000)
    parts = [Digest(200) for _ in range(4)]
    for digest, part in zip(parts, np.array_split(values, 4), strict=True):
        digest.add(part)
    whole = Digest(200)
    for digest in parts:
        whole.merge(digest)
    direct = Digest(200)
    direct.add(values)
    assert (whole.count, whole.total, whole.largest) == (5_000, int(values.sum()), values.max())
    assert whole.error_fraction == direct.error_fraction
    assert whole.values.tolist() == direct.values.tolist()
    assert whole.counts.tolist() == direct.counts.tolist()


def test_sums_beyond_64_bits_are_exact():
    digest = Digest(8)
    digest.add(np.full(10, 2**61))
    assert digest.total == 10 * 2**61


def collect(n: int) -> Collector:
    collector = Collector(frozenset({(0, (1,))}), frozenset({0}))
    for number in range(n):
        one = request(number, number, deadline_ps=number + 4, arms=(number % 2,))
        collector.record(one, number + 1, number + 2 + number % 3, Inference(1, 2.0, 3, number % 2))
    collector.finish()
    return collector


@pytest.mark.parametrize("n", [1, 15, 1000, 5000])
def test_blocks_hold_every_request_once_and_stay_few(n):
    collector = collect(n)
    for quantities in collector.groups.values():
        for series in quantities.values():
            assert len(series.blocks) <= MOST_BLOCKS
            assert sum(block.count for block in series.blocks) == series.whole.count
            assert sum(block.total for block in series.blocks) == series.whole.total
    assert collector.block_requests in [FIRST_BLOCK * 2**k for k in range(10)]


def test_groups_by_leaf_and_by_what_was_on_chip():
    groups = collect(1000).groups
    assert set(groups) == {Group(), Group(0, (1,)), Group(warm=True), Group(warm=False)}
    assert groups[Group(0, (1,))][Quantity.RESPONSE].whole.count == 500
    assert groups[Group(warm=True)][Quantity.RESPONSE].whole.count == 500
    # Responses are 2, 3, 4 in turn, the deadline is 4 after arrival: none is late.
    assert groups[Group()][Quantity.RESPONSE].whole.counts.tolist() == [334, 333, 333]
    assert groups[Group()][Quantity.MISSED].whole.total == 0


def test_a_response_beyond_its_deadline_is_missed():
    collector = Collector(frozenset(), frozenset({0}))
    for end in (9, 10, 11):
        collector.record(request(0, 0, deadline_ps=10), 0, end, Inference(1, 1.0, 1))
    collector.finish()
    assert collector.groups[Group()][Quantity.MISSED].whole.total == 1


def test_no_interval_from_few_blocks_and_none_of_zero_width_from_varied_ones():
    blocks = []
    for number in range(24):
        block = Digest(64)
        block.add(np.array([number, number + 1, 50]))
        blocks.append(block)
    assert block_intervals(blocks[:19], (0.5,), 0) is None
    found = block_intervals(blocks, (0.5, 1.0), 0)
    assert found is not None
    mean = sum(block.total for block in blocks) / 72
    assert found.mean[0] < mean < found.mean[1]
    low, high = found.quantiles[0.5]
    assert low < exact([v for n in range(24) for v in (n, n + 1, 50)], 0.5) < high
    assert found.quantiles[1.0] == (50, 50)
    assert block_intervals(blocks, (0.5, 1.0), 0) == found
