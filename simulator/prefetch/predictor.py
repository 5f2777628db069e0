"""What can be told of a branch before its router has run, from the stream of routes so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Protocol

from simulator.ir import Workload, leaf_routes
from simulator.policy import PredictorName

Arms = tuple[int, ...]


class Predictor(Protocol):
    """Says how probable the arms of a branch are, and learns from every route taken."""

    def probabilities(self, prefix: Arms) -> tuple[float, ...]:
        """Of the arms of the branch that is met after `prefix`; they sum to 1."""

    def observe(self, arms: Arms) -> None:
        """Learn the route of the inference that has ended."""


def make_predictor(name: PredictorName, workload: Workload) -> Predictor:
    """A predictor that has seen nothing yet."""
    kinds = {
        PredictorName.PRIOR: Prior,
        PredictorName.LAST_ROUTE: LastRoute,
        PredictorName.MARKOV: Markov,
    }
    return kinds[name](workload)


class Prior:
    """The workload's leaf shares."""

    def __init__(self, workload: Workload) -> None:
        leaves = leaf_routes(workload.program)
        self.shares = dict(zip(leaves, workload.leaf_shares, strict=True))

    def probabilities(self, prefix: Arms) -> tuple[float, ...]:
        """Shares of the leaves behind each arm; equal ones where no input comes by."""
        return arm_probabilities(self.shares, prefix)

    def observe(self, arms: Arms) -> None:
        """Nothing changes the prior."""


class LastRoute(Prior):
    """The arm taken when the branch was last met; before that, the prior."""

    def __init__(self, workload: Workload) -> None:
        super().__init__(workload)
        self._last: dict[Arms, int] = {}

    def probabilities(self, prefix: Arms) -> tuple[float, ...]:
        """Certainty that nothing has changed."""
        prior = super().probabilities(prefix)
        if prefix not in self._last:
            return prior
        return tuple(float(arm == self._last[prefix]) for arm in range(len(prior)))

    def observe(self, arms: Arms) -> None:
        """Remember the arm of every branch met."""
        for depth, arm in enumerate(arms):
            self._last[arms[:depth]] = arm


class Markov(Prior):
    """How often each leaf has followed the last one; the prior counts as one more sighting."""

    def __init__(self, workload: Workload) -> None:
        super().__init__(workload)
        self._followed: dict[Arms, Counter[Arms]] = {}
        self._last: Arms | None = None

    def probabilities(self, prefix: Arms) -> tuple[float, ...]:
        """Of the leaves behind each arm, given the last leaf."""
        seen: Counter[Arms] = Counter()
        if self._last is not None:
            seen = self._followed.get(self._last, seen)
        weights = {leaf: share + seen[leaf] for leaf, share in self.shares.items()}
        return arm_probabilities(weights, prefix)

    def observe(self, arms: Arms) -> None:
        """Count the step from the last leaf to this one."""
        if self._last is not None:
            self._followed.setdefault(self._last, Counter())[arms] += 1
        self._last = arms


def arm_probabilities(weights: Mapping[Arms, float], prefix: Arms) -> tuple[float, ...]:
    """Of the arms after a prefix, in proportion to the weights of the leaves behind them."""
    depth = len(prefix)
    behind: dict[int, float] = {}
    for leaf, weight in weights.items():
        if leaf[:depth] == prefix:
            behind[leaf[depth]] = behind.get(leaf[depth], 0.0) + weight
    total = sum(behind.values())
    if total <= 0:
        return (1 / len(behind),) * len(behind)
    return tuple(behind[arm] / total for arm in range(len(behind)))
