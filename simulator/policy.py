"""When the weights behind a routing decision may be fetched: names and parameters."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any


class Policy(StrEnum):
    """How fetching treats a branch.

    on_demand asks for an arm's data only after the router's argmax. The speculating policies fetch
    weights before it while the DRAM would stand idle, and call off what is lost at the decision:
    most_probable those of the likeliest arm; top_p those of the likeliest arms until their
    probabilities sum to p; both_siblings those of all arms, in turns, in proportion to
    probability; early_router the arm that a clone of the router, some blocks earlier, picks. tied
    fetches weights that all arms of a branch share without waiting for its decision, and the rest
    after it. oracle knows the route before the inference starts: no real device can, it bounds
    what any policy can gain.
    """

    ON_DEMAND = "on_demand"
    MOST_PROBABLE = "most_probable"
    TOP_P = "top_p"
    BOTH_SIBLINGS = "both_siblings"
    EARLY_ROUTER = "early_router"
    TIED = "tied"
    ORACLE = "oracle"


PREDICTING = (Policy.MOST_PROBABLE, Policy.TOP_P, Policy.BOTH_SIBLINGS)
"""Policies that guess from a predictor's probabilities."""
SPECULATING = (*PREDICTING, Policy.EARLY_ROUTER)
"""Policies that fetch what may turn out not to be needed."""


class PredictorName(StrEnum):
    """Where the probabilities of a branch's arms come from before its router has run.

    prior: the workload's leaf shares. last_route: the arm taken when the branch was last met.
    markov: how often each leaf has followed the last one, so far in the stream.
    """

    PRIOR = "prior"
    LAST_ROUTE = "last_route"
    MARKOV = "markov"


MeasuredAccuracy = tuple[tuple[str, int, float], ...]
"""Of early routers: (branch, blocks before its router, how often it picks the router's arm)."""

PARAMETER_FIELDS = {
    "prefetch.predictor": "predictor",
    "prefetch.top_p": "top_p_fraction",
    "prefetch.early_blocks": "early_blocks",
    "prefetch.early_accuracy": "early_accuracy",
}
"""Parameters that a study can vary, and the fields of `PolicyChoice` they are."""
PARAMETER_POLICIES = {
    "prefetch.predictor": PREDICTING,
    "prefetch.top_p": (Policy.TOP_P,),
    "prefetch.early_blocks": (Policy.EARLY_ROUTER,),
    "prefetch.early_accuracy": (Policy.EARLY_ROUTER,),
}
"""The policies that use a parameter; the others run alike whatever it is."""


@dataclass(frozen=True)
class PolicyChoice:
    """A policy with its parameters, of which each policy uses its own.

    Attributes:
        policy: which.
        predictor: what tells a speculating policy probabilities.
        top_p_fraction: the probability that top_p's arms must reach together.
        early_blocks: how many blocks before a router its clone stands.
        early_accuracy: how often the clone is right: everywhere, or as measured.
    """

    policy: Policy
    predictor: PredictorName = PredictorName.PRIOR
    top_p_fraction: float = 0.9
    early_blocks: int = 1
    early_accuracy: float | MeasuredAccuracy = 0.9

    def to_data(self) -> dict[str, Any]:
        """As plain data."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> PolicyChoice:
        """From plain data."""
        given: dict[str, Any] = {
            "policy": Policy(data["policy"]),
            "predictor": PredictorName(data["predictor"]),
        }
        if not isinstance(data["early_accuracy"], float):
            given["early_accuracy"] = tuple(map(tuple, data["early_accuracy"]))
        return cls(**(data | given))

    @property
    def text(self) -> str:
        """The policy and those parameters it uses, on one line: equal texts act alike."""
        parts = [self.policy.value]
        if self.policy in PREDICTING:
            parts.append(self.predictor.value)
        if self.policy is Policy.TOP_P:
            parts.append(f"p={self.top_p_fraction!r}")
        if self.policy is Policy.EARLY_ROUTER:
            parts += [f"k={self.early_blocks}", f"a={self.early_accuracy!r}"]
        return " ".join(parts)

    def with_parameter(self, name: str, value: object) -> PolicyChoice:
        """The same with one of PARAMETER_FIELDS set.

        Raises:
            ValueError: what the parameter must be.
        """
        field = PARAMETER_FIELDS[name]
        if field == "predictor":
            names = [predictor.value for predictor in PredictorName]
            if value not in names:
                raise ValueError(f"must be one of {', '.join(names)}")
            return replace(self, predictor=PredictorName(value))
        if field == "early_blocks":
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ValueError("must be a whole number, zero or more")
            return replace(self, early_blocks=value)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
            raise ValueError("must be from 0 to 1")
        if field == "top_p_fraction":
            return replace(self, top_p_fraction=float(value))
        return replace(self, early_accuracy=float(value))

    @property
    def learns(self) -> bool:
        """Whether what is speculated on depends on the inputs before."""
        return self.policy in PREDICTING and self.predictor is not PredictorName.PRIOR

    @classmethod
    def of(cls, policy: Policy | PolicyChoice) -> PolicyChoice:
        """A policy by its name alone has the default parameters."""
        return cls(policy) if isinstance(policy, Policy) else policy
