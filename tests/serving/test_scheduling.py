"""The order of service: which deadlines it meets, and what batching may and may not do."""

from itertools import pairwise, permutations

import numpy as np
import pytest

from simulator.serving.request import Request
from simulator.serving.scheduling import Scheduling
from tests.serving.queues import (
    MS,
    Row,
    StickyDevice,
    poisson_traffic,
    request,
    serve_requests,
)

COLD, WARM = 5 * MS, 2 * MS
A, B = (0,), (1,)


def order(rows: list[Row]) -> list[int]:
    return [r.number for r, _, _ in rows]


def run(requests: list[Request], scheduling: Scheduling) -> list[Row]:
    return serve_requests(requests, [StickyDevice(COLD, WARM)], [COLD], scheduling)[1]


def late(rows: list[Row]) -> set[int]:
    return {r.number for r, _, end in rows if r.deadline_ps is not None and end > r.deadline_ps}


def test_edf_takes_the_most_urgent_of_those_that_wait():
    requests = [
        request(0, 0, 90 * MS, A),
        request(1, 1 * MS, 80 * MS, A),
        request(2, 2 * MS, 20 * MS, A),
        request(3, 3 * MS, 20 * MS, A),
    ]
    assert order(run(requests, Scheduling.EDF)) == [0, 2, 3, 1]
    assert order(run(requests, Scheduling.FIFO)) == [0, 1, 2, 3]


def test_edf_equals_fifo_where_all_have_the_same_time_to_their_deadline():
    traffic = poisson_traffic(250, 2_000, {A: 0.5, B: 0.5}, deadline_ps=20 * MS)
    requests = list(traffic.requests())
    assert run(requests, Scheduling.EDF) == run(requests, Scheduling.FIFO)


@pytest.mark.parametrize("seed", range(20))
def test_edf_meets_all_deadlines_if_any_order_does(seed):
    """Jackson's rule (1955), by trying every order: equal services, all there at the start."""
    rng = np.random.default_rng(seed)
    requests = [request(n, 0, int(rng.integers(1, 7)) * COLD, (n,)) for n in range(6)]
    possible = any(
        all((place + 1) * COLD <= (r.deadline_ps or 0) for place, r in enumerate(each))
        for each in permutations(requests)
    )
    assert (not late(run(requests, Scheduling.EDF))) == possible


def test_a_batch_forms_where_no_deadline_is_in_danger():
    requests = [request(n, 0, 100 * MS, leaf) for n, leaf in enumerate((A, B, A, B, A, B))]
    rows = run(requests, Scheduling.LEAF_BATCHED)
    assert order(rows) == [0, 2, 4, 1, 3, 5]
    # Two of each three find their leaf on chip; fifo changes leaf every time.
    assert rows[-1][2] == 2 * COLD + 4 * WARM
    assert run(requests, Scheduling.FIFO)[-1][2] == 6 * COLD


def test_no_batch_where_it_could_make_the_most_urgent_late():
    # After request 0, number 1 could start at 5 ms and end at 10 ms; overtaken by one cold
    # inference of 5 ms it would end at 15 ms.
    def served(deadline_ps: int) -> list[int]:
        requests = [
            request(0, 0, 10 * MS, A),
            request(1, 0, deadline_ps, B),
            request(2, 0, 50 * MS, A),
        ]
        return order(run(requests, Scheduling.LEAF_BATCHED))

    assert served(15 * MS - 1) == [0, 1, 2]
    assert served(15 * MS) == [0, 2, 1]


def test_a_request_that_is_late_whatever_happens_holds_up_no_batch():
    requests = [
        request(0, 0, 5 * MS, A),
        request(1, 0, 6 * MS, B),
        request(2, 0, 50 * MS, A),
    ]
    assert order(run(requests, Scheduling.LEAF_BATCHED)) == [0, 2, 1]


def test_requests_that_are_all_there_lose_no_deadline_to_batching():
    """What edf meets of a fixed set with every inference cold, batching meets."""
    rng = np.random.default_rng(7)
    for _ in range(200):
        count = int(rng.integers(2, 12))
        requests = [
            request(n, 0, int(rng.integers(1, 14)) * COLD, (int(rng.integers(3)),))
            for n in range(count)
        ]
        urgent = sorted(requests, key=lambda r: (r.deadline_ps, r.number))
        met = {
            r.number for place, r in enumerate(urgent) if (place + 1) * COLD <= (r.deadline_ps or 0)
        }
        assert not met & late(run(requests, Scheduling.LEAF_BATCHED))


def test_nobody_waits_forever_behind_a_batch():
    requests = [request(0, 0, 1, A), request(1, 0, 2, B)]
    requests += [request(n, n * WARM, n * WARM + 3, A) for n in range(2, 300)]
    rows = run(requests, Scheduling.LEAF_BATCHED)
    place = order(rows).index(1)
    assert place == 65  # the first, and the longest run out of turn
    assert sorted(order(rows)) == list(range(300))


def test_every_order_serves_each_request_once_and_never_idles():
    traffic = poisson_traffic(280, 3_000, {A: 0.4, B: 0.4, (2,): 0.2}, deadline_ps=30 * MS)
    requests = list(traffic.requests())
    for scheduling in Scheduling:
        rows = run(requests, scheduling)
        assert sorted(order(rows)) == list(range(3_000))
        for (_, _, end), (r, start, _) in pairwise(rows):
            assert start == end or start == r.arrival_ps > end


def test_batching_is_faster_where_leaves_stay_on_chip():
    traffic = poisson_traffic(280, 5_000, {A: 0.5, B: 0.5}, deadline_ps=60 * MS)
    requests = list(traffic.requests())

    def busy(scheduling: Scheduling) -> int:
        return sum(end - start for _, start, end in run(requests, scheduling))

    assert busy(Scheduling.LEAF_BATCHED) < 0.9 * busy(Scheduling.FIFO)
