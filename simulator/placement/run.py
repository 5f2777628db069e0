"""`place` as a function: baselines, the best and the greedy placement for every budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator.errors import InfeasiblePlanError
from simulator.ir import Workload
from simulator.mapping.placement import Placement
from simulator.placement.costs import CostModel
from simulator.placement.hits import Locality
from simulator.placement.losses import (
    LOSS_UNITS,
    Losses,
    measured_losses,
    measured_together,
    no_losses,
)
from simulator.placement.optimise import MOST_DIVISIONS, MOST_REFINED, Optimiser, Placed
from simulator.placement.parts import Objective, Pricing, Tree
from simulator.placement.plan_file import (
    PLACEMENT_SCHEMA,
    PLACEMENTS_SCHEMA,
    VERSION,
    Row,
    nodes_to_data,
    predicted_accuracy,
)
from simulator.placement.resimulate import Simulated, resimulate
from simulator.placement.stages import Arms, Node, PlacementError, Tier, cut
from simulator.spec import AcceleratorSpec
from simulator.steps import Steps
from simulator.study.accuracy import Accuracies

EXACT, GREEDY = "exact", "greedy"


@dataclass(frozen=True)
class PlaceRequest:
    """What is to be placed, where, and within what.

    Attributes:
        workload, spec: the tree and the accelerator.
        weights: how often each route is taken, by its arms.
        accuracies: measured ones; None if there is only one width.
        widths, tiers: that a node may have.
        objective: what is minimised.
        budgets: accuracies that may be lost, ascending, as fractions of the inputs.
        persistence_fraction: probability that an inference repeats the route before it.
    """

    workload: Workload
    spec: AcceleratorSpec
    weights: Mapping[Arms, int]
    accuracies: Accuracies | None
    widths: tuple[int, ...]
    tiers: tuple[Tier, ...]
    objective: Objective
    budgets: tuple[float, ...]
    persistence_fraction: float = 0.0


@dataclass(frozen=True)
class Found:
    """Baselines first, then per budget the exact choice and the greedy one."""

    nodes: tuple[Node, ...]
    tree: Tree
    losses: Losses
    rows: tuple[Row, ...]
    simulated: int

    def chosen(self) -> list[tuple[Row, Row]]:
        """Per budget, the exact and the greedy row."""
        rows = [row for row in self.rows if row.budget_fraction is not None]
        return list(zip(rows[::2], rows[1::2], strict=True))

    def files(self, request: PlaceRequest) -> dict[str, dict[str, Any]]:
        """A file per budget and method, with what `quantise --placement` measures."""
        found = {}
        for row in (row for pair in self.chosen() for row in pair):
            if row.placed is None or row.budget_fraction is None:
                continue
            method = "" if row.name == EXACT else f"_{row.name}"
            found[f"placement_{100 * row.budget_fraction:g}pct{method}.json"] = {
                "schema": PLACEMENT_SCHEMA,
                "schema_version": VERSION,
                "workload": request.workload.name,
                "spec": request.spec.name,
                "objective": request.objective.value,
                "method": row.name,
                "accuracy_budget_fraction": row.budget_fraction,
                "nodes": nodes_to_data(row.placed, self.nodes),
            }
        return found


def place(request: PlaceRequest, steps: Steps | None = None) -> Found:
    """Cost the tree once, then choose for every budget.

    Divisions of the scratchpad to cost and choices to simulate are the `steps`, about equally long.

    Raises:
        PlacementError: no tree, accuracies that are missing, or a budget nothing meets.
        InfeasiblePlanError: the tree does not fit the accelerator in any way.
    """
    workload, spec, weights = request.workload, request.spec, request.weights
    nodes, stages = cut(workload.program)
    if not nodes:
        raise PlacementError(f"workload {workload.name}: has no weights to place")
    if request.accuracies is None:
        losses = no_losses(nodes, request.widths[0])
    else:
        losses = measured_losses(request.accuracies, workload.name, nodes, request.widths)
    tree = Tree(nodes, stages, weights)
    model = CostModel(workload, spec, nodes, stages, weights)
    pricing = Pricing(
        tree,
        losses,
        request.widths,
        request.tiers,
        request.objective,
        Locality(0, request.persistence_fraction),
    )
    steps = steps or Steps()
    divisions, each = MOST_DIVISIONS + MOST_REFINED, 1 + len((EXACT, GREEDY)) * len(request.budgets)
    steps.total += divisions * each
    steps.begin("costing the stages")
    optimiser = Optimiser(model, pricing, round(request.budgets[-1] * LOSS_UNITS), steps)
    steps.total += (len(optimiser.divisions) - divisions) * each
    rows = _baselines(request, model, losses)
    for budget in request.budgets:
        units = round(budget * LOSS_UNITS)
        for name, choose in ((EXACT, optimiser.exact), (GREEDY, optimiser.greedy)):
            steps.begin(f"budget {100 * budget:g} %, {name}")
            found = choose(units)
            steps.total += len(found) - len(optimiser.divisions)
            best = optimiser.best(found)
            if best is None:
                raise PlacementError(
                    f"--accuracy-budget {100 * budget:g}%: no placement meets it; allow a larger "
                    "loss or wider --widths"
                )
            rows.append(_row(request, nodes, losses, (name, budget), best))
    return Found(nodes, tree, losses, tuple(rows), model.simulated)


def _row(
    request: PlaceRequest,
    nodes: tuple[Node, ...],
    losses: Losses,
    what: tuple[str, float],
    best: tuple[Placed, Simulated],
) -> Row:
    """`what` is the method's name and the budget."""
    placed, simulated = best
    bits = [width for _, width, _ in placed.places]
    predicted = measured = None
    if request.accuracies is not None:
        predicted = predicted_accuracy(losses, placed.loss)
        measured = measured_together(request.accuracies, request.workload.name, nodes, bits)
    return Row(*what, placed, simulated, predicted, measured)


def _baselines(request: PlaceRequest, model: CostModel, losses: Losses) -> list[Row]:
    """The spec's width everywhere: streamed, and pinned in execution order as room allows."""
    bits = request.spec.precision.weight_bits
    program, _ = model.program([(bits, False)] * len(model.nodes))
    predicted = measured = None
    if request.accuracies is not None:
        name, widths = request.workload.name, [bits] * len(model.nodes)
        measured = measured_together(request.accuracies, name, model.nodes, widths)
        if bits in request.widths:
            loss = sum(losses.of[node, bits] for node in range(len(model.nodes)))
            predicted = predicted_accuracy(losses, loss)
    rows = []
    for placement, what in ((Placement.STREAM, "streamed"), (Placement.FILL, "pinned in order")):
        try:
            found = resimulate(program, request.spec, request.weights, placement)
        except InfeasiblePlanError:
            continue
        rows.append(Row(f"{bits} bits, {what}", None, None, found, predicted, measured))
    return rows


def placements_to_data(request: PlaceRequest, found: Found) -> dict[str, Any]:
    """What `placements.json` holds."""
    is_latency = request.objective is Objective.LATENCY
    return {
        "schema": PLACEMENTS_SCHEMA,
        "schema_version": VERSION,
        "workload": request.workload.name,
        "spec": request.spec.name,
        "scratchpad_bytes": request.spec.scratchpad.capacity_bytes,
        "objective": request.objective.value,
        "inferences": found.tree.inferences,
        "persistence_fraction": request.persistence_fraction,
        "accuracy_as_trained_fraction": (
            None if request.accuracies is None else found.losses.accuracy_fraction
        ),
        "rows": [row.to_data(found.nodes, is_latency) for row in found.rows],
    }
