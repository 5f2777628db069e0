"""What distinguishes one simulated inference from another: its route, and what was guessed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Wants:
    """Arms of one undecided branch to fetch weights for.

    Attributes:
        arms: one after the other, the first one first.
        shares: if given, one per arm: the arms take turns instead, in proportion to these.
    """

    arms: tuple[int, ...] = ()
    shares: tuple[int, ...] = ()


class Case(tuple[int, ...]):
    """The arms taken, with what is speculated on at each branch met on the way.

    A case without speculation equals the plain tuple of its arms, and stands for it.
    """

    wants: tuple[Wants, ...]

    def __new__(cls, arms: Iterable[int], wants: tuple[Wants, ...] = ()) -> Case:
        case = super().__new__(cls, arms)
        case.wants = wants if any(want.arms for want in wants) else ()
        return case

    @property
    def arms(self) -> tuple[int, ...]:
        """The route alone."""
        return tuple(self)

    @property
    def sort_key(self) -> tuple[object, ...]:
        """Orders cases by route, then by what is speculated on."""
        return (self.arms, *((want.arms, want.shares) for want in self.wants))

    def __eq__(self, other: object) -> bool:
        mine, others = self.wants, getattr(other, "wants", ())
        return tuple.__eq__(self, other) is True and mine == others

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((tuple(self), self.wants)) if self.wants else tuple.__hash__(self)

    def __reduce__(self) -> tuple[type[Case], tuple[tuple[int, ...], tuple[Wants, ...]]]:
        return Case, (tuple(self), self.wants)
