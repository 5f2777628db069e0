"""Runs a prefetch policy along a stream of inferences: what is speculated on for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from simulator.ir import Branch, Program, Route, Segment, Workload
from simulator.mapping.case import Case, Wants
from simulator.mapping.plan import block_bytes
from simulator.policy import Policy, PolicyChoice
from simulator.prefetch.both_siblings import both_siblings
from simulator.prefetch.branch_view import BranchView
from simulator.prefetch.most_probable import most_probable
from simulator.prefetch.predictor import Arms, Predictor, make_predictor
from simulator.prefetch.top_p import top_p
from simulator.spec import AcceleratorSpec

Choose = Callable[[BranchView], Wants]


def chooser(choice: PolicyChoice) -> Choose | None:
    """A policy as a function of what it sees; None if it does not speculate."""
    choices: dict[Policy, Choose] = {
        Policy.MOST_PROBABLE: most_probable,
        Policy.TOP_P: lambda view: top_p(view, choice.top_p_fraction),
        Policy.BOTH_SIBLINGS: both_siblings,
    }
    return choices.get(choice.policy)


class Speculator:
    """Says of one inference after the other what is speculated on; learns the routes taken."""

    def __init__(self, workload: Workload, spec: AcceleratorSpec, policy: PolicyChoice) -> None:
        self._choose = chooser(policy)
        self._branches = _Branches(workload.program, spec)
        self._predictor = make_predictor(policy.predictor, workload)

    def case(self, arms: Arms) -> Case:
        """The case of the next inference, if it takes this route."""
        choose = self._choose
        if choose is None:
            return Case(arms)
        view, predictor = self._branches.view, self._predictor
        return Case(
            arms, tuple(choose(view(arms[:depth], predictor)) for depth in range(len(arms)))
        )

    def observe(self, arms: Arms) -> None:
        """An inference has taken this route."""
        self._predictor.observe(arms)


def speculate(
    workload: Workload,
    spec: AcceleratorSpec,
    policy: PolicyChoice,
    routes: Sequence[Route],
) -> list[Case]:
    """The case of every inference of a stream; the predictor learns each route after it."""
    if chooser(policy) is None:
        return [Case(route.arms) for route in routes]
    speculator = Speculator(workload, spec, policy)
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
