"""The queue against queueing theory: what it must give, worked out by other means."""

import math
from fractions import Fraction

import pytest

from simulator.serving.arrivals import PeriodicArrivals, PoissonArrivals
from simulator.serving.bootstrap import block_intervals
from simulator.serving.collector import Collector, Group, Quantity
from simulator.serving.npu import SharedNpu
from simulator.serving.queue import run_queue
from simulator.serving.request import Network, Source, Traffic, drawn_routes
from simulator.serving.scheduling import FifoLine
from simulator.serving.service import StatelessDevice
from tests.serving.queues import MS, Row, poisson_traffic, request, serve_requests, table

LEAVES = {(0,): 0.5, (1,): 0.3, (2,): 0.2}
SERVICES_PS = {(0,): 1 * MS, (1,): 2 * MS, (2,): 5 * MS}  # E[S] 2.1 ms, E[S^2] 6.7 ms^2


def mean_wait_ms(rows: list[Row]) -> float:
    return sum(start - r.arrival_ps for r, start, _ in rows) / len(rows) / MS


def wait_at_most(time: float, rate: float, service: float) -> float:
    """P(W <= t) of M/D/1: C. D. Crommelin, Post Office Electrical Engineers' J. 26 (1934)."""
    steps = range(int(time / service) + 1)
    terms = [
        (rate * (k * service - time)) ** k
        / math.factorial(k)
        * math.exp(rate * (time - k * service))
        for k in steps
    ]
    return (1 - rate * service) * math.fsum(terms)


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_m_d_1_waits_as_pollaczek_and_khinchine_say(load):
    traffic = poisson_traffic(round(load * 500), 100_000)  # 2 ms each: 500 per second at most
    _, rows = serve_requests(traffic.requests(), [StatelessDevice(table({(): 2 * MS}))], [2 * MS])
    assert mean_wait_ms(rows) == pytest.approx(load * 2 / (2 * (1 - load)), rel=0.04)


def test_m_d_1_waits_are_distributed_as_crommelin_says():
    traffic = poisson_traffic(300, 100_000)
    _, rows = serve_requests(traffic.requests(), [StatelessDevice(table({(): 2 * MS}))], [2 * MS])
    waits = [(start - r.arrival_ps) / MS for r, start, _ in rows]
    for time_ms in (0.0, 1.0, 2.0, 3.5, 6.0, 9.0):
        share = sum(wait <= time_ms for wait in waits) / len(waits)
        assert share == pytest.approx(wait_at_most(time_ms, 0.3, 2.0), abs=0.006)


def test_m_g_1_waits_as_pollaczek_and_khinchine_say_of_leaves_that_differ():
    traffic = poisson_traffic(300, 100_000, LEAVES)
    _, rows = serve_requests(traffic.requests(), [StatelessDevice(table(SERVICES_PS))], [5 * MS])
    load = 0.3 * 2.1
    expected = 0.3 * 6.7 / (2 * (1 - load))
    assert mean_wait_ms(rows) == pytest.approx(expected, rel=0.05)


def test_two_poisson_networks_wait_as_one_m_g_1():
    networks = tuple(
        Network(name, drawn_routes(((),), (1.0,), 0), ((),)) for name in ("short", "long")
    )
    sources = (
        Source(PoissonArrivals(Fraction(200)), (0,)),
        Source(PoissonArrivals(Fraction(100)), (1,)),
    )
    devices = [StatelessDevice(table({(): 1 * MS})), StatelessDevice(table({(): 4 * MS}))]
    traffic = Traffic(networks, sources, 100_000, 3)
    _, rows = serve_requests(traffic.requests(), devices, [1 * MS, 4 * MS])
    # rate 0.3 per ms, E[S] 2 ms, E[S^2] (2 x 1 + 1 x 16) / 3 = 6 ms^2
    assert mean_wait_ms(rows) == pytest.approx(0.3 * 6 / (2 * (1 - 0.6)), rel=0.05)
    assert sum(r.network for r, _, _ in rows) / len(rows) == pytest.approx(1 / 3, abs=0.01)


@pytest.mark.parametrize(("period_ms", "service_ms"), [(5, 3), (3, 3), (3, 5)])
def test_d_d_1_exactly(period_ms, service_ms):
    rate = Fraction(1000, period_ms)
    network = Network("toy", drawn_routes(((),), (1.0,), 0), ((),))
    traffic = Traffic((network,), (Source(PeriodicArrivals(rate), (0,)),), 200, 0)
    device = StatelessDevice(table({(): service_ms * MS}))
    path, rows = serve_requests(traffic.requests(), [device], [service_ms * MS])
    late = max(service_ms - period_ms, 0)
    assert [start - r.arrival_ps for r, start, _ in rows] == [n * late * MS for n in range(200)]
    assert [r.arrival_ps for r, _, _ in rows] == [n * period_ms * MS for n in range(200)]
    # The first of n arrivals falls due nothing, the others one service a period each.
    assert path.offered_fraction == pytest.approx(service_ms / period_ms)
    assert path.most_waiting == (0 if late == 0 else path.left_at_last_arrival - 1)


