"""When the weights behind a routing decision may be fetched: names and parameters."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any


class Policy(StrEnum):
    """How fetching treats a branch.

    on_demand asks for an arm's data only after the router's argmax. The speculating policies fetch
    weights before it while the DRAM would stand idle, and call off what is lost at the decision:
    most_probable those of the likeliest arm; top_p those of the likeliest arms until their
    probabilities sum to p; both_siblings those of all arms, in turns, in proportion to
    probability. oracle knows the route before the inference starts: no real device can, it bounds
    what any policy can gain.
    """

    ON_DEMAND = "on_demand"
    MOST_PROBABLE = "most_probable"
    TOP_P = "top_p"
    BOTH_SIBLINGS = "both_siblings"
    ORACLE = "oracle"


SPECULATING = (Policy.MOST_PROBABLE, Policy.TOP_P, Policy.BOTH_SIBLINGS)
"""Policies that guess, from a predictor's probabilities."""


class PredictorName(StrEnum):
    """Where the probabilities of a branch's arms come from before its router has run.

    prior: the workload's leaf shares. last_route: the arm taken when the branch was last met.
    markov: how often each leaf has followed the last one, so far in the stream.
    """

    PRIOR = "prior"
    LAST_ROUTE = "last_route"
    MARKOV = "markov"


@dataclass(frozen=True)
class PolicyChoice:
    """A policy with its parameters, of which each policy uses its own.

    Attributes:
        policy: which.
        predictor: what tells a speculating policy probabilities.
        top_p_fraction: the probability that top_p's arms must reach together.
    """

    policy: Policy
    predictor: PredictorName = PredictorName.PRIOR
    top_p_fraction: float = 0.9

    def to_data(self) -> dict[str, str | float]:
        """As plain data."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> PolicyChoice:
        """From plain data."""
        names = {"policy": Policy(data["policy"]), "predictor": PredictorName(data["predictor"])}
        return cls(**(data | names))

    @property
    def text(self) -> str:
        """The policy and those parameters it uses, on one line: equal texts act alike."""
        if self.policy not in SPECULATING:
            return self.policy.value
        parts = [self.policy.value, self.predictor.value]
        if self.policy is Policy.TOP_P:
            parts.append(f"p={self.top_p_fraction:g}")
        return " ".join(parts)

    @classmethod
    def of(cls, policy: Policy | PolicyChoice) -> PolicyChoice:
        """A policy by its name alone has the default parameters."""
        return cls(policy) if isinstance(policy, Policy) else policy
