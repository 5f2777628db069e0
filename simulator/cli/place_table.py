"""The result of `place` as tables."""

from __future__ import annotations

from rich.table import Table

from simulator.cli.format import kib, make_console, quantity
from simulator.placement.parts import Objective
from simulator.placement.plan_file import Row
from simulator.placement.run import Found, PlaceRequest
from simulator.units import PS_PER_S


def print_placements(request: PlaceRequest, found: Found, spec_origin: str) -> None:
    """Print baselines and choices, how far greedy and predictions are off, and the last choice."""
    console = make_console()
    spec, name = request.spec, request.workload.name
    console.print(f"[bold]{name}[/] on [bold]{spec.name}[/]: {spec_origin}")
    console.print(
        f"least expected {request.objective} over {found.tree.inferences} inferences on demand, "
        f"scratchpad {kib(spec.scratchpad.capacity_bytes)}; {len(found.nodes)} nodes",
        soft_wrap=True,
    )
    console.print(_overview(found))
    console.print(_gaps(request, found), soft_wrap=True)
    console.print(_nodes(found))


def _overview(found: Found) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("\nplacement", no_wrap=True)
    for heading in ("budget", "latency", "energy", "weights read", "kept", "predicted", "measured"):
        table.add_column(f"\n{heading}", justify="right", no_wrap=True)
    for row in found.rows:
        budget = "" if row.budget_fraction is None else f"{100 * row.budget_fraction:g} %"
        table.add_row(
            row.name,
            budget,
            quantity(row.simulated.latency_ps / PS_PER_S, "s"),
            quantity(row.simulated.energy_pj / 1e12, "J"),
            quantity(row.simulated.weight_read_bytes, "B"),
            kib(row.simulated.pinned_bytes),
            _percent(row.predicted_accuracy_fraction),
            _percent(row.measured_accuracy_fraction),
        )
    return table


def _gaps(request: PlaceRequest, found: Found) -> str:
    """One line: what the predictions and the greedy method are worth."""
    of = request.objective.of_simulation
    off = [
        abs(row.placed.predicted / of(row.simulated) - 1)
        for row in found.rows
        if row.placed is not None
    ]
    gaps = [of(greedy.simulated) / of(exact.simulated) - 1 for exact, greedy in found.chosen()]
    visited = sum(exact.placed.visited for exact, _ in found.chosen() if exact.placed)
    what = "latency" if request.objective is Objective.LATENCY else "energy"
    return (
        f"\npredicted {what} is within {100 * max(off):.4f} % of the simulated one; greedy is "
        f"{100 * min(gaps):.2f} to {100 * max(gaps):.2f} % above exact, which looked at {visited} "
        f"partial choices; {found.simulated} configurations costed"
    )


def _nodes(found: Found) -> Table:
    """Every node of the choice within the largest budget."""
    exact: Row = found.chosen()[-1][0]
    table = Table(box=None, pad_edge=False)
    headings = ("node", "met by", "bits", "tier", "bytes", "loss alone")
    for heading in headings:
        right = heading not in ("node", "tier")
        table.add_column(f"\n{heading}", justify="right" if right else "left", no_wrap=True)
    for at, bits, tier in exact.placed.places if exact.placed else ():
        node = found.nodes[at]
        loss = found.losses.of[at, bits] / 1e7
        table.add_row(
            node.name,
            f"{100 * found.tree.reach(at):.1f} %",
            str(bits),
            tier.value,
            kib(node.n_bytes(bits)),
            f"{loss:.2f}" if loss else "-",
        )
    return table


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.2f} %"
