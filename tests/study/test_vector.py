"""Points evaluated together against the event engine: every column, and every picosecond."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.ir import Program, Route, Workload, leaf_routes
from simulator.mapping.placement import Placement
from simulator.policy import Policy, PolicyChoice
from simulator.routes import draw_routes
from simulator.spec import AcceleratorSpec
from simulator.spec_dram import Layout
from simulator.spec_file import load_spec
from simulator.study.axis import parse_axis
from simulator.study.checks import checked_axes
from simulator.study.context import Context, Scenario, count_routes
from simulator.study.design import make_design
from simulator.study.evaluate import evaluate
from simulator.study.outcome import METRICS, Engine, Outcome
from simulator.study.sweep import Sweep
from simulator.study.vector import evaluate_together
from tests.networks import workload
from tests.simulate import roomy, with_part
from tests.strategies import devices, straight_programs, tree_programs

MIXED = (
    "scratchpad.capacity_kib=1,16",
    "dram.bandwidth=1G,8G",
    "dma.descriptor_latency_ns=0,300",
    "layout=layer_major,channel_interleaved",
    "placement=stream,fill",
    "policy=on_demand,most_probable,oracle",
)


def by_events(scenario: Scenario) -> Outcome:
    from simulator.study.evaluate import _simulate

    return _simulate(scenario)


def test_a_mixed_grid_is_that_of_the_event_engine_but_for_its_name(context: Context) -> None:
    axes = checked_axes(context, [parse_axis(axis) for axis in MIXED])
    sweep = Sweep(context, make_design(axes, None, 0))
    points = list(sweep.points())
    scenarios = [context.scenario(choices) for _, choices in points]
    engine = sweep.columns().index("engine")
    used = set()
    for (number, choices), scenario, outcome in zip(
        points, scenarios, evaluate(scenarios), strict=True
    ):
        row = sweep.row(number, choices, outcome)
        expected = sweep.row(number, choices, by_events(scenario))
        used.add((choices["policy"], row[engine]))
        row[engine] = expected[engine] = ""
        assert row == expected
    # Infeasible points have no engine.
    policies = ("on_demand", "most_probable", "oracle")
    assert used == {(policy, engine) for policy in policies for engine in ("vector", "")}


def test_layouts_of_weights_in_banks_and_rows(tree: Workload) -> None:
    """A device whose commands touch several extents, and siblings that lie differently."""
    spec = load_spec(Path(__file__).parents[2] / "accelerator_specs/edge_npu.yaml")
    routes = {tree.name: count_routes(draw_routes(tree, 10, 0))}
    context = Context(spec, (tree,), routes, PolicyChoice(Policy.ON_DEMAND), "stream")
    for layout in Layout:
        for rate in (10**9, 12_800_000_000):
            choices = {"dram.weight_layout": layout.value, "dram.peak_bytes_per_s": rate}
            scenario = context.scenario(choices)
            (outcome,) = evaluate_together([scenario])
            assert isinstance(outcome, Outcome), outcome
            assert outcome.metrics == by_events(scenario).metrics


@pytest.mark.parametrize("policy", ["most_probable", "both_siblings", "oracle"])
def test_many_designs_of_a_policy_that_speculates(context: Context, policy: str) -> None:
    scenarios = [
        context.scenario(
            {"policy": policy, "dram.peak_bytes_per_s": rate, "scratchpad.capacity_kib": 16}
        )
        for rate in range(10**8, 10**10, 10**9)
    ]
    for scenario, outcome in zip(scenarios, evaluate_together(scenarios), strict=True):
        assert isinstance(outcome, Outcome), outcome
        assert outcome.metrics == by_events(scenario).metrics


def test_what_is_refused_says_why(context: Context) -> None:
    tight = context.scenario({"scratchpad.capacity_kib": 1, "scratchpad.banks": 1})
    (refusal,) = evaluate_together([tight])
    assert "no plan fits" in str(refusal)


def test_what_leaves_64_bits_is_refused_where_a_policy_speculates(context: Context) -> None:
    huge = {"scratchpad.capacity_kib": 2**18, "dram.peak_bytes_per_s": 10**9}
    demand, guess = (
        context.scenario({**huge, "policy": policy}) for policy in ("on_demand", "most_probable")
    )
    # 2**28 bytes at a byte per ns are 2**28 * 1,000 ps: the product is above 2**58.
    (refusal,) = evaluate_together([guess])
    assert "leave 64 bits" in str(refusal)
    (outcome,) = evaluate_together([demand])
    assert isinstance(outcome, Outcome)
    assert outcome.metrics == by_events(demand).metrics


@settings(max_examples=10)
@given(straight_programs(), devices(), st.sampled_from(list(Policy)))
def test_straight_programs(program: Program, spec: AcceleratorSpec, policy: Policy) -> None:
    check(program, variants(roomy(program, spec)), policy, [()])


@settings(max_examples=6)
@given(tree_programs(deepest=2), devices(), st.data())
def test_trees(program: Program, spec: AcceleratorSpec, data: st.DataObject) -> None:
    routes = data.draw(st.lists(st.sampled_from(leaf_routes(program)), min_size=1, max_size=4))
    granule = data.draw(st.sampled_from((1, 64, 100, 1000, 4096)))
    spec = with_part(roomy(program, spec), "dma", preemption_bytes=granule)
    policy = data.draw(st.sampled_from(list(Policy)))
    check(program, variants(spec), policy, routes)


def variants(spec: AcceleratorSpec) -> list[AcceleratorSpec]:
    """Designs of one family."""
    slow = with_part(spec, "dram", peak_bytes_per_s=3 * 10**8, read_latency_ns=987.6)
    large = with_part(slow, "scratchpad", capacity_kib=spec.scratchpad.capacity_kib * 2)
    return [spec, slow, large, with_part(spec, "pe_array", clock_hz=456_789_123)]


def check(
    program: Program,
    specs: Sequence[AcceleratorSpec],
    policy: Policy,
    routes: Sequence[tuple[int, ...]],
) -> None:
    leaves = len(leaf_routes(program))
    net = workload(program, *(1 / leaves,) * leaves)
    stream = tuple(Route(arms=arms) for arms in routes)
    scenarios = [
        Scenario(net, spec, PolicyChoice(policy), Placement.STREAM, stream, f"point {at}")
        for at, spec in enumerate(specs)
    ]
    for scenario, outcome in zip(scenarios, evaluate_together(scenarios), strict=True):
        assert isinstance(outcome, Outcome), outcome
        expected = by_events(scenario)
        assert outcome.engine is Engine.VECTOR
        differing = [m for m in METRICS if outcome.metric(m) != expected.metric(m)]
        assert not differing, [(m, outcome.metric(m), expected.metric(m)) for m in differing]
