"""What a study varies: one axis per field, a list of values or a range to draw from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from simulator.errors import UserError
from simulator.yaml_file import parse_yaml_scalar

Value = int | float | str | bool | None
Choices = dict[str, Value]
"""The value of every axis at one point, in the order of the axes."""

ALIASES = {
    "dram.bandwidth": "dram.peak_bytes_per_s",
    "layout": "dram.weight_layout",
    "align": "dram.weight_alignment",
}
MAX_AXIS_VALUES = 1_000_000
_SCALES = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_HELP = (
    "expected a list 16,32,64, steps 64:256:+64, factors 128:16384:x2, or a range to draw from: "
    "1:64:lhs or 128:16384:loglhs, with :16 after it for multiples of 16"
)


@dataclass(frozen=True)
class GridAxis:
    """A field and its values; grid axes are crossed with each other."""

    field: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class RandomAxis:
    """A field and a range that a Latin hypercube draws from.

    Attributes:
        low, high: ends of the range.
        is_logarithmic: whether equal factors, not equal differences, are equally likely.
        multiple_of: values are rounded to whole multiples of it; None leaves them alone.
    """

    field: str
    low: float
    high: float
    is_logarithmic: bool
    multiple_of: int | None

    def value_at(self, fraction: float) -> Value:
        """The value that this fraction of the draws does not exceed."""
        if self.is_logarithmic:
            value = self.low * math.exp(fraction * math.log(self.high / self.low))
        else:
            value = self.low + fraction * (self.high - self.low)
        if self.multiple_of is None:
            return value
        least = -(-self.low // self.multiple_of)
        most = self.high // self.multiple_of
        return int(min(max(round(value / self.multiple_of), least), most)) * self.multiple_of


def parse_axis(text: str) -> GridAxis | RandomAxis:
    """Split ``FIELD=VALUES``.

    Raises:
        UserError: no field, no values, or a range that makes none.
    """
    field, separator, values = text.partition("=")
    if not separator or not field.strip() or not values.strip():
        raise UserError(f"--vary {text}: {_HELP}; e.g. --vary scratchpad.capacity_kib=512,1024")
    field = ALIASES.get(field.strip(), field.strip())
    parts = values.split(":")
    if len(parts) in (3, 4) and is_number(parse_value(parts[0])):
        return _range(text, field, parts)
    found = tuple(parse_value(part) for part in values.split(","))
    if len(set(map(repr, found))) < len(found):
        raise UserError(f"--vary {text}: a value is listed twice")
    return GridAxis(field, found)


def parse_value(text: str) -> Value:
    """A value as a spec file would read it; numbers may end in k, M, G or T for powers of 1000."""
    text = text.strip()
    if text and text[-1] in _SCALES:
        value = _number(text[:-1])
        if value is not None:
            return _whole(value * _SCALES[text[-1]])
    number = _number(text)
    if number is not None:
        return number
    value = parse_yaml_scalar(text)
    return value if isinstance(value, bool) or value is None else text


def is_number(value: Value) -> bool:
    """Whether a value is a number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(text: str) -> int | float | None:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        value = float(text)
    except ValueError:
        return None
    return _whole(value) if math.isfinite(value) else None


def _whole(value: float) -> int | float:
    """A whole number as an integer: fields that count take no other."""
    return int(value) if value == int(value) else value


def _range(text: str, field: str, parts: Sequence[str]) -> GridAxis | RandomAxis:
    low, high = parse_value(parts[0]), parse_value(parts[1])
    rule = parts[2].strip()
    if not isinstance(low, int | float) or not isinstance(high, int | float) or low > high:
        raise UserError(f"--vary {text}: the range must run from a number to a larger one")
    if rule in ("lhs", "loglhs"):
        return _random(text, field, (low, high), parts)
    step = parse_value(rule[1:])
    if len(parts) != 3 or rule[:1] not in ("+", "x") or not isinstance(step, int | float):
        raise UserError(f"--vary {text}: {_HELP}")
    if (rule[0] == "+" and step <= 0) or (rule[0] == "x" and (step <= 1 or low <= 0)):
        raise UserError(f"--vary {text}: this range never reaches its end")
    return GridAxis(field, tuple(_steps(text, low, high, rule[0], step)))


def _random(text: str, field: str, ends: tuple[float, float], parts: Sequence[str]) -> RandomAxis:
    multiple = parse_value(parts[3]) if len(parts) == 4 else None
    if multiple is not None and (not isinstance(multiple, int) or multiple < 1):
        raise UserError(f"--vary {text}: {parts[3]!r}: must be a whole number to round to")
    logarithmic = parts[2].strip() == "loglhs"
    if logarithmic and ends[0] <= 0:
        raise UserError(f"--vary {text}: a logarithmic range must start above zero")
    if multiple is not None and ends[1] // multiple < -(-ends[0] // multiple):
        raise UserError(f"--vary {text}: no multiple of {multiple} lies in the range")
    return RandomAxis(field, ends[0], ends[1], logarithmic, multiple)


def _steps(text: str, low: float, high: float, kind: str, step: float) -> list[int | float]:
    """From low up to high, which is included where a step meets it (to nine digits)."""
    values: list[int | float] = []
    while True:
        count = len(values)
        value = low + count * step if kind == "+" else low * step**count
        if value > high * (1 + 1e-9):
            return values
        if count == MAX_AXIS_VALUES:
            raise UserError(f"--vary {text}: more than {MAX_AXIS_VALUES} values")
        values.append(_whole(min(value, high)))
