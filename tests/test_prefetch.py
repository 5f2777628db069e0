"""What each prefetch policy wants, from what it may see; and what the predictors learn."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from simulator.early_router import with_early_routers
from simulator.errors import UserError
from simulator.ir import Branch, Route, Segment, Workload, check_program
from simulator.mapping.case import Wants
from simulator.policy import Policy, PolicyChoice, PredictorName
from simulator.prefetch.both_siblings import both_siblings
from simulator.prefetch.branch_view import BranchView
from simulator.prefetch.most_probable import most_probable
from simulator.prefetch.predictor import make_predictor
from simulator.prefetch.stream import speculate
from simulator.prefetch.top_p import top_p
from simulator.program_file import workload_from_json
from simulator.simulation import run_workload
from tests.devices import device
from tests.networks import Net, branch, program, tensor, workload

PROGRAMS = Path(__file__).resolve().parent.parent / "workloads/programs"


def view(*probabilities: float) -> BranchView:
    return BranchView("b", probabilities, (100,) * len(probabilities), 1000)


def test_the_likeliest_arm_and_the_first_of_equals() -> None:
    assert most_probable(view(0.2, 0.5, 0.3)) == Wants((1,))
    assert most_probable(view(0.5, 0.5)) == Wants((0,))


@pytest.mark.parametrize(
    ("p", "arms"), [(0.4, (1,)), (0.5, (1,)), (0.51, (1, 2)), (0.8, (1, 2)), (1.0, (1, 2, 0))]
)
def test_as_few_arms_as_reach_p(p: float, arms: tuple[int, ...]) -> None:
    assert top_p(view(0.2, 0.5, 0.3), p) == Wants(arms)


def test_all_arms_in_proportion() -> None:
    assert both_siblings(view(0.25, 0.75)) == Wants((1, 0), (6, 2))
    assert both_siblings(view(0.99, 0.01)) == Wants((0, 1), (8, 1))


def tree(*shares: float) -> Workload:
    """Two binary levels: leaves (0, 0), (0, 1), (1, 0), (1, 1)."""
    x = tensor("x", 1, 16)
    trunk = Net("trunk")
    y = trunk.linear(x, 16)

    def arm(name: str, depth: int, source):
        net = Net(name)
        z = net.linear(source, 16)
        if not depth:
            return program(net)
        return program(net, branch(f"{name}.b", z, [arm(f"{name}{i}", 0, z) for i in (0, 1)]))

    made = program(trunk, branch("b", y, [arm("0", 1, y), arm("1", 1, y)]), inputs=(x,))
    return workload(made, *shares)


SHARES = (0.1, 0.3, 0.4, 0.2)


def test_the_prior_is_the_share_of_the_leaves_behind_an_arm() -> None:
    prior = make_predictor(PredictorName.PRIOR, tree(*SHARES))
    assert prior.probabilities(()) == pytest.approx((0.4, 0.6))
    assert prior.probabilities((0,)) == pytest.approx((0.25, 0.75))
    prior.observe((0, 0))
    assert prior.probabilities(()) == pytest.approx((0.4, 0.6))


def test_the_last_route_is_remembered_per_branch() -> None:
    last = make_predictor(PredictorName.LAST_ROUTE, tree(*SHARES))
    assert last.probabilities((1,)) == pytest.approx((2 / 3, 1 / 3))  # the prior
    last.observe((1, 1))
    last.observe((0, 0))
    assert last.probabilities(()) == (1, 0)
    assert last.probabilities((1,)) == (0, 1)


def test_a_markov_predictor_counts_what_followed_the_last_leaf() -> None:
    markov = make_predictor(PredictorName.MARKOV, tree(*SHARES))
    for arms in ((0, 0), (1, 1), (0, 0), (1, 1), (0, 0)):
        markov.observe(arms)
    # Twice (1, 1) has followed (0, 0), and the prior counts as one more sighting.
    assert markov.probabilities(()) == pytest.approx((0.4 / 3, 2.6 / 3))
    assert markov.probabilities((1,)) == pytest.approx((0.4 / 2.6, 2.2 / 2.6))


def test_a_predictor_learns_along_the_stream() -> None:
    routes = [Route(arms=arms) for arms in ((1, 0), (0, 0), (0, 0), (1, 0))]
    choice = PolicyChoice(Policy.MOST_PROBABLE, PredictorName.LAST_ROUTE)
    cases = speculate(tree(*SHARES), device(), choice, routes, seed=0)
    first = [case.wants[0].arms[0] for case in cases]
    assert first == [1, 1, 0, 0]  # the prior's arm, then the one before
    again = speculate(tree(*SHARES), device(), choice, routes, seed=0)
    assert cases == again


def test_policies_that_do_not_guess_have_one_case_per_route() -> None:
    routes = [Route(arms=(1, 0)), Route(arms=(0, 0))]
    for policy in (Policy.ON_DEMAND, Policy.TIED, Policy.ORACLE):
        cases = speculate(tree(*SHARES), device(), PolicyChoice(policy), routes, seed=0)
        assert [case.arms for case in cases] == [(1, 0), (0, 0)]
        assert not any(case.wants for case in cases)


def test_an_early_router_is_right_as_often_as_it_should() -> None:
    routes = [Route(arms=(1, 0))] * 4000
    choice = PolicyChoice(Policy.EARLY_ROUTER, early_accuracy=0.8)
    cases = speculate(tree(*SHARES), device(), choice, routes, seed=3)
    right = Counter(case.wants[0].arms == (1,) for case in cases)[True]
    assert right / 4000 == pytest.approx(0.8, abs=0.02)  # three sigma: 3 x sqrt(0.16 / 4000)
    assert cases == speculate(tree(*SHARES), device(), choice, routes, seed=3)
    assert cases != speculate(tree(*SHARES), device(), choice, routes, seed=4)


def shipped(name: str) -> Workload:
    path = PROGRAMS / f"{name}.json"
    return workload_from_json(path.read_text(), path.name)


@pytest.mark.parametrize(
    ("blocks", "reads", "shape"),
    [
        (0, "trunk.layer2.3.relu_3", (1, 512, 28, 28)),
        (1, "trunk.layer2.2.relu_3", (1, 512, 28, 28)),
        (4, "trunk.layer1.2.relu_3", (1, 256, 56, 56)),
        (99, "trunk.relu", (1, 64, 112, 112)),
    ],
)
def test_an_early_router_reads_the_state_some_blocks_before(
    blocks: int, reads: str, shape: tuple[int, ...]
) -> None:
    made = with_early_routers(shipped("sigmab_resnet50").program, blocks)
    check_program(made)
    early = next(s for s in made.steps if isinstance(s, Segment) and s.name.startswith("early."))
    pool, linear = early.layers[:2]
    assert (pool.ifmaps[0].name, pool.ifmaps[0].shape) == (reads, shape)
    assert linear.dims.c == shape[1]
    assert sorted(block.params for block in linear.weights) == [128, 128 * shape[1]]
    decision = next(step for step in made.steps if isinstance(step, Branch))
    assert decision.router.layers[0].ifmaps[0].name == "trunk.layer2.3.relu_3"


def test_an_early_router_costs_what_its_layers_cost() -> None:
    branching = tree(*SHARES)
    routes = [Route(arms=(1, 0))]
    plain = run_workload(branching, device(), Policy.ON_DEMAND, routes)
    early = run_workload(
        branching, device(), PolicyChoice(Policy.EARLY_ROUTER, early_blocks=0), routes
    )
    # Two clones, each a linear layer of 16 inputs and 2 outputs.
    assert early.typical.counts.macs == plain.typical.counts.macs + 2 * 32
    assert early.typical.counts.dram_write_bytes == plain.typical.counts.dram_write_bytes


def test_tied_weights_do_not_wait_for_the_decision() -> None:
    # Half of every layer's channels are common to siblings; nothing is guessed, nothing wasted.
    tied = shipped("sigmab_resnet50_tied_channels")
    routes = [Route(arms=(1, 1))]
    spec = device(scratchpad__capacity_kib=2048)
    plain = run_workload(tied, spec, Policy.ON_DEMAND, routes)
    ahead = run_workload(tied, spec, Policy.TIED, routes)
    assert ahead.typical.latency_ps < plain.typical.latency_ps
    assert ahead.typical.weight_read_bytes == plain.typical.weight_read_bytes
    assert ahead.typical.speculation.planned_bytes == 0
    for run, expected in ((plain, False), (ahead, True)):
        timeline = run.typical.timeline
        decision = timeline.schedule.branch_tiles[0]
        decided = timeline.vector_end_ps[decision]
        commands = timeline.schedule.commands
        early = [
            j
            for j, tile in enumerate(commands.tile)
            if tile > decision and timeline.issue_ps[j] < decided
        ]
        assert bool(early) is expected


def test_untied_siblings_have_nothing_to_fetch_early() -> None:
    routes = [Route(arms=(0, 1))]
    plain = run_workload(tree(*SHARES), device(), Policy.ON_DEMAND, routes)
    tied = run_workload(tree(*SHARES), device(), Policy.TIED, routes)
    assert tied.typical.latency_ps == plain.typical.latency_ps


def test_measured_accuracies_hold_per_branch_and_block() -> None:
    measured = (("b", 0, 1.0), ("b", 2, 0.0), ("1.b", 0, 1.0))
    routes = [Route(arms=(1, 0))] * 20
    for blocks, right in ((0, True), (1, True), (2, False), (9, False)):
        choice = PolicyChoice(Policy.EARLY_ROUTER, early_blocks=blocks, early_accuracy=measured)
        cases = speculate(tree(*SHARES), device(), choice, routes, seed=0)
        assert {case.wants for case in cases} == {(Wants((int(right),)), Wants((0,)))}
    with pytest.raises(UserError, match=r"nothing was measured for branch 0\.b"):
        speculate(tree(*SHARES), device(), choice, [Route(arms=(0, 1))], seed=0)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("prefetch.predictor", "guess", "must be one of prior, last_route, markov"),
        ("prefetch.top_p", 1.5, "must be from 0 to 1"),
        ("prefetch.early_blocks", -1, "must be a whole number, zero or more"),
        ("prefetch.early_accuracy", "high", "must be from 0 to 1"),
    ],
)
def test_a_parameter_out_of_range_is_refused(name: str, value: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        PolicyChoice(Policy.TOP_P).with_parameter(name, value)


def test_equal_texts_act_alike() -> None:
    choice = PolicyChoice(Policy.MOST_PROBABLE)
    assert choice.text == choice.with_parameter("prefetch.top_p", 0.5).text
    assert choice.text != choice.with_parameter("prefetch.predictor", "markov").text
    assert PolicyChoice.from_data(json.loads(json.dumps(choice.to_data()))) == choice
    measured = PolicyChoice(Policy.EARLY_ROUTER, early_accuracy=(("b", 1, 0.5),))
    assert PolicyChoice.from_data(json.loads(json.dumps(measured.to_data()))) == measured
