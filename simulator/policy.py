"""When the weights behind a routing decision may be fetched."""

from __future__ import annotations

from enum import StrEnum


class Policy(StrEnum):
    """How fetching treats a branch.

    on_demand asks for an arm's data only after the router's argmax. oracle knows the route
    before the inference starts and prefetches across branches as if there were none: no real
    device can, it bounds what any policy can gain.
    """

    ON_DEMAND = "on_demand"
    ORACLE = "oracle"
