"""Placements as data: what `place` prints, draws, and writes for `quantise` to measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simulator.placement.losses import LOSS_UNITS, Losses
from simulator.placement.optimise import Placed
from simulator.placement.resimulate import Simulated
from simulator.placement.stages import Node
from simulator.units import PS_PER_S

PLACEMENT_SCHEMA, PLACEMENTS_SCHEMA, VERSION = "simulator.placement", "simulator.placements", 1
FJ_PER_J = 10**15


@dataclass(frozen=True)
class Row:
    """One way to place the tree.

    Attributes:
        name: what it is.
        budget_fraction: of accuracy, None where it was not chosen within one.
        placed: the choice; None where the compiler placed the weights by itself.
        simulated: on the exact engine.
        predicted_accuracy_fraction: the tree's as trained less the losses; None if unknown.
        measured_accuracy_fraction: of exactly these widths, if the file of accuracies has it.
    """

    name: str
    budget_fraction: float | None
    placed: Placed | None
    simulated: Simulated
    predicted_accuracy_fraction: float | None
    measured_accuracy_fraction: float | None

    def to_data(self, nodes: Sequence[Node], is_latency: bool) -> dict[str, Any]:
        """As JSON holds it."""
        data: dict[str, Any] = {
            "name": self.name,
            "accuracy_budget_fraction": self.budget_fraction,
            "latency_s": self.simulated.latency_ps / PS_PER_S,
            "energy_j": self.simulated.energy_pj / 1e12,
            "weight_read_bytes": self.simulated.weight_read_bytes,
            "kept_bytes": self.simulated.pinned_bytes,
            "predicted_accuracy_fraction": self.predicted_accuracy_fraction,
            "measured_accuracy_fraction": self.measured_accuracy_fraction,
        }
        if self.placed is not None:
            predicted = self.placed.predicted
            data["predicted_" + ("latency_s" if is_latency else "energy_j")] = (
                predicted / PS_PER_S if is_latency else predicted / FJ_PER_J
            )
            data["working_bytes"] = self.placed.frame.knobs.budget_bytes
            data["visited"] = self.placed.visited
            if self.simulated.hit_fraction is not None:
                data["managed_window"] = self.placed.locality.window
                data["managed_hit_fraction"] = self.simulated.hit_fraction
            data["nodes"] = nodes_to_data(self.placed, nodes)
        return data


def nodes_to_data(placed: Placed, nodes: Sequence[Node]) -> dict[str, dict[str, Any]]:
    """Bits and tier of every segment with weights."""
    return {
        segment: {"bits": bits, "tier": tier.value}
        for at, bits, tier in placed.places
        for segment in nodes[at].segments
    }


def predicted_accuracy(losses: Losses, loss: int) -> float:
    """The tree's accuracy as trained less a loss."""
    return losses.accuracy_fraction - loss / LOSS_UNITS
