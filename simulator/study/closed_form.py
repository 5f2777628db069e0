"""What the best plan's mean latency is no less and no more than, by the scratchpad there is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNKNOWN = 2**62
"""Above any latency: not replayed, or no plan."""


@dataclass(frozen=True)
class ClosedForm:
    """Bounds of designs, from totals of every plan, none of them scheduled.

    The best plan is no faster than the least lower bound, and no slower than the least upper one.

    Attributes:
        budgets: scratchpad sizes that make a difference, rising.
        lower_ps, upper_ps: shape (budgets + 1, designs): with so many of the budgets fitting;
            UNKNOWN for none.
    """

    budgets: NDArray[np.int64]
    lower_ps: NDArray[np.int64]
    upper_ps: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        budget_bytes: NDArray[np.int64],
        lower: NDArray[np.float64],
        upper: NDArray[np.float64],
        inferences: int,
    ) -> ClosedForm:
        """From sums over so many inferences, shape (plans, designs), and each plan's budget."""
        budgets = np.unique(budget_bytes)
        found = np.full((2, len(budgets) + 1, lower.shape[1]), UNKNOWN, dtype=np.int64)
        for row, budget in enumerate(budgets, start=1):
            fits = budget_bytes <= budget
            found[0, row] = np.floor(lower[fits].min(axis=0) / inferences)
            found[1, row] = np.ceil(upper[fits].min(axis=0) / inferences)
        return cls(budgets, found[0], found[1])
