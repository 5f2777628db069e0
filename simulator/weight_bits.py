"""Gives chosen parts of a network their own weight width, e.g. one level of the tree int4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from simulator.errors import UserError
from simulator.ir import Branch, Layer, Program, Segment, Step, Workload
from simulator.validation import nearest

WIDTHS = (4, 6, 8, 16, 32)


@dataclass(frozen=True)
class WeightBitsRule:
    """Weights of every layer or segment whose name matches the pattern have this many bits."""

    pattern: str
    bits: int

    @classmethod
    def parse(cls, text: str) -> WeightBitsRule:
        """Split ``PATTERN=BITS``; the pattern knows ``*``, ``?`` and ``[...]``.

        Raises:
            UserError: no equals sign, or a width no weight can have.
        """
        pattern, separator, bits = text.rpartition("=")
        if not separator or not pattern:
            raise UserError(f"--bits {text}: expected PATTERN=BITS, e.g. 'level2.*=4'")
        if bits not in map(str, WIDTHS):
            widths = ", ".join(map(str, WIDTHS))
            raise UserError(f"--bits {text}: {bits!r} bits: must be one of {widths}")
        return cls(pattern, int(bits))

    def matches(self, segment: Segment, layer: Layer) -> bool:
        """Whether the rule holds for a layer: by its own name or by its segment's."""
        return fnmatchcase(layer.name, self.pattern) or fnmatchcase(segment.name, self.pattern)


def matched_blocks(workload: Workload, rule: WeightBitsRule) -> set[str]:
    """Names of the weight blocks a rule holds for."""
    return {
        block.name
        for segment in workload.program.segments()
        for layer in segment.layers
        if rule.matches(segment, layer)
        for block in layer.weights
    }


def check_rules(workloads: Sequence[Workload], rules: Sequence[WeightBitsRule]) -> None:
    """Refuse a rule that holds for no weights of any of the workloads.

    Raises:
        UserError: naming the rule and the segments there are.
    """
    names = [segment.name for each in workloads for segment in each.program.segments()]
    for rule in rules:
        if not any(matched_blocks(workload, rule) for workload in workloads):
            raise UserError(
                f"--bits {rule.pattern}={rule.bits}: no layer or segment with weights has such a "
                f"name{nearest(rule.pattern, names)}; segments: {', '.join(dict.fromkeys(names))}"
            )


def with_weight_bits(workload: Workload, rules: Sequence[WeightBitsRule]) -> Workload:
    """The workload with the widths the rules give; of several that match, the last one holds.

    A block that several layers share is stored once: it has one width for all of them.
    """
    bits: dict[str, int] = {}
    for rule in rules:
        bits |= dict.fromkeys(matched_blocks(workload, rule), rule.bits)
    if not bits:
        return workload
    widths = ", ".join(f"{rule.pattern}={rule.bits}" for rule in rules)
    return workload.model_copy(
        update={
            "program": _program(workload.program, bits),
            "source": f"{workload.source}; weight bits {widths}",
        }
    )


def _program(program: Program, bits: dict[str, int]) -> Program:
    return Program(inputs=program.inputs, steps=tuple(_step(step, bits) for step in program.steps))


def _step(step: Step, bits: dict[str, int]) -> Step:
    if isinstance(step, Segment):
        return _segment(step, bits)
    arms = tuple(_program(arm, bits) for arm in step.arms)
    return Branch(name=step.name, router=_segment(step.router, bits), arms=arms)


def _segment(segment: Segment, bits: dict[str, int]) -> Segment:
    return Segment(name=segment.name, layers=tuple(_layer(layer, bits) for layer in segment.layers))


def _layer(layer: Layer, bits: dict[str, int]) -> Layer:
    weights = tuple(
        block.model_copy(update={"bits": bits.get(block.name, block.bits)})
        for block in layer.weights
    )
    return layer.model_copy(update={"weights": weights})
