"""What a device keeps between inferences, as a user chooses it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from simulator.errors import UserError
from simulator.runtime.granularity import Granularity
from simulator.runtime.itinerary import Arms, Itinerary
from simulator.runtime.replacement.belady import Belady
from simulator.runtime.replacement.least_stale import LeastStale
from simulator.runtime.replacement.lfu import LeastFrequentlyUsed
from simulator.runtime.replacement.lru import LeastRecentlyUsed
from simulator.runtime.replacement.none import KeepNothing
from simulator.runtime.replacement.pinned_backbone import PinnedBackbone
from simulator.runtime.replacement.policy import ReplacementPolicy
from simulator.runtime.replacement.probability_weighted import ProbabilityWeighted


class ResidencyPolicy(StrEnum):
    """Which weights stay on chip: each is described in its file of `runtime.replacement`."""

    NONE = "none"
    PINNED_BACKBONE = "pinned_backbone"
    LRU = "lru"
    LFU = "lfu"
    LEAST_STALE = "least_stale"
    PROBABILITY_WEIGHTED = "probability_weighted"
    BELADY = "belady"


class Scope(StrEnum):
    """Which nodes may stay: all of them, or those behind a branch alone.

    The backbone is needed by every input, so it is the best to keep if bytes count. But while it
    runs the DMA has nothing else to fetch, and where that hides its weights, keeping it saves no
    time; the first weights behind a decision are what an inference waits for.
    """

    ALL = "all"
    BRANCHES = "branches"


ONLINE = (
    ResidencyPolicy.LRU,
    ResidencyPolicy.LFU,
    ResidencyPolicy.LEAST_STALE,
    ResidencyPolicy.PROBABILITY_WEIGHTED,
)
"""Policies that fill the region with whatever comes and know nothing of what is to come."""


@dataclass(frozen=True)
class Residency:
    """How weights are kept.

    Attributes:
        policy: what stays when not all fits.
        granularity: the units in which it stays.
        region_bytes: the managed part of the scratchpad, taken from the plan's.
        bit_slices: equal slices of a weight's bits, for that granularity.
        scope: which nodes may stay.
        standin: a node behind a branch whose high slices are resident runs on these alone.
        others_bytes: scratchpad that the plan leaves to the regions of other networks.
    """

    policy: ResidencyPolicy = ResidencyPolicy.NONE
    granularity: Granularity = Granularity.TILE
    region_bytes: int = 0
    bit_slices: int = 2
    scope: Scope = Scope.ALL
    standin: bool = False
    others_bytes: int = 0

    def __post_init__(self) -> None:
        if min(self.region_bytes, self.others_bytes) < 0:
            raise UserError(f"region_bytes {self.region_bytes}: must be zero or more")
        if not 2 <= self.bit_slices <= 8:
            raise UserError(f"bit_slices {self.bit_slices}: must be from 2 to 8")
        if self.standin and self.granularity is not Granularity.BIT_SLICE:
            raise UserError(
                f"standin with granularity {self.granularity}: only bit_slice keeps weights in "
                "fewer bits"
            )


def replacement_of(
    policy: ResidencyPolicy, itinerary: Itinerary, future: Iterable[Arms] | None
) -> ReplacementPolicy:
    """The policy at work; belady alone needs the routes to come.

    Raises:
        UserError: belady without them.
    """
    match policy:
        case ResidencyPolicy.NONE:
            return KeepNothing()
        case ResidencyPolicy.PINNED_BACKBONE:
            return PinnedBackbone(itinerary.backbone)
        case ResidencyPolicy.LRU:
            return LeastRecentlyUsed()
        case ResidencyPolicy.LFU:
            return LeastFrequentlyUsed()
        case ResidencyPolicy.LEAST_STALE:
            return LeastStale()
        case ResidencyPolicy.PROBABILITY_WEIGHTED:
            return ProbabilityWeighted(itinerary.probabilities)
        case ResidencyPolicy.BELADY:
            if future is None:
                raise UserError("residency belady: needs all routes to come before the first")
            return Belady(future, itinerary.path, len(itinerary.nodes))
