"""Speculate on the arm that a clone of the router, some blocks earlier, takes for the right one."""

from __future__ import annotations

import numpy as np

from simulator.errors import UserError
from simulator.mapping.case import Wants
from simulator.policy import PolicyChoice
from simulator.prefetch.branch_view import BranchView


class EarlyRouter:
    """Guesses the arm taken as often as an early router of given accuracy does.

    A wrong guess is any other arm, in proportion to probability. Guesses are drawn in the order
    of the stream: same seed, same guesses.
    """

    def __init__(self, choice: PolicyChoice, seed: int) -> None:
        self._choice = choice
        self._rng = np.random.default_rng(seed)

    def guess(self, view: BranchView, taken: int) -> Wants:
        """The arm guessed for an input whose router will take the arm `taken`."""
        if self._rng.random() < self._accuracy(view.name):
            return Wants((taken,))
        others = [arm for arm in range(len(view.probabilities)) if arm != taken]
        weights = np.array([view.probabilities[arm] for arm in others])
        weights = (
            weights / weights.sum() if weights.sum() else np.full(len(others), 1 / len(others))
        )
        return Wants((int(self._rng.choice(others, p=weights)),))

    def _accuracy(self, branch: str) -> float:
        """As measured that many blocks earlier, or at the earliest place there is."""
        accuracy, blocks = self._choice.early_accuracy, self._choice.early_blocks
        if isinstance(accuracy, float):
            return accuracy
        measured = {at: fraction for name, at, fraction in accuracy if name == branch}
        if not measured:
            raise UserError(f"--early-accuracy: nothing was measured for branch {branch}")
        return measured[max((at for at in measured if at <= blocks), default=min(measured))]
