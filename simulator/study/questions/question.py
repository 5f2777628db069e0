"""What a study of this package is: rows that are computed, and claims computed from the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from simulator.study.questions.lab import Lab

Cell = str | int | float | None
Row = dict[str, Cell]
"""One line of a study's table, by column; None where there is nothing to say."""


@dataclass(frozen=True)
class Question:
    """One question and how it is answered.

    Attributes:
        name: of the command and of the files.
        title: heading of its page.
        asks: the question in a line.
        method: what is compared and how, for the page; one paragraph or several.
        columns: of the table, in order; a name ends in its unit.
        shown: those on the page, with the headings they have there.
        collect: simulates and returns the rows; a quick one is a subset of the full one's.
        claims: what the rows say, the most important first; nothing in them is typed in.
    """

    name: str
    title: str
    asks: str
    method: str
    columns: tuple[str, ...]
    shown: tuple[tuple[str, str], ...]
    collect: Callable[[Lab, bool], list[Row]]
    claims: Callable[[Sequence[Row]], list[str]]


def number(row: Row, column: str) -> float:
    """A cell that must hold a number.

    Raises:
        TypeError: it does not.
    """
    value = row[column]
    if not isinstance(value, int | float):
        raise TypeError(f"{column}: {value!r} is no number")
    return float(value)


def where(rows: Iterable[Row], **values: Cell) -> list[Row]:
    """The rows whose columns have these values."""
    return [row for row in rows if all(row[name] == value for name, value in values.items())]


def distinct(rows: Iterable[Row], column: str) -> list[str]:
    """The values of a column of names, each once, in order of appearance."""
    return list(dict.fromkeys(str(row[column]) for row in rows))


def percent(value: float) -> str:
    """A percentage with its sign in words' typography: `−3.1 %`."""
    return f"{value:.1f} %".replace("-", "−")


def span(values: Iterable[float], unit: str) -> str:
    """`12.3 to 45.6 %`, or one number where all are alike to that digit."""
    found = sorted(values)
    texts = [f"{found[0]:.1f}", f"{found[-1]:.1f}"]
    text = texts[0] if texts[0] == texts[1] else f"{texts[0]} to {texts[1]}"
    return f"{text} {unit}".replace("-", "−")
