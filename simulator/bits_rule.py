"""Widths for chosen parts of a network: rules by name, and how a program takes them on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar, Self, TypeVar

from simulator.errors import UserError
from simulator.ir import Branch, Layer, Program, Segment, Step, Workload
from simulator.validation import nearest

WIDTHS = (4, 6, 8, 16, 32)
FLOATS = {"fp16": 16, "fp32": 32}


Rule = TypeVar("Rule", bound="BitsRule")


@dataclass(frozen=True)
class BitsRule:
    """Whatever has a name that matches the pattern has this many bits per value.

    `floating` makes them 16 or 32 bits of floating point, whatever the spec's own format.
    """

    option: ClassVar[str]
    pattern: str
    bits: int
    floating: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Split ``PATTERN=BITS``; the pattern knows ``*``, ``?`` and ``[...]``.

        BITS is a number of bits in the spec's format, or fp16 or fp32.

        Raises:
            UserError: no equals sign, or a width that does not exist.
        """
        pattern, separator, bits = text.rpartition("=")
        if not separator or not pattern:
            raise UserError(f"{cls.option} {text}: expected PATTERN=BITS, e.g. 'level2.*=4'")
        if bits in FLOATS:
            return cls(pattern, FLOATS[bits], floating=True)
        if bits not in map(str, WIDTHS):
            widths = ", ".join([*map(str, WIDTHS), *FLOATS])
            raise UserError(f"{cls.option} {text}: {bits!r} bits: must be one of {widths}")
        return cls(pattern, int(bits))

    @property
    def fields(self) -> dict[str, int | bool]:
        """What it sets in a weight block or a tensor."""
        return {"bits": self.bits, "floating": self.floating}

    def __str__(self) -> str:
        return f"{self.pattern}={'fp' if self.floating else ''}{self.bits}"

    def holds_for(self, *names: str) -> bool:
        """Whether one of the names matches."""
        return any(fnmatchcase(name, self.pattern) for name in names)


def check_each_holds(
    workloads: Sequence[Workload],
    rules: Sequence[Rule],
    matched: Callable[[Workload, Rule], set[str]],
    complaint: str,
) -> None:
    """Refuse a rule that holds for nothing in any of the workloads.

    Raises:
        UserError: naming the rule, the complaint and the segments there are.
    """
    names = [segment.name for each in workloads for segment in each.program.segments()]
    for rule in rules:
        if not any(matched(workload, rule) for workload in workloads):
            raise UserError(
                f"{rule.option} {rule}: {complaint}{nearest(rule.pattern, names)}; "
                f"segments: {', '.join(dict.fromkeys(names))}"
            )


def rewrite_layers(program: Program, change: Callable[[Layer], Layer]) -> Program:
    """The program with every layer of the tree replaced."""
    steps = tuple(_step(step, change) for step in program.steps)
    return Program(inputs=program.inputs, steps=steps)


def _step(step: Step, change: Callable[[Layer], Layer]) -> Step:
    if isinstance(step, Segment):
        return _segment(step, change)
    arms = tuple(rewrite_layers(arm, change) for arm in step.arms)
    return Branch(name=step.name, router=_segment(step.router, change), arms=arms)


def _segment(segment: Segment, change: Callable[[Layer], Layer]) -> Segment:
    return Segment(name=segment.name, layers=tuple(change(layer) for layer in segment.layers))
