"""The smallest value of a field with which limits are met, and what stands in the way below it.

A ladder of values is simulated first and bisected between the largest that fails and the smallest
that does not. Bisection finds the smallest of all only along a cost that never rises with the
field; whether that held is checked on every value simulated, and said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from simulator.errors import UserError
from simulator.study.axis import is_number, parse_value
from simulator.study.context import field_kind
from simulator.study.objective import Limit, cost_of, meets
from simulator.study.outcome import Outcome, Status

RUNGS = 13
DEFAULT_STEPS = {"scratchpad.capacity_kib": 16, "dram.peak_bytes_per_s": 50_000_000}
DEFAULT_RANGES = {
    "scratchpad.capacity_kib": (16, 65536),
    "dram.peak_bytes_per_s": (100_000_000, 400_000_000_000),
}

Simulate = Callable[[Sequence[int]], list[Outcome]]
"""The outcomes at some values of the field, in their order."""


@dataclass(frozen=True)
class Range:
    """A field and the values it may take: whole multiples of a step."""

    field: str
    low: int
    high: int
    step: int

    @classmethod
    def parse(cls, text: str, field: str) -> Range:
        """Read ``LOW:HIGH[:STEP]``, or take what is usual for the field if there is none.

        Raises:
            UserError: no range, or one without values.
        """
        if field_kind(field) != "spec":
            raise UserError(f"--smallest {field}: must be a number of the spec")
        usual = DEFAULT_STEPS.get(field, 1)
        if not text:
            if field not in DEFAULT_RANGES:
                raise UserError(f"--smallest {field}: give a range, e.g. {field}=1:64")
            return cls(field, *DEFAULT_RANGES[field], usual)
        values = [parse_value(part) for part in text.split(":")]
        whole = [value for value in values if is_number(value) and isinstance(value, int)]
        if len(whole) not in (2, 3) or len(whole) < len(values) or min(whole) < 1:
            raise UserError(f"--smallest {field}={text}: expected LOW:HIGH or LOW:HIGH:STEP")
        low, high, step = (*whole, usual)[:3]
        if -(-low // step) > high // step:
            raise UserError(f"--smallest {field}={text}: no multiple of {step} lies in the range")
        return cls(field, -(-low // step) * step, high // step * step, step)

    def ladder(self) -> list[int]:
        """Values from one end to the other, about equal factors apart."""
        factor = (self.high / self.low) ** (1 / (RUNGS - 1))
        rungs = {round(self.low * factor**at / self.step) * self.step for at in range(RUNGS)}
        return sorted({self.low, self.high} | {r for r in rungs if self.low <= r <= self.high})


@dataclass(frozen=True)
class Answer:
    """The outcome of an inverse query.

    Attributes:
        smallest: the least value found that meets every limit; None if no simulated value does.
        outcome: the point there, or the best there is without an answer.
        at: the value `outcome` belongs to.
        binding: what fails just below, or at the best, and by how much; worst first.
        proven: whether what binds is a cost that never rises along the values simulated, or that
            nothing fits: then no smaller value can meet the limits.
        rising: by cost, two neighbouring values between which it rises; empty where none does.
        simulated: every value and its outcome, ascending.
    """

    smallest: int | None
    outcome: Outcome
    at: int
    binding: tuple[str, ...]
    proven: bool
    rising: dict[str, tuple[int, int]]
    simulated: dict[int, Outcome]


def find_smallest(values: Range, limits: Sequence[Limit], simulate: Simulate) -> Answer:
    """The least value that meets every limit, to one step."""
    known: dict[int, Outcome] = {}

    def learn(wanted: Sequence[int]) -> None:
        new = [value for value in wanted if value not in known]
        known.update(zip(new, simulate(new), strict=True))

    ladder = values.ladder()
    learn(ladder)
    met = next((value for value in ladder if meets(known[value], limits)), None)
    if met is None:
        best = min(ladder, key=lambda value: _worst_excess(known[value], limits))
        return _answer(None, best, best, known, limits)
    failed = max((value for value in ladder if value < met), default=None)
    while failed is not None and met - failed > values.step:
        middle = (met + failed) // 2 // values.step * values.step
        learn([middle])
        if meets(known[middle], limits):
            met = middle
        else:
            failed = middle
    return _answer(met, met, failed, known, limits)


def _answer(
    smallest: int | None,
    at: int,
    failed: int | None,
    known: dict[int, Outcome],
    limits: Sequence[Limit],
) -> Answer:
    ordered = dict(sorted(known.items()))
    rising = _rising(ordered, limits)
    if failed is None:
        return Answer(smallest, known[at], at, (), True, rising, ordered)
    fails = known[failed]
    proven = fails.status is Status.INFEASIBLE or any(
        limit.excess(cost_of(fails, limit.cost)) > 0 and limit.cost not in rising
        for limit in limits
    )
    return Answer(smallest, known[at], at, _failing(fails, limits), proven, rising, ordered)


def _worst_excess(outcome: Outcome, limits: Sequence[Limit]) -> float:
    return max(limit.excess(cost_of(outcome, limit.cost)) for limit in limits)


def _failing(outcome: Outcome, limits: Sequence[Limit]) -> tuple[str, ...]:
    """The limits a point exceeds, worst first, or why it cannot be built."""
    if outcome.status is Status.INFEASIBLE:
        return (outcome.reason,)
    exceeded = sorted((-limit.excess(cost_of(outcome, limit.cost)), limit.text) for limit in limits)
    return tuple(f"{text}: exceeded by {-e:.2%}" for e, text in exceeded if e < 0)


def _rising(known: dict[int, Outcome], limits: Sequence[Limit]) -> dict[str, tuple[int, int]]:
    """Between which neighbours a limited cost rises: there bisection proves nothing."""
    found: dict[str, tuple[int, int]] = {}
    feasible = [value for value, o in sorted(known.items()) if o.status is Status.OK]
    for cost in dict.fromkeys(limit.cost for limit in limits):
        for low, high in pairwise(feasible):
            if cost_of(known[high], cost) > cost_of(known[low], cost):
                found[cost] = (low, high)
                break
    return found
