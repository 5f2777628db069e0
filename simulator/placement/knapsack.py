"""The choice itself: one option per part, least cost within two budgets. Exact, and greedy.

Everything is an integer, so bounds and comparisons are exact.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from sys import maxsize
from typing import Generic, TypeVar

Label = TypeVar("Label")
SUBGRADIENT_STEPS = 60
"""Steps in which the root's multipliers are sought; more only tighten the bound."""


@dataclass(frozen=True)
class Option(Generic[Label]):
    """One way to place a part.

    Attributes:
        cost: what it adds to the objective, zero or more.
        n_bytes: what it takes of the scratchpad, zero or more.
        loss: what it takes of the accuracy budget, zero or more.
        label: what it stands for.
    """

    cost: int
    n_bytes: int
    loss: int
    label: Label


@dataclass(frozen=True)
class Choice(Generic[Label]):
    """A chosen option per part, in order, and their sums."""

    options: tuple[Option[Label], ...]

    @property
    def cost(self) -> int:
        """The objective."""
        return sum(option.cost for option in self.options)

    @property
    def n_bytes(self) -> int:
        """Scratchpad bytes taken."""
        return sum(option.n_bytes for option in self.options)

    @property
    def loss(self) -> int:
        """Accuracy budget taken."""
        return sum(option.loss for option in self.options)


@dataclass
class Solved(Generic[Label]):
    """The best choice, None if there is none, and how many partial choices were kept."""

    best: Choice[Label] | None
    visited: int = field(default=0)


def solve(
    parts: Sequence[Sequence[Option[Label]]], capacity_bytes: int, budget: int
) -> Solved[Label]:
    """The choice of least cost within both budgets, by branch and bound with dominance.

    Part by part, all partial choices are extended, and of these go: those that no completion
    fits; those that another equals or beats in cost, bytes and loss; and those for which a lower
    bound on what they can still become exceeds the greedy choice. The bounds are admissible: the
    sum of the least costs of the parts to come, alone and with multipliers on what they take
    (Lagrange: for multipliers of zero or more no feasible completion costs less).
    """
    return _BranchAndBound(parts, capacity_bytes, budget).run()


def greedy(
    parts: Sequence[Sequence[Option[Label]]], capacity_bytes: int, budget: int
) -> Choice[Label] | None:
    """The best change of one part at a time, from a modest start.

    The change with the largest saving per share of the budgets it takes wins, one that takes
    nothing first. Changes that take no scratchpad come first, all others when none of these is
    left: narrow weights before any are pinned. Starts are the options of every part that take the
    least bytes, the least loss, or the least share of both; None if none of these fits.
    """
    limits = (max(capacity_bytes, 1), max(budget, 1))
    starts: tuple[Callable[[Option[Label]], tuple[float, ...]], ...] = (
        lambda o: (o.n_bytes, o.loss, o.cost),
        lambda o: (o.loss, o.n_bytes, o.cost),
        lambda o: (o.n_bytes / limits[0] + o.loss / limits[1], o.cost),
    )
    found = []
    for start in starts:
        chosen = [min(options, key=start) for options in parts]
        if _fits(chosen, capacity_bytes, budget):
            found.append(_improved(chosen, parts, capacity_bytes, budget))
    return min(found, key=lambda choice: choice.cost, default=None)


def _improved(
    chosen: list[Option[Label]],
    parts: Sequence[Sequence[Option[Label]]],
    capacity_bytes: int,
    budget: int,
) -> Choice[Label]:
    """Changes of one part at a time until none that fits saves anything."""
    limits = (max(capacity_bytes, 1), max(budget, 1))
    for may_take_bytes in (False, True):
        while True:
            best: tuple[float, int, int, Option[Label]] | None = None
            left = capacity_bytes - sum(o.n_bytes for o in chosen)
            lenience = budget - sum(o.loss for o in chosen)
            for at, now in enumerate(chosen):
                for option in parts[at]:
                    saved = now.cost - option.cost
                    more = (option.n_bytes - now.n_bytes, option.loss - now.loss)
                    if saved <= 0 or more[0] > left or more[1] > lenience:
                        continue
                    if more[0] > 0 and not may_take_bytes:
                        continue
                    share = sum(max(m, 0) / limit for m, limit in zip(more, limits, strict=True))
                    rate = saved / share if share > 0 else float("inf")
                    if best is None or (rate, saved) > best[:2]:
                        best = (rate, saved, at, option)
            if best is None:
                break
            chosen[best[2]] = best[3]
    return Choice(tuple(chosen))


def _fits(chosen: Sequence[Option[Label]], capacity_bytes: int, budget: int) -> bool:
    return (
        sum(o.n_bytes for o in chosen) <= capacity_bytes and sum(o.loss for o in chosen) <= budget
    )


def undominated(options: Sequence[Option[Label]]) -> list[Option[Label]]:
    """The options that no other equals or beats in cost, bytes and loss at once, cheapest first."""
    kept: list[Option[Label]] = []
    for option in sorted(options, key=lambda o: (o.cost, o.loss, o.n_bytes)):
        if not any(k.n_bytes <= option.n_bytes and k.loss <= option.loss for k in kept):
            kept.append(option)
    return kept


@dataclass(frozen=True)
class _Partial(Generic[Label]):
    """A choice for the first parts: its sums, its last option, and the choice before that."""

    cost: int
    n_bytes: int
    loss: int
    option: Option[Label] | None
    before: _Partial[Label] | None


