"""Gives chosen tensors of a network their own width, e.g. what one level of the tree computes."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.bits_rule import BitsRule, check_each_holds, rewrite_layers
from simulator.ir import Layer, Program, Tensor, TensorKind, Workload


class ActivationBitsRule(BitsRule):
    """What every matching layer or segment writes has this many bits; so has a matching tensor."""

    option = "--activation-bits"


def matched_tensors(workload: Workload, rule: ActivationBitsRule) -> set[str]:
    """Names of the activations a rule holds for; indices keep the width that addresses points."""
    program = workload.program
    written = {
        layer.ofmap.name
        for segment in program.segments()
        for layer in segment.layers
        if rule.holds_for(layer.ofmap.name, layer.name, segment.name)
        and layer.ofmap.kind is TensorKind.ACTIVATION
    }
    return written | {tensor.name for tensor in program.inputs if rule.holds_for(tensor.name)}


def check_activation_rules(
    workloads: Sequence[Workload], rules: Sequence[ActivationBitsRule]
) -> None:
    """Refuse a rule that holds for no tensor of any of the workloads.

    Raises:
        UserError: naming the rule and the segments there are.
    """
    check_each_holds(
        workloads, rules, matched_tensors, "no layer, segment or input has such a name"
    )


def with_activation_bits(workload: Workload, rules: Sequence[ActivationBitsRule]) -> Workload:
    """The workload with the widths the rules give; of several that match, the last one holds.

    A tensor has one width wherever it is written and read, in both arms of a branch too.
    """
    chosen: dict[str, ActivationBitsRule] = {}
    for rule in rules:
        chosen |= dict.fromkeys(matched_tensors(workload, rule), rule)
    if not chosen:
        return workload

    def resized(tensor: Tensor) -> Tensor:
        if tensor.name not in chosen:
            return tensor
        return tensor.model_copy(update=chosen[tensor.name].fields)

    def rewidened(layer: Layer) -> Layer:
        ifmaps = tuple(resized(tensor) for tensor in layer.ifmaps)
        return layer.model_copy(update={"ifmaps": ifmaps, "ofmap": resized(layer.ofmap)})

    program = rewrite_layers(workload.program, rewidened)
    inputs = tuple(resized(tensor) for tensor in program.inputs)
    widths = ", ".join(str(rule) for rule in rules)
    return workload.model_copy(
        update={
            "program": Program(inputs=inputs, steps=program.steps),
            "source": f"{workload.source}; activation bits {widths}",
        }
    )
