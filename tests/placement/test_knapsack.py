from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.placement.knapsack import Option, greedy, solve, undominated

options = st.lists(
    st.builds(
        Option,
        cost=st.integers(0, 200),
        n_bytes=st.sampled_from([0, 0, 1, 3, 7, 20, 50]),
        loss=st.sampled_from([0, 0, 1, 2, 5, 9]),
        label=st.integers(0, 99),
    ),
    min_size=1,
    max_size=6,
)
problems = st.tuples(
    st.lists(options, min_size=1, max_size=5), st.integers(0, 90), st.integers(0, 20)
)


def cheapest(parts, capacity, budget):
    costs = [
        sum(o.cost for o in chosen)
        for chosen in product(*parts)
        if sum(o.n_bytes for o in chosen) <= capacity and sum(o.loss for o in chosen) <= budget
    ]
    return min(costs, default=None)


@settings(max_examples=200)
@given(problems)
def test_the_search_finds_what_trying_everything_finds(problem):
    parts, capacity, budget = problem
    found = solve(parts, capacity, budget).best
    least = cheapest(parts, capacity, budget)
    assert (found and found.cost) == least or found.cost == least
    if found is not None:
        assert found.n_bytes <= capacity
        assert found.loss <= budget
        assert all(option in part for option, part in zip(found.options, parts, strict=True))


@settings(max_examples=200)
@given(problems)
def test_greedy_fits_and_is_never_better(problem):
    parts, capacity, budget = problem
    found = greedy(parts, capacity, budget)
    if found is None:  # its start is each part's least loss, which may not fit in bytes
        return
    assert found.n_bytes <= capacity
    assert found.loss <= budget
    assert found.cost >= cheapest(parts, capacity, budget)


def test_greedy_can_be_worse():
    # 10 bytes: one of 60 saved with 6 bytes, or two of 50 with 5 each.
    parts = [
        [Option(100, 0, 0, "dram"), Option(100 - s, b, 0, "pin")]
        for s, b in ((60, 5), (50, 4), (50, 6))
    ]
    parts[0][1] = Option(30, 6, 0, "pin")
    assert greedy(parts, 10, 0).cost == 100 - 70 + 100 - 50 + 100
    # rates: 70/6, 50/4 = 12.5 first, then 70/6 fits exactly: as good as exact here
    assert solve(parts, 10, 0).best.cost == 180
    tight = [[Option(100, 0, 0, 0), Option(39, 6, 0, 1)]] + [
        [Option(100, 0, 0, 0), Option(50, 5, 0, 1)]
    ] * 2
    assert greedy(tight, 10, 0).cost == 239  # 61 saved per 6 bytes beats 50 per 5
    assert solve(tight, 10, 0).best.cost == 200


def test_bounds_spare_most_of_a_large_problem():
    parts = [
        [
            Option((7 * p + 3 * o) % 41 + 60 - 6 * o, 13 * o + p % 5, (p * o) % 7, o)
            for o in range(10)
        ]
        for p in range(12)
    ]
    solved = solve(parts, 400, 20)
    assert solved.best is not None
    assert solved.visited < 10**5  # of 10^12


def test_dominated_options_go():
    kept = undominated(
        [Option(5, 2, 0, "a"), Option(5, 2, 1, "b"), Option(4, 3, 0, "c"), Option(6, 2, 0, "d")]
    )
    assert [o.label for o in kept] == ["c", "a"]
