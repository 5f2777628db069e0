"""What the networks of a study get wrong, from a file: measured elsewhere, at given bit widths."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from simulator.errors import UserError
from simulator.program_file import read_text
from simulator.study.axis import Choices, GridAxis, Value

ACCURACY_SCHEMA = "simulator.accuracies"
ACCURACY_VERSION = 1
MATTERS = ("bits.", "activation_bits.", "precision.", "tree.")
"""Axes whose values change what a network computes; all others change when and at what cost."""

_Key = tuple[str, frozenset[tuple[str, Value]]]


@dataclass(frozen=True)
class Accuracies:
    """Accuracy by workload and the choices that matter to it, which an entry lists completely."""

    path: Path
    fractions: dict[_Key, float]

    @classmethod
    def read(cls, path: Path) -> Accuracies:
        """Read a file of accuracies.

        Raises:
            UserError: it cannot be read, or an entry is incomplete or no fraction.
        """
        try:
            data = json.loads(read_text(path, UserError))
        except json.JSONDecodeError as error:
            raise UserError(f"{path}: line {error.lineno}: not a complete JSON file") from None
        header = (ACCURACY_SCHEMA, ACCURACY_VERSION)
        found = (data.get("schema"), data.get("schema_version")) if isinstance(data, dict) else None
        if found != header or not isinstance(data.get("entries"), list):
            raise UserError(f"{path}: expected schema {header[0]!r}, version {header[1]}, entries")
        fractions: dict[_Key, float] = {}
        for at, entry in enumerate(data["entries"]):
            key, fraction = _entry(f"{path}: entries[{at}]", entry)
            if key in fractions:
                raise UserError(f"{path}: entries[{at}]: the same choices are listed before")
            fractions[key] = fraction
        return cls(path, fractions)

    def error_fraction(self, workload: str, choices: Choices) -> float:
        """The share of inputs a network gets wrong.

        Raises:
            UserError: the file does not say.
        """
        key = (workload, frozenset((k, v) for k, v in choices.items() if k.startswith(MATTERS)))
        if key not in self.fractions:
            listed = ", ".join(f"{field}={value}" for field, value in sorted(key[1], key=str))
            raise UserError(
                f"{self.path}: no accuracy of {workload}{' with ' if listed else ''}{listed}"
            )
        return 1 - self.fractions[key]

    def check(self, workloads: Sequence[str], axes: Sequence[GridAxis]) -> None:
        """Raise UserError unless every combination that matters is there."""
        for workload in workloads:
            for choices in _combinations(axes):
                self.error_fraction(workload, choices)


def _combinations(axes: Sequence[GridAxis]) -> Iterator[Choices]:
    matter = [axis for axis in axes if axis.field.startswith(MATTERS)]
    for values in product(*(axis.values for axis in matter)):
        yield {axis.field: value for axis, value in zip(matter, values, strict=True)}


def _entry(origin: str, entry: object) -> tuple[_Key, float]:
    if not isinstance(entry, dict) or not isinstance(entry.get("workload"), str):
        raise UserError(f"{origin}: workload: must name a workload")
    choices, fraction = entry.get("choices", {}), entry.get("accuracy_fraction")
    if not isinstance(choices, dict) or not all(field.startswith(MATTERS) for field in choices):
        raise UserError(
            f"{origin}: choices: must be values of bits.PATTERN, activation_bits.PATTERN, "
            "precision.* or tree.*"
        )
    if not isinstance(fraction, int | float) or not 0 <= fraction <= 1:
        raise UserError(f"{origin}: accuracy_fraction: {fraction!r}: must be from 0 to 1")
    return (entry["workload"], frozenset(choices.items())), float(fraction)
