"""How often a managed node is on chip when it is met, under least-recently-used replacement.

A region that evicts what was used longest ago holds, to a good approximation, whatever was used
within a characteristic number of inferences, the same for all nodes (Che, Tung and Wang,
"Hierarchical Web Caching Systems", IEEE JSAC 20(7), 2002, section III). Hit rate and the bytes a
node takes on average then depend on that node alone, and the region's size is the sum of the
latter, so the region can be chosen with everything else.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Locality:
    """How long unused nodes stay, and how routes follow one another.

    Attributes:
        window: inferences a node stays on chip after its last use, its next use included: 1 holds
            what the inference before used.
        persistence_fraction: probability that an inference repeats the route before it; otherwise
            its route is drawn from the leaf shares.
    """

    window: int
    persistence_fraction: float = 0.0

    def hit_rate(self, reach: float) -> float:
        """Probability that a node is on chip when it is met.

        `reach` is the share of the inferences that meet it. Met now, it was missed by the whole
        window if the route was redrawn and the `window` inferences before met other nodes.
        """
        if self.window <= 0 or reach <= 0:
            return 0.0
        return 1 - (1 - self.persistence_fraction) * self._away(reach)

    def occupancy(self, reach: float) -> float:
        """Probability that a node is on chip, met or not."""
        if self.window <= 0 or reach <= 0:
            return 0.0
        return 1 - self._away(reach)

    def _away(self, reach: float) -> float:
        """Probability that `window` inferences in a row do not meet a node."""
        stay_away = 1 - (1 - self.persistence_fraction) * reach
        return float((1 - reach) * stay_away ** (self.window - 1))


NO_LOCALITY = Locality(0)
