"""What a prefetch policy gets to see of a branch that is not decided yet."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BranchView:
    """One branch ahead.

    Attributes:
        name: the branch's.
        probabilities: of its arms, as far as can be told before its router has run; they sum to 1.
        arm_bytes: weight bytes of the layers each arm is sure to run.
        free_bytes: scratchpad bytes that could hold them at most.
    """

    name: str
    probabilities: tuple[float, ...]
    arm_bytes: tuple[int, ...]
    free_bytes: int

    @property
    def ranking(self) -> tuple[int, ...]:
        """The arms, likeliest first, the first among equals."""
        order = sorted(range(len(self.probabilities)), key=lambda arm: -self.probabilities[arm])
        return tuple(order)