def test_lindleys_recursion_gives_every_wait_to_the_picosecond():
    traffic = poisson_traffic(450, 5_000, LEAVES)
    requests = list(traffic.requests())
    _, rows = serve_requests(requests, [StatelessDevice(table(SERVICES_PS))], [5 * MS])
    wait, expected = 0, []
    for number, one in enumerate(requests):
        if number:
            before = requests[number - 1]
            gap = one.arrival_ps - before.arrival_ps
            wait = max(wait + SERVICES_PS[before.arms] - gap, 0)
        expected.append(wait)
    assert [start - r.arrival_ps for r, start, _ in rows] == expected


def test_utilisation_is_the_rate_times_the_mean_service():
    traffic = poisson_traffic(300, 50_000, LEAVES)
    path, rows = serve_requests(traffic.requests(), [StatelessDevice(table(SERVICES_PS))], [5 * MS])
    assert path.busy_ps == sum(end - start for _, start, end in rows)
    assert path.utilisation_fraction == pytest.approx(0.3 * 2.1, rel=0.02)
    assert path.offered_fraction == pytest.approx(0.3 * 2.1, rel=0.02)


def test_littles_law_holds_on_what_the_queue_counted():
    """The queue integrates its length event by event; waits are kept request by request."""
    traffic = poisson_traffic(400, 20_000, LEAVES)
    path, rows = serve_requests(traffic.requests(), [StatelessDevice(table(SERVICES_PS))], [5 * MS])
    assert path.waiting_area_ps == sum(start - r.arrival_ps for r, start, _ in rows)
    responses = sum(end - r.arrival_ps for r, _, end in rows) / len(rows)
    rate = len(rows) / path.span_ps
    assert path.mean_in_system == pytest.approx(rate * responses, rel=1e-9)


def test_the_longest_line_by_counting_it_at_every_instant():
    traffic = poisson_traffic(400, 2_000, LEAVES)
    path, rows = serve_requests(traffic.requests(), [StatelessDevice(table(SERVICES_PS))], [5 * MS])
    # Departures from the line before arrivals at the same instant: a served one did not wait.
    changes = sorted(
        [(r.arrival_ps, 1) for r, start, _ in rows if start > r.arrival_ps]
        + [(start, -1) for r, start, _ in rows if start > r.arrival_ps]
    )
    length = longest = 0
    for _, change in changes:
        length += change
        longest = max(longest, length)
    assert path.most_waiting == longest


def test_a_burst_at_one_instant_is_served_back_to_back():
    burst = [request(n, 0) for n in range(4)]
    path, rows = serve_requests(burst, [StatelessDevice(table({(): 2 * MS}))], [2 * MS])
    assert [end for _, _, end in rows] == [2 * MS, 4 * MS, 6 * MS, 8 * MS]
    assert path.offered_fraction is None
    assert path.most_waiting == 3
    assert path.mean_waiting == pytest.approx((3 + 2 + 1 + 0) / 4)


def test_an_arrival_at_the_instant_of_a_departure_does_not_wait():
    rows = serve_requests(
        [request(0, 0), request(1, 2 * MS)], [StatelessDevice(table({(): 2 * MS}))], [2 * MS]
    )[1]
    assert rows[1][1] == 2 * MS


def test_intervals_cover_the_theory_about_as_often_as_they_say():
    """95 % intervals of M/D/1's mean wait over 24 seeds: 22.8 expected, 19 is 3.5 sigma below."""
    covered = 0
    expected_ps = 0.5 * 2 * MS / (2 * (1 - 0.5))
    for seed in range(24):
        traffic = poisson_traffic(250, 4_000, seed=seed)
        npu = SharedNpu([StatelessDevice(table({(): 2 * MS}))], [2 * MS])
        collector = Collector(frozenset(), frozenset({0}))
        run_queue(traffic.requests(), npu, FifoLine(), collector.record)
        collector.finish()
        series = collector.groups[Group()][Quantity.QUEUEING]
        found = block_intervals(series.blocks, (), seed)
        assert found is not None
        covered += found.mean[0] <= expected_ps <= found.mean[1]
    assert covered >= 19
