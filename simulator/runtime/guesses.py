"""What a device speculates on at the branches of a stream, input after input."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.errors import UserError
from simulator.ir import Workload
from simulator.mapping.case import Wants
from simulator.policy import PREDICTING, Policy, PolicyChoice
from simulator.prefetch.branch_view import BranchView
from simulator.prefetch.predictor import make_predictor
from simulator.prefetch.stream import chooser
from simulator.runtime.itinerary import Arms, Leg
from simulator.spec import AcceleratorSpec

NOTHING = Wants()


class Guesses:
    """A prefetch policy and what it has learnt of the stream so far.

    Weights speculated on go to the ordinary buffers for whichever arm they are: what is fetched
    before a decision must not depend on it. So the region takes in nothing of such an arm, even
    if it is taken, and comes to hold what the guesses miss.
    """

    def __init__(
        self,
        workload: Workload,
        spec: AcceleratorSpec,
        choice: PolicyChoice,
        leg_bytes: Mapping[Arms, int],
        free_bytes: int,
    ) -> None:
        if choice.policy is Policy.EARLY_ROUTER:
            raise UserError(
                "--policy early_router: a scratchpad that keeps weights goes with policies that "
                f"guess from probabilities ({', '.join(PREDICTING)})"
            )
        self._choose = chooser(choice) if spec.toolchain.overlaps_transfers else None
        self._predictor = make_predictor(choice.predictor, workload)
        self._leg_bytes = leg_bytes
        self._free_bytes = free_bytes
        self._known: dict[tuple[Arms, tuple[float, ...]], Wants] = {}

    def wants(self, prefix: Arms, leg: Leg) -> Wants:
        """The arms to speculate on at the branch that ends a leg."""
        if self._choose is None or leg.branch is None:
            return NOTHING
        key = (prefix, self._predictor.probabilities(prefix))
        found = self._known.get(key)
        if found is None:
            view = BranchView(
                name=leg.branch,
                probabilities=key[1],
                arm_bytes=tuple(self._leg_bytes[*prefix, arm] for arm in range(leg.n_arms)),
                free_bytes=self._free_bytes,
            )
            found = self._known[key] = self._choose(view)
        return found

    def observe(self, arms: Arms) -> None:
        """Learn the route of the inference that has ended."""
        if self._choose is not None:
            self._predictor.observe(arms)
