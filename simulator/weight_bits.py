"""Gives chosen parts of a network their own weight width, e.g. one level of the tree int4."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.bits_rule import BitsRule, check_each_holds, rewrite_layers
from simulator.ir import Layer, Workload


class WeightBitsRule(BitsRule):
    """Weights of every layer or segment whose name matches the pattern have this many bits."""

    option = "--bits"


def matched_blocks(workload: Workload, rule: WeightBitsRule) -> set[str]:
    """Names of the weight blocks a rule holds for."""
    return {
        block.name
        for segment in workload.program.segments()
        for layer in segment.layers
        if rule.holds_for(layer.name, segment.name)
        for block in layer.weights
    }


def check_rules(workloads: Sequence[Workload], rules: Sequence[WeightBitsRule]) -> None:
    """Refuse a rule that holds for no weights of any of the workloads.

    Raises:
        UserError: naming the rule and the segments there are.
    """
    check_each_holds(
        workloads, rules, matched_blocks, "no layer or segment with weights has such a name"
    )


def with_weight_bits(workload: Workload, rules: Sequence[WeightBitsRule]) -> Workload:
    """The workload with the widths the rules give; of several that match, the last one holds.

    A block that several layers share is stored once: it has one width for all of them.
    """
    chosen: dict[str, WeightBitsRule] = {}
    for rule in rules:
        chosen |= dict.fromkeys(matched_blocks(workload, rule), rule)
    if not chosen:
        return workload
    widths = ", ".join(str(rule) for rule in rules)

    def rewidened(layer: Layer) -> Layer:
        weights = tuple(
            block.model_copy(update=chosen[block.name].fields) if block.name in chosen else block
            for block in layer.weights
        )
        return layer.model_copy(update={"weights": weights})

    return workload.model_copy(
        update={
            "program": rewrite_layers(workload.program, rewidened),
            "source": f"{workload.source}; weight bits {widths}",
        }
    )
