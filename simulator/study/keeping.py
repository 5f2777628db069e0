"""The axes that say which weights a point keeps on chip from one input to the next."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.errors import UserError
from simulator.runtime.granularity import Granularity
from simulator.runtime.residency import ResidencyPolicy, Scope
from simulator.study.axis import Choices, Value
from simulator.validation import nearest

RESIDENCY, REGION = "residency", "residency.region_kib"
SCOPE, GRANULARITY = "residency.scope", "residency.granularity"
RESIDENCY_FIELDS = (RESIDENCY, REGION, SCOPE, GRANULARITY)
AUTO = "auto"
_NAMES = {RESIDENCY: ResidencyPolicy, SCOPE: Scope, GRANULARITY: Granularity}


@dataclass(frozen=True)
class Keeping:
    """How a point keeps weights.

    Attributes:
        policy, scope, granularity: see `Residency`.
        region_kib: managed for weights; None for the largest that does the plan no harm.
    """

    policy: ResidencyPolicy = ResidencyPolicy.NONE
    region_kib: int | None = None
    scope: Scope = Scope.ALL
    granularity: Granularity = Granularity.TILE

    @classmethod
    def of(cls, choices: Choices) -> Keeping | None:
        """What choices say, None if nothing; what keeps nothing has no region either."""
        if RESIDENCY not in choices:
            return None
        policy = ResidencyPolicy(str(choices[RESIDENCY]))
        if policy is ResidencyPolicy.NONE:
            return cls()
        region = choices.get(REGION, AUTO)
        return cls(
            policy,
            int(region) if isinstance(region, int) else None,
            Scope(str(choices.get(SCOPE, Scope.ALL))),
            Granularity(str(choices.get(GRANULARITY, Granularity.TILE))),
        )

    @property
    def text(self) -> str:
        """Different for different ones."""
        return f"{self.policy} {self.region_kib} {self.scope} {self.granularity}"


def check_residency(field: str, value: Value) -> None:
    """Refuse a value that an axis of residency cannot have.

    Raises:
        UserError: saying what it can have.
    """
    if field == REGION:
        if value != AUTO and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise UserError(f"--vary {field}: {value!r}: must be whole KiB from 1, or {AUTO}")
        return
    names = [name.value for name in _NAMES[field]]
    if value not in names:
        raise UserError(
            f"--vary {field}: {value!r}: must be one of {', '.join(names)}"
            f"{nearest(str(value), names)}"
        )
