"""Brackets against exact results of points between the designs they were made from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator.errors import UserError
from simulator.fast.designs import timing_key
from simulator.mapping.placement import PinnedWeights
from simulator.policy import Policy
from simulator.study.closed_form import UNKNOWN
from simulator.study.context import Context
from simulator.study.family import Demand, Family
from simulator.study.ground import Ground
from simulator.study.outcome import Outcome
from simulator.study.screen import Screen
from simulator.study.vector import evaluate_together
from tests.simulate import with_part

RATES = [10**9, 3 * 10**9, 9 * 10**9, 30 * 10**9]


@pytest.fixture
def screen(context: Context) -> Screen:
    tree = context.workloads[0]
    weights = dict(sorted(context.routes[tree.name].items()))
    family = Family(Ground(tree.program, context.spec, PinnedWeights()), weights)
    return Screen.of(family, context.spec, RATES, 64 * 1024)


@pytest.fixture
def context(context: Context) -> Context:
    """With one bank, so that any capacity will do."""
    return replace(context, spec=with_part(context.spec, "scratchpad", banks=1))


def test_brackets_hold_the_exact_latency_and_nothing_fits_where_it_is_infeasible(
    context: Context, screen: Screen
) -> None:
    rng = np.random.default_rng(0)
    rates = np.concatenate((RATES, rng.integers(RATES[0], RATES[-1], 26)))
    rooms = 1024 * rng.choice([1, 2, 4, 11, 16, 37, 64], len(rates))
    found = screen.brackets(rates, rooms)
    widths = []
    for rate, room, lower, upper in zip(
        rates.tolist(), rooms.tolist(), found.lower_ps, found.upper_ps, strict=True
    ):
        choices = {"dram.peak_bytes_per_s": rate, "scratchpad.capacity_kib": room // 1024}
        (outcome,) = evaluate_together([context.scenario(choices)])
        if not isinstance(outcome, Outcome):
            assert lower == upper == UNKNOWN
            continue
        mean_ps = outcome.metric("latency_mean_ps")
        assert mean_ps is not None
        # The bounds are of the mean rounded up.
        assert lower - 1 < mean_ps <= upper
        if rate in RATES:
            assert lower == upper
        widths.append(upper / lower)
    assert len(widths) > 15
    assert max(widths) <= 3 * (1 + 1e-9)  # no wider than the steps between the bandwidths


def test_closed_forms_hold_exact_latencies_at_every_budget_and_timing(context: Context) -> None:
    tree = context.workloads[0]
    weights = dict(sorted(context.routes[tree.name].items()))
    family = Family(Ground(tree.program, context.spec, PinnedWeights()), weights)
    timings = [
        ("dram", {"peak_bytes_per_s": 10**9}),
        ("dram", {"peak_bytes_per_s": 10**11, "read_latency_ns": 900}),
        ("pe_array", {"clock_hz": 10**8}),
        ("sequencer", {"branch_latency_ns": 5000}),
    ]
    specs = [with_part(context.spec, part, **fields) for part, fields in timings]
    closed = family.closed_form(specs, 64 * 1024)
    demands = [Demand(spec, timing_key(spec), 64 * 1024) for spec in specs]
    budgets, exact = family.latencies(demands)
    assert (budgets == closed.budgets).all()
    assert (closed.lower_ps[0] == UNKNOWN).all()
    assert (closed.lower_ps <= exact).all()
    assert (exact <= closed.upper_ps).all()
    # Both sides are of some use.
    assert (closed.upper_ps[1:] <= 3 * closed.lower_ps[1:]).all()


def test_a_screen_says_no_to_what_it_cannot_bracket(context: Context, screen: Screen) -> None:
    with pytest.raises(UserError, match="must lie from 1000000000 to 30000000000"):
        screen.brackets(np.array([10**8]), np.array([2048]))
    tree = context.workloads[0]
    family = Family(Ground(tree.program, context.spec, PinnedWeights()), {(0,): 1})
    with pytest.raises(UserError, match="each above the one before"):
        Screen.of(family, context.spec, [10**9, 10**9], 2048)
    family = Family(Ground(tree.program, context.spec, PinnedWeights()), {(0,): 1}, Policy.ORACLE)
    with pytest.raises(UserError, match="no closed form bounds policy oracle"):
        family.closed_form([context.spec], 2048)
    cut = with_part(context.spec, "dram", weight_layout="channel_interleaved")
    with pytest.raises(UserError, match="under layout channel_interleaved"):
        Family(Ground(tree.program, cut, PinnedWeights()), {(0,): 1}).closed_form([cut], 2048)
