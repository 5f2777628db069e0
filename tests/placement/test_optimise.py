from dataclasses import replace
from itertools import product

import pytest

from simulator.engine import simulate
from simulator.placement.costs import CostModel
from simulator.placement.hits import Locality
from simulator.placement.losses import Losses
from simulator.placement.optimise import Optimiser
from simulator.placement.parts import Objective, Pricing, Tree
from simulator.placement.resimulate import simulate_schedules
from simulator.placement.stages import Tier, cut
from tests.devices import device

WEIGHTS = {(0,): 7, (1,): 3}
WIDTHS = (8, 4)
TIERS = (Tier.PINNED, Tier.DRAM)
LOSSES = {(0, 4): 9, (1, 4): 2, (2, 4): 5, (3, 4): 1}


@pytest.fixture(scope="module")
def spec():
    return device(scratchpad__capacity_kib=20)


@pytest.fixture(scope="module")
def model(small_tree, spec):
    nodes, stages = cut(small_tree.program)
    return CostModel(small_tree, spec, nodes, stages, WEIGHTS)


@pytest.fixture(scope="module")
def divisions(model):
    """Two of the scratchpad's divisions, costed."""
    optimiser = Optimiser(model, pricing(model, Objective.LATENCY), 8)
    return optimiser.divisions[::2][:2]


@pytest.fixture(scope="module")
def everything(model, spec, divisions):
    """Every placement at both divisions on the engine: loss, latency and energy."""
    found = []
    for places in product(product(WIDTHS, TIERS), repeat=4):
        settings = [(bits, tier is Tier.PINNED) for bits, tier in places]
        loss = sum(LOSSES.get((n, bits), 0) for n, (bits, _) in enumerate(places))
        pinned = sum(
            model.nodes[n].n_bytes(bits) for n, (bits, here) in enumerate(settings) if here
        )
        for division in divisions:
            schedules = model.schedules(settings, division.frame)
            if schedules is not None and pinned <= division.weight_bytes:
                found.append((loss, simulate_schedules(schedules, spec, WEIGHTS, pinned)))
    return found


def pricing(model, objective):
    tree = Tree(tuple(model.nodes), tuple(model.stages), WEIGHTS)
    losses = Losses(0.9, {(n, b): LOSSES.get((n, b), 0) for n in range(4) for b in WIDTHS})
    return Pricing(tree, losses, WIDTHS, TIERS, objective)


def test_stages_sum_to_what_the_engine_measures(model):
    """Every mixture of settings, though only uniform ones were costed."""
    frame = model.frame(16 * 1024)
    costs = model.costs(frame, WIDTHS)
    routes = {(0,): model.stages[:2], (1,): [model.stages[0], model.stages[2]]}
    for placed in product([(8, False), (4, True)], repeat=4):
        schedules = model.schedules(placed, frame)
        for arms, stages in routes.items():
            parts = [costs[s.prefix, tuple(placed[n] for n in s.nodes)] for s in stages]
            timeline = simulate(schedules[arms]).timeline
            assert sum(part.latency_ps for part in parts) == timeline.latency_ps
        found = simulate_schedules({(0,): schedules[(0,)]}, model.spec, {(0,): 1}, 0)
        parts = [costs[s.prefix, tuple(placed[n] for n in s.nodes)] for s in routes[(0,)]]
        assert sum(p.energy_fj for p in parts) == pytest.approx(1000 * found.energy_pj, abs=2)


@pytest.mark.parametrize("objective", Objective)
def test_the_choice_is_that_of_trying_every_placement(model, divisions, everything, objective):
    optimiser = Optimiser(model, pricing(model, objective), 8)
    optimiser.divisions = divisions
    assert 100 < len(everything) < 512  # some do not fit
    for budget in (0, 3, 8, 17):
        least = min(objective.of_simulation(f) for loss, f in everything if loss <= budget)
        exact = min(placed.predicted for placed in optimiser.exact(budget))
        assert exact == pytest.approx(least, rel=1e-9)
        greedy = min(placed.predicted for placed in optimiser.greedy(budget))
        assert greedy >= exact


def test_what_is_chosen_is_simulated_as_predicted_or_better(model):
    optimiser = Optimiser(model, pricing(model, Objective.LATENCY), 8)
    for budget in (0, 17):
        placed, simulated = optimiser.best(optimiser.exact(budget))
        assert simulated.latency_ps <= placed.predicted * (1 + 1e-9)
        assert placed.loss <= budget
        assert simulated.pinned_bytes == placed.n_bytes
        assert (
            placed.n_bytes + placed.frame.knobs.budget_bytes <= model.spec.scratchpad.capacity_bytes
        )


def test_more_budget_and_more_room_never_cost_more(small_tree):
    nodes, stages = cut(small_tree.program)
    before = None
    for kib in (20, 48):
        model = CostModel(small_tree, device(scratchpad__capacity_kib=kib), nodes, stages, WEIGHTS)
        optimiser = Optimiser(model, pricing(model, Objective.ENERGY), 8)
        costs = [optimiser.best(optimiser.exact(b))[1].energy_pj for b in (0, 5, 17)]
        assert costs == sorted(costs, reverse=True)
        # Not exactly: a larger scratchpad's energy per byte may differ.
        assert before is None or costs[-1] <= before * 1.05
        before = costs[-1]


def test_managed_nodes_cost_on_a_stream_what_was_predicted(small_tree):
    nodes, stages = cut(small_tree.program)
    spec = device(scratchpad__capacity_kib=28)
    model = CostModel(small_tree, spec, nodes, stages, WEIGHTS)
    tree = pricing(model, Objective.ENERGY).tree
    losses = Losses(0.9, {(n, b): 0 for n in range(4) for b in WIDTHS})
    alone = Pricing(tree, losses, (8,), (Tier.MANAGED, Tier.DRAM), Objective.ENERGY)
    predicted = {}
    for persistence in (0.0, 0.8):
        repeating = replace(alone, locality=Locality(0, persistence))
        optimiser = Optimiser(model, repeating, 0)
        placed, simulated = optimiser.best(optimiser.exact(0))
        assert 1000 * simulated.energy_pj == pytest.approx(placed.predicted, rel=0.05)
        predicted[persistence] = placed.predicted
    # Repeats are what a managed region lives on.
    assert predicted[0.8] < predicted[0.0]
    assert any(tier is Tier.MANAGED for _, _, tier in placed.places)
    assert 0.5 < simulated.hit_fraction <= 1


def test_a_tier_more_never_costs_more(model):
    basic = pricing(model, Objective.ENERGY)
    more = replace(basic, tiers=(*TIERS, Tier.MANAGED), locality=Locality(0, 0.5))
    least = [
        min(placed.predicted for placed in Optimiser(model, each, 8).exact(8))
        for each in (basic, more)
    ]
    assert least[1] <= least[0]
