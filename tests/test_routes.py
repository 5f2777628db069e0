"""Routes: drawn with the leaves' shares, kept in files, checked against the program's branches."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.errors import RouteError
from simulator.ir import Program, Route, Workload, leaf_routes
from simulator.policy import Policy
from simulator.program_file import routes_from_file, routes_to_json
from simulator.routes import check_routes, draw_routes
from simulator.simulation import run_workload
from tests.devices import device
from tests.networks import Net, branch, program, tensor, workload
from tests.strategies import tree_programs

X = tensor("x", 1, 16)


def arm(name: str, width: int) -> Net:
    net = Net(name)
    net.linear(X, width)
    return net


def lopsided(*shares: float) -> Workload:
    """Three leaves: one behind the first decision, two behind a second one."""
    below = branch("below", X, [program(arm("b.0", 400)), program(arm("b.1", 16))])
    inner = Net("inner")
    inner.linear(X, 8)
    top = branch("top", X, [program(arm("a", 16)), program(inner, below)])
    return workload(program(top, inputs=(X,)), *shares)


LEAVES = [(0,), (1, 0), (1, 1)]


def test_leaves_are_in_depth_first_order() -> None:
    assert leaf_routes(lopsided(0.2, 0.3, 0.5).program) == LEAVES


def test_branches_in_a_row_multiply_and_the_first_varies_slowest() -> None:
    steps = [
        branch(f"b{i}", X, [program(arm(f"{i}.{a}", 16)) for a in range(arms)])
        for i, arms in enumerate((2, 3))
    ]
    prog = program(*steps, inputs=(X,))
    assert leaf_routes(prog) == [(i, j) for i in range(2) for j in range(3)]


def test_a_dense_network_has_one_route() -> None:
    net = arm("net", 16)
    assert leaf_routes(program(net, inputs=(X,))) == [()]
    assert set(draw_routes(workload(program(net, inputs=(X,))), 5, 0)) == {Route(arms=())}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shares", [(0.2, 0.3, 0.5), (0.01, 0.01, 0.98), (0.332, 0.334, 0.334)])
def test_draws_follow_the_shares(shares: tuple[float, ...], seed: int) -> None:
    count = 20_000
    drawn = Counter(route.arms for route in draw_routes(lopsided(*shares), count, seed))
    expected = {leaf: share * count for leaf, share in zip(LEAVES, shares, strict=True)}
    chi_square = sum((drawn[leaf] - n) ** 2 / n for leaf, n in expected.items())
    assert drawn.total() == count
    assert chi_square < 13.8  # two degrees of freedom: exceeded once in a thousand seeds


def test_a_leaf_without_a_share_is_never_drawn() -> None:
    drawn = {route.arms for route in draw_routes(lopsided(0.0, 1.0, 0.0), 1000, 0)}
    assert drawn == {(1, 0)}


def test_shares_that_miss_one_by_rounding_are_scaled() -> None:
    drawn = Counter(route.arms for route in draw_routes(lopsided(0.2, 0.301, 0.5), 10_000, 0))
    assert drawn.total() == 10_000


def test_the_seed_decides_and_a_longer_draw_begins_alike() -> None:
    made = lopsided(0.2, 0.3, 0.5)
    assert draw_routes(made, 50, 7) == draw_routes(made, 50, 7)
    assert draw_routes(made, 50, 7) != draw_routes(made, 50, 8)
    assert draw_routes(made, 80, 7)[:50] == draw_routes(made, 50, 7)


@settings(max_examples=25)
@given(tree_programs(deepest=2), st.integers(0, 2**32))
def test_drawn_routes_fit_the_program(prog: Program, seed: int) -> None:
    leaves = leaf_routes(prog)
    made = workload(prog, *[1 / len(leaves)] * len(leaves))
    drawn = draw_routes(made, 20, seed)
    check_routes(prog, drawn, "drawn")
    assert {route.arms for route in drawn} <= set(leaves)


def test_a_routes_file_survives_a_round_trip(tmp_path: Path) -> None:
    routes = [
        Route(arms=(1, 0), probabilities=((0.25, 0.75), (0.5, 0.5))),
        Route(arms=(0,)),
        Route(arms=(1, 1)),
    ]
    path = tmp_path / "routes.json"
    path.write_text(routes_to_json(routes))
    assert routes_from_file(path) == routes
    assert routes_to_json(routes_from_file(path)) == path.read_text()
    check_routes(lopsided(0.2, 0.3, 0.5).program, routes, str(path))


@pytest.mark.parametrize(
    ("arms", "expected"),
    [
        ((), "[]: ends before branch top"),
        ((1,), "[1]: ends before branch below"),
        ((0, 0), "[0, 0]: 1 arms more than branches met"),
        ((2,), "[2]: arm 2 of branch top, which has 2"),
        ((1, 5), "[1, 5]: arm 5 of branch below, which has 2"),
        ((1, 0, 1, 1), "[1, 0, 1, 1]: 2 arms more than branches met"),
    ],
)
def test_routes_that_do_not_fit_are_refused(arms: tuple[int, ...], expected: str) -> None:
    routes = [Route(arms=(0,)), Route(arms=arms)]
    with pytest.raises(RouteError) as caught:
        check_routes(lopsided(0.2, 0.3, 0.5).program, routes, "routes.json")
    assert str(caught.value) == f"routes.json: routes[1]: {expected}"


@pytest.mark.parametrize(
    ("arms", "probabilities", "expected"),
    [
        ((0,), ((0.5, 0.5), (0.5, 0.5)), "1 arms but 2 router distributions"),
        ((2,), ((0.5, 0.5),), "does not cover arm 2"),
        ((0,), ((1.5, -0.5),), "does not cover arm 0"),
        ((0,), ((0.5, 0.4),), "does not sum to 1"),
    ],
)
def test_router_distributions_must_be_distributions(arms, probabilities, expected) -> None:
    with pytest.raises(ValueError, match=expected):
        Route(arms=arms, probabilities=probabilities)


def test_a_run_counts_and_averages_its_routes() -> None:
    made = lopsided(0.2, 0.3, 0.5)
    arms = [(0,)] * 6 + [(1, 0)] * 3 + [(1, 1)]
    run = run_workload(made, device(), Policy.ON_DEMAND, [Route(arms=a) for a in arms])
    latency = {a: result.latency_ps for a, result in run.results.items()}
    assert latency[(0,)] < latency[(1, 1)] < latency[(1, 0)]  # 16, 8 + 16 and 8 + 400 outputs
    assert run.occurrences == {(0,): 6, (1, 0): 3, (1, 1): 1}
    assert run.latencies_ps == tuple(latency[a] for a in arms)
    mean = (6 * latency[(0,)] + 3 * latency[(1, 0)] + latency[(1, 1)]) / 10
    assert run.mean(latency) == mean
    # Ten latencies in order: six of the first, one, three of the slowest.
    for percent, arms_there in ((50, (0,)), (60, (0,)), (61, (1, 1)), (70, (1, 1)), (99, (1, 0))):
        assert run.latency_percentile_ps(percent) == latency[arms_there]
    assert run.typical == run.results[(0,)]
    energies = [run.results[a].energy.total_pj for a in arms]
    assert run.mean_energy.total_pj == pytest.approx(sum(energies) / 10)
    macs = sum(run.results[a].counts.macs for a in arms)
    cycles = sum(run.latencies_ps) / 1000  # at 1 GHz
    assert run.pe_utilization_fraction == pytest.approx(macs / (cycles * 256))
