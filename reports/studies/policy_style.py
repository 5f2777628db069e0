"""How figures show prefetch policies: one colour and one mark each, the same in all of them."""

from __future__ import annotations

from reports import palette
from simulator.policy import Policy

ANALYTIC = palette.DARK_GREY
"""Of the line that marks the analytic saving."""

_COLOURS = (
    palette.GREY,
    palette.ORANGE,
    palette.GREEN,
    palette.PURPLE,
    palette.VERMILION,
    palette.BLUE,
    palette.SKY,
)
_MARKS = ("o", "s", "D", "^", "v", "P", "X")


def colour(policy: str) -> str:
    """The policy's colour; a bound is black."""
    if policy == Policy.ORACLE.value:
        return palette.BLACK
    return _COLOURS[_place(policy) % len(_COLOURS)]


def mark(policy: str) -> str:
    """The policy's mark; a bound is a vertical bar."""
    return "|" if policy == Policy.ORACLE.value else _MARKS[_place(policy) % len(_MARKS)]


def _place(policy: str) -> int:
    """Where a policy stands among those a device can follow."""
    real = [each.value for each in Policy if each is not Policy.ORACLE]
    return real.index(policy)
