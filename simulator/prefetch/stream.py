"""Runs a prefetch policy along a stream of inferences: what is speculated on for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from simulator.ir import Branch, Program, Route, Segment, Workload
from simulator.mapping.case import Case, Wants
from simulator.mapping.plan import block_bytes
from simulator.policy import SPECULATING, Policy, PolicyChoice
from simulator.prefetch.both_siblings import both_siblings
from simulator.prefetch.branch_view import BranchView
from simulator.prefetch.early_router import EarlyRouter
from simulator.prefetch.most_probable import most_probable
from simulator.prefetch.predictor import Arms, Predictor, make_predictor
from simulator.prefetch.top_p import top_p
from simulator.spec import AcceleratorSpec

Choose = Callable[[BranchView], Wants]


def chooser(choice: PolicyChoice) -> Choose | None:
    """A policy as a function of what it sees; None if it does not guess from probabilities."""
    choices: dict[Policy, Choose] = {
        Policy.MOST_PROBABLE: most_probable,
        Policy.TOP_P: lambda view: top_p(view, choice.top_p_fraction),
        Policy.BOTH_SIBLINGS: both_siblings,
    }
    return choices.get(choice.policy)


class Speculator:
    """Says of one inference after the other what is speculated on; learns the routes taken.

    `seed` is that of an early router's errors.
    """

    def __init__(
        self, workload: Workload, spec: AcceleratorSpec, policy: PolicyChoice, seed: int = 0
    ) -> None:
        self._choose = chooser(policy)
        self._early = EarlyRouter(policy, seed) if policy.policy is Policy.EARLY_ROUTER else None
        self._branches = _Branches(workload.program, spec)
        self._predictor = make_predictor(policy.predictor, workload)

    def case(self, arms: Arms) -> Case:
        """The case of the next inference, if it takes this route."""
        if self._choose is None and self._early is None:
            return Case(arms)
        return Case(arms, tuple(self._wants(arms[:d], arm) for d, arm in enumerate(arms)))

    def _wants(self, prefix: Arms, taken: int) -> Wants:
        """Only the early router is told the arm to be taken: its clone has seen traces of it."""
        view = self._branches.view(prefix, self._predictor)
        if self._early is not None:
            return self._early.guess(view, taken)
        return self._choose(view) if self._choose is not None else Wants()

    def observe(self, arms: Arms) -> None:
        """An inference has taken this route."""
        self._predictor.observe(arms)


def speculate(
    workload: Workload,
    spec: AcceleratorSpec,
    policy: PolicyChoice,
    routes: Sequence[Route],
    seed: int = 0,
) -> list[Case]:
    """The case of every inference of a stream; the predictor learns each route after it."""
    if policy.policy not in SPECULATING:
        return [Case(route.arms) for route in routes]
    speculator = Speculator(workload, spec, policy, seed)
    cases = []
    for route in routes:
        cases.append(speculator.case(route.arms))
        speculator.observe(route.arms)
    return cases


class _Branches:
    """The branches of a program by the arms taken before, with what is fixed of their views."""

    def __init__(self, program: Program, spec: AcceleratorSpec) -> None:
        self._spec = spec
        self._branches: dict[Arms, Branch] = {}
        _collect(program.steps, {()}, self._branches)
        self._bytes: dict[str, tuple[int, ...]] = {}

    def view(self, prefix: Arms, predictor: Predictor) -> BranchView:
        """What a policy may know of the branch after `prefix`."""
        branch = self._branches[prefix]
        if branch.name not in self._bytes:
            self._bytes[branch.name] = tuple(self._sure_bytes(arm) for arm in branch.arms)
        return BranchView(
            name=branch.name,
            probabilities=predictor.probabilities(prefix),
            arm_bytes=self._bytes[branch.name],
            free_bytes=self._spec.scratchpad.capacity_bytes,
        )

    def _sure_bytes(self, arm: Program) -> int:
        """Weight bytes of an arm up to its own decision."""
        total = 0
        for step in arm.steps:
            segment = step if isinstance(step, Segment) else step.router
            blocks = {block.name: block for layer in segment.layers for block in layer.weights}
            total += sum(block_bytes(block, self._spec) for block in blocks.values())
            if isinstance(step, Branch):
                break
        return total


def _collect(
    steps: Sequence[Segment | Branch], prefixes: set[Arms], found: dict[Arms, Branch]
) -> set[Arms]:
    """Note every branch under the arms that may lead to it; returns those after the steps."""
    for step in steps:
        if isinstance(step, Branch):
            found.update(dict.fromkeys(prefixes, step))
            after: set[Arms] = set()
            for index, arm in enumerate(step.arms):
                into = {(*prefix, index) for prefix in prefixes}
                after |= _collect(arm.steps, into, found)
            prefixes = after
    return prefixes
