"""What every node's width costs in accuracy, from measured accuracies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simulator.errors import UserError
from simulator.placement.stages import Node, PlacementError
from simulator.study.accuracy import Accuracies
from simulator.study.axis import Choices

LOSS_UNITS = 10**9
"""Units of loss in an accuracy of one: losses are integers, so that sums are exact."""
AS_TRAINED_BITS = 32
DEFAULT_BITS = "precision.weight_bits"


@dataclass(frozen=True)
class Losses:
    """Loss of each node in each width, measured with all other nodes as trained.

    The loss of several nodes is taken to be the sum of theirs. That is exact for nodes that no
    input meets together, sibling leaves for instance, and an estimate along a path: `place`
    prints what was measured of its choice, if the file says, and `quantise --placement` measures
    it. A node that measured better in few bits than as trained counts as no loss: such gains are
    chance.

    Attributes:
        accuracy_fraction: of the tree as trained.
        of: loss by node index and bits, in `LOSS_UNITS`.
    """

    accuracy_fraction: float
    of: Mapping[tuple[int, int], int]


def measured_losses(
    accuracies: Accuracies, workload: str, nodes: Sequence[Node], widths: Sequence[int]
) -> Losses:
    """The losses in a file that `quantise` wrote.

    Raises:
        PlacementError: it lacks the tree, a node or a width.
    """
    try:
        reference = accuracies.error_fraction(workload, {DEFAULT_BITS: AS_TRAINED_BITS})
        found = {}
        for at, node in enumerate(nodes):
            for bits in widths:
                choices: Choices = {f"bits.{segment}": bits for segment in node.segments}
                choices[DEFAULT_BITS] = AS_TRAINED_BITS
                error = accuracies.error_fraction(workload, choices)
                found[at, bits] = max(round((error - reference) * LOSS_UNITS), 0)
    except UserError as problem:
        raise PlacementError(f"{problem}; measure the built tree with `quantise`") from None
    return Losses(1 - reference, found)


def measured_together(
    accuracies: Accuracies, workload: str, nodes: Sequence[Node], bits: Sequence[int]
) -> float | None:
    """Accuracy of all nodes in these widths at once, if the file has it."""
    choices: Choices = {DEFAULT_BITS: AS_TRAINED_BITS}
    for node, width in zip(nodes, bits, strict=True):
        choices |= {f"bits.{segment}": width for segment in node.segments}
    keys: list[Choices] = [choices]
    if len(set(bits)) == 1:
        keys.append({DEFAULT_BITS: bits[0]})
    for key in keys:
        try:
            return 1 - accuracies.error_fraction(workload, key)
        except UserError:
            continue
    return None


def no_losses(nodes: Sequence[Node], bits: int) -> Losses:
    """Of one width for all: nothing is traded, so nothing has to be known."""
    return Losses(1.0, {(at, bits): 0 for at in range(len(nodes))})