def _undominated_partial(grown: list[_Partial[Label]]) -> list[_Partial[Label]]:
    """Those that none of no larger cost equals or beats in bytes and loss, cheapest first.

    What was kept is remembered as a staircase: with rising bytes its losses fall.
    """
    kept: list[_Partial[Label]] = []
    stairs: list[tuple[int, int]] = []
    for each in sorted(grown, key=lambda p: (p.cost, p.loss, p.n_bytes)):
        at = bisect_right(stairs, (each.n_bytes, maxsize))
        if at and stairs[at - 1][1] <= each.loss:
            continue
        kept.append(each)
        last = at
        while last < len(stairs) and stairs[last][1] >= each.loss:
            last += 1
        first = at - 1 if at and stairs[at - 1][0] == each.n_bytes else at
        stairs[first:last] = [(each.n_bytes, each.loss)]
    return kept


class _BranchAndBound(Generic[Label]):
    def __init__(
        self, parts: Sequence[Sequence[Option[Label]]], capacity_bytes: int, budget: int
    ) -> None:
        kept = [undominated(options) for options in parts]
        # Parts with most to gain first: their choice moves the bound most.
        self.order = sorted(range(len(kept)), key=lambda at: kept[at][0].cost - kept[at][-1].cost)
        self.parts = [kept[at] for at in self.order]
        self.capacity, self.budget = capacity_bytes, budget
        self.visited = 0
        self.known = greedy(kept, capacity_bytes, budget)
        self.multipliers = {(0, 0), *self._tight_multipliers()}
        self.suffixes = [(mb, ml, self._suffix(mb, ml)) for mb, ml in self.multipliers]
        self.least_bytes = self._least(lambda o: o.n_bytes)
        self.least_loss = self._least(lambda o: o.loss)

    def run(self) -> Solved[Label]:
        partial: list[_Partial[Label]] = [_Partial(0, 0, 0, None, None)]
        for depth, options in enumerate(self.parts, start=1):
            grown = [each for before in partial for each in self._grown(before, options, depth)]
            partial = _undominated_partial(grown)
            self.visited += len(partial)
        if not partial:
            return Solved(self.known, self.visited)
        placed: list[Option[Label] | None] = [None] * len(self.parts)
        at: _Partial[Label] | None = partial[0]
        for part in reversed(self.order):
            if at is not None:
                placed[part], at = at.option, at.before
        return Solved(Choice(tuple(o for o in placed if o is not None)), self.visited)

    def _grown(
        self, before: _Partial[Label], options: Sequence[Option[Label]], depth: int
    ) -> Iterator[_Partial[Label]]:
        """A partial choice with each option of the next part that may lead to the best."""
        for option in options:
            cost = before.cost + option.cost
            n_bytes, loss = before.n_bytes + option.n_bytes, before.loss + option.loss
            if n_bytes + self.least_bytes[depth] > self.capacity:
                continue
            if loss + self.least_loss[depth] > self.budget:
                continue
            # One that reaches the greedy cost is kept: nothing else may be as good.
            if self.known is None or self._bound(depth, cost, n_bytes, loss) <= self.known.cost:
                yield _Partial(cost, n_bytes, loss, option, before)

    def _bound(self, depth: int, cost: int, n_bytes: int, loss: int) -> int:
        """No completion costs less."""
        return max(
            cost + suffix[depth] - mb * (self.capacity - n_bytes) - ml * (self.budget - loss)
            for mb, ml, suffix in self.suffixes
        )

    def _suffix(self, mb: int, ml: int) -> list[int]:
        """Per depth, the least sum of cost and priced resources of the parts from there on."""
        found = [0]
        for options in reversed(self.parts):
            found.append(found[-1] + min(o.cost + mb * o.n_bytes + ml * o.loss for o in options))
        return found[::-1]

    def _least(self, resource: Callable[[Option[Label]], int]) -> list[int]:
        found = [0]
        for options in reversed(self.parts):
            found.append(found[-1] + min(resource(option) for option in options))
        return found[::-1]

    def _tight_multipliers(self) -> list[tuple[int, int]]:
        """Prices of a byte and of a unit of loss with a high bound at the root.

        Projected subgradient steps (a price rises while its budget is exceeded). Whatever they
        are, the bound holds; they are rounded down to integers.
        """
        spread = sum(options[-1].cost - options[0].cost for options in self.parts)
        if spread <= 0:
            return []
        price = [0.0, 0.0]
        limits = (max(self.capacity, 1), max(self.budget, 1))
        found: list[tuple[float, tuple[int, int]]] = []
        for step in range(1, SUBGRADIENT_STEPS + 1):
            taken = [
                min(options, key=lambda o: o.cost + price[0] * o.n_bytes + price[1] * o.loss)
                for options in self.parts
            ]
            over = (
                sum(o.n_bytes for o in taken) - self.capacity,
                sum(o.loss for o in taken) - self.budget,
            )
            bound = sum(o.cost for o in taken) + price[0] * over[0] + price[1] * over[1]
            found.append((bound, (int(price[0]), int(price[1]))))
            for at in range(2):
                size = spread / limits[at] / step
                price[at] = max(0.0, price[at] + size * max(-1.0, min(1.0, over[at] / limits[at])))
        return [prices for _, prices in sorted(found, reverse=True)[:3]]
