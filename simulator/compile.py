"""Chooses the plan of a program on an accelerator: every candidate replayed, the fastest kept.

The candidates do not depend on bandwidth, latency or capacity (beyond fitting it), and a replay
is monotone in every duration. So with a fixed route more bandwidth or a larger scratchpad is
never slower.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from simulator.cost.dram import DramModel
from simulator.cost.memory import memory_of
from simulator.early_router import with_early_routers
from simulator.errors import Contributor, InfeasiblePlanError
from simulator.fast.bounds import Timing, lower_bound_ps
from simulator.fast.path_work import PathWorks
from simulator.fast.recurrence import replay
from simulator.ir import Program
from simulator.mapping.case import Case, Wants
from simulator.mapping.groups import LayerGroup
from simulator.mapping.layout import WeightMap, place_weights
from simulator.mapping.placement import PinnedWeights, Placement, pin_weights
from simulator.mapping.plan import (
    MappingProblem,
    Plan,
    block_bytes,
)
from simulator.mapping.schedule import FetchRule, Schedule
from simulator.mapping.scheduler import Scheduler
from simulator.mapping.transfers import TransferCosts
from simulator.policy import Policy, PolicyChoice
from simulator.spec import AcceleratorSpec
from simulator.units import ceil_div

Arms = tuple[int, ...]
Signature = tuple[object, ...]
BUDGETS_AT_ONCE = 4
"""How many budgets are planned before the best of their plans is replayed, after the first."""


@dataclass(frozen=True, eq=False)
class Path:
    """The groups a case runs, and what it speculates on. A path equals itself alone."""

    groups: list[LayerGroup]
    wants: tuple[Wants, ...]

    @classmethod
    def of(cls, problem: MappingProblem, arms: Arms) -> Path:
        return cls(problem.path(arms), arms.wants if isinstance(arms, Case) else ())


PathCost = Callable[[Path], int]
"""Picoseconds or bytes of a path."""
TimingOf = Callable[[tuple[Wants, ...]], Timing]


@dataclass(frozen=True)
class CompiledProgram:
    """The chosen plan and one schedule per route.

    Attributes:
        plans: the mapping each route runs on, by arms taken: one for all, but for the oracle,
            whose device knows the route when it chooses.
        schedules: by arms taken, and by what is speculated on (see `Case`).
        fetches: the fetch rule each route's schedule follows.
        pinned: weights that are on chip before the inference starts.
        stored: where all weights lie in DRAM.
        plans_considered: candidate plans, those discarded by their lower bound included.
        plans_replayed: candidates whose schedules were built and replayed.
    """

    plans: dict[Arms, Plan]
    schedules: dict[Arms, Schedule]
    fetches: dict[Arms, FetchRule]
    pinned: PinnedWeights
    stored: WeightMap
    plans_considered: int
    plans_replayed: int


@dataclass(frozen=True)
class _Candidate:
    """Of equal latency, the one of the larger budget and then of the earlier knobs is taken.

    `schedules` are those that were built to find the latency.
    """

    latency_ps: int
    order: tuple[int, int]
    plan: Plan
    fetch: FetchRule
    schedules: dict[Path, Schedule]

    @property
    def rank(self) -> tuple[int, tuple[int, int]]:
        """What candidates are sorted by."""
        return self.latency_ps, self.order


def fetch_rules(policy: Policy, spec: AcceleratorSpec) -> tuple[FetchRule, ...]:
    """The fetch rules a policy may choose from.

    The oracle may also order its commands as on_demand does, without the decision's delay, or
    speculate as the others do, on the arms taken, at all branches or all but one of the first
    two, so that it is never slower than they.
    """
    if policy is Policy.ORACLE:
        delay_ps = spec.branch_latency_ps
        return (
            FetchRule(True, 0),
            FetchRule(False, 0),
            FetchRule(False, delay_ps, knows_route=True),
            *(FetchRule(False, delay_ps, knows_route=True, spared=(n,)) for n in (0, 1)),
        )
    ties_first = policy is Policy.TIED
    return (FetchRule(False, spec.branch_latency_ps, ties_first=ties_first),)


def compile_program(
    program: Program,
    spec: AcceleratorSpec,
    policy: Policy | PolicyChoice,
    weights: dict[Arms, int],
    placement: Placement | PinnedWeights = Placement.STREAM,
    reserved_bytes: int = 0,
) -> CompiledProgram:
    """Find the plan with the least mean latency over the given routes.

    `weights` says how often each route (its arms, or its case) occurs; the mean is weighted by
    it. The oracle knows the route when it chooses and has the fastest plan of each, so that on no
    route any policy is faster. `reserved_bytes` of the scratchpad are left to others.

    Raises:
        InfeasiblePlanError: no blocking of some layer fits the scratchpad.
    """
    pinned = pin_weights(program, spec, placement)
    choice = PolicyChoice.of(policy)
    if choice.policy is Policy.EARLY_ROUTER:
        program = with_early_routers(program, choice.early_blocks)
    problem = MappingProblem(program, spec, pinned.groups)
    dram = memory_of(spec)
    stored = place_weights(problem.steps, spec, dram)
    scheduler = Scheduler(spec, dram, stored)
    objectives = [_Objective(problem, routes) for routes in sharing_a_plan(choice.policy, weights)]
    search = _Search(problem, scheduler, dram, fetch_rules(choice.policy, spec), objectives)
    room = spec.scratchpad.capacity_bytes - pinned.n_bytes - reserved_bytes
    budgets = problem.budgets(room)
    for first in (0, *range(1, len(budgets), BUDGETS_AT_ONCE)):
        search.try_budgets(budgets[first : first + BUDGETS_AT_ONCE if first else 1])
    plans: dict[Arms, Plan] = {}
    schedules: dict[Arms, Schedule] = {}
    fetches: dict[Arms, FetchRule] = {}
    for objective in objectives:
        best = objective.best
        if best is None:
            raise _does_not_fit(problem, spec)
        for arms, path in objective.paths.items():
            plans[arms] = best.plan
            rule = fetches[arms] = replace(best.fetch, wants=path.wants)
            built = best.schedules.get(path)
            schedules[arms] = built or scheduler.build(best.plan, path.groups, rule)
    counts = (search.considered, search.replayed)
    return CompiledProgram(plans, schedules, fetches, pinned, stored, *counts)


def sharing_a_plan(policy: Policy, weights: dict[Arms, int]) -> list[dict[Arms, int]]:
    """The routes that must share a plan: all, unless the route is known when it is chosen."""
    if policy is Policy.ORACLE:
        return [{arms: 1} for arms in weights]
    return [weights]


class _Objective:
    """Routes that share a plan, how often each occurs, and the best plan known for them."""

    def __init__(self, problem: MappingProblem, weights: dict[Arms, int]) -> None:
        self.weights = weights
        self.paths = {arms: Path.of(problem, arms) for arms in weights}
        self.best: _Candidate | None = None

    def mean_ps(self, cost_ps: PathCost) -> int:
        """Mean over the routes, rounded up."""
        total = sum(self.weights[arms] * cost_ps(path) for arms, path in self.paths.items())
        return ceil_div(total, sum(self.weights.values()))

    def hopeless(self, bound_ps: PathCost) -> bool:
        """Whether a lower bound on the mean latency is no better than what is known.

        That holds for the plans of budgets yet to be tried, which come after in order.
        """
        return self.best is not None and self.mean_ps(bound_ps) >= self.best.latency_ps

    def bounds_ps(
        self, works: PathWorks, plans: list[Plan], rules: Mapping[FetchRule, TimingOf]
    ) -> NDArray[np.float64]:
        """Lower bounds on the mean latency, shape (plans, rules)."""
        total = np.zeros((len(plans), len(rules)))
        for arms, path in self.paths.items():
            work = works.of(plans, path.groups)
            for column, timing in enumerate(rules.values()):
                bound = lower_bound_ps(work, timing(path.wants))
                total[:, column] += self.weights[arms] * bound[:, 0]
        return total / sum(self.weights.values())

    def offer(self, candidate: _Candidate) -> None:
        """Keep the candidate if it is the fastest so far."""
        if self.best is None or candidate.rank < self.best.rank:
            self.best = candidate


class _Search:
    """Offers candidates to the objectives, but for those whose lower bound shows them useless."""

    def __init__(
        self,
        problem: MappingProblem,
        scheduler: Scheduler,
        dram: DramModel,
        rules: tuple[FetchRule, ...],
        objectives: list[_Objective],
    ) -> None:
        self.problem, self.scheduler, self.dram = problem, scheduler, dram
        self.objectives = objectives
        self.rules = {rule: partial(self._timing, rule) for rule in rules}
        self.works = PathWorks(problem.spec)
        self.considered = self.replayed = 0

    def try_budgets(self, budgets: list[int]) -> None:
        """Try every plan of some budgets, the most promising ones first."""
        plans = [plan for each in budgets for plan in self.problem.plans_at(each, self._worthwhile)]
        hopeful = [plan for plan in plans if self._may_be_best(partial(_traffic_bytes, plan))]
        if hopeful:
            self._try_plans(hopeful)
        self.considered += len(plans)

    def _worthwhile(self, in_dram: frozenset[str]) -> bool:
        """Whether plans with these tensors in DRAM may be faster than what is known."""
        return self._may_be_best(partial(self._least_bytes, in_dram))

    def _may_be_best(self, least_bytes: PathCost) -> bool:
        """Whether a plan that moves so many bytes on a path may be faster than what is known."""

        def bound_ps(path: Path) -> int:
            return self.dram.least_occupancy_ps(least_bytes(path))

        return not all(objective.hopeless(bound_ps) for objective in self.objectives)

    def _try_plans(self, plans: list[Plan]) -> None:
        """Replay plans in the order of their bounds."""
        first = self.considered
        replayed: dict[tuple[int, FetchRule], dict[Signature, int]] = {}
        for objective in self.objectives:
            bounds = objective.bounds_ps(self.works, plans, self.rules)
            for index in np.argsort(bounds, axis=None, kind="stable").tolist():
                at, number = divmod(index, len(self.rules))
                if objective.best is not None and bounds[at, number] > objective.best.latency_ps:
                    break
                fetch = list(self.rules)[number]
                known = replayed.setdefault((at, fetch), {})
                built: dict[Path, Schedule] = {}
                cost_ps = partial(self._latency_ps, plans[at], fetch, known, built)
                latency, order = objective.mean_ps(cost_ps), (first + at, number)
                objective.offer(_Candidate(latency, order, plans[at], fetch, built))
        self.replayed += len(replayed)

    def _timing(self, rule: FetchRule, wants: tuple[Wants, ...]) -> Timing:
        return Timing.of(self.problem.spec, self.dram, replace(rule, wants=wants))

    def _least_bytes(self, in_dram: frozenset[str], path: Path) -> int:
        """What any plan with these tensors in DRAM moves at least."""
        return self.problem.least_dram_bytes(in_dram, path.groups)

    def _latency_ps(
        self,
        plan: Plan,
        fetch: FetchRule,
        known: dict[Signature, int],
        built: dict[Path, Schedule],
        path: Path,
    ) -> int:
        """Replay a path, unless one of the same shapes and tilings was: sibling leaves, say."""
        signature = path_signature(plan, path, fetch, self.scheduler.costs)
        if signature not in known:
            rule = replace(fetch, wants=path.wants)
            built[path] = self.scheduler.build(plan, path.groups, rule)
            known[signature] = replay(built[path]).latency_ps
        return known[signature]


def _traffic_bytes(plan: Plan, path: Path) -> int:
    """What a plan moves at least."""
    return sum(plan.groups[group.name].tiling.least_dram_bytes for group in path.groups)


def path_signature(plan: Plan, path: Path, fetch: FetchRule, costs: TransferCosts) -> Signature:
    """Paths of equal signatures take equal time; which sibling is guessed rightly is no matter.

    Siblings of one shape differ where their weights lie differently in rows and bursts, or where
    they share less or more and that is fetched first.
    """

    def of(group: LayerGroup) -> Signature:
        return (plan.groups[group.name].signature, costs.phase(group.name))

    own: list[object] = [of(group) for group in path.groups]
    if path.wants:
        decisions = [i for i, group in enumerate(path.groups) if group.is_decision]
        for i, wants in zip(decisions, path.wants, strict=False):
            ahead, taken = path.groups[i].ahead, path.groups[i + 1].name
            for arm in wants.arms:
                is_taken = ahead[arm][0].name == taken
                own.append((is_taken, *(of(group) for group in ahead[arm])))
            own.append(wants.shares)
    if fetch.ties_first:
        own += [group.name for group in path.groups]
    return tuple(own)


def _does_not_fit(problem: MappingProblem, spec: AcceleratorSpec) -> InfeasiblePlanError:
    demand, name = problem.least_budget()
    parts = [Contributor("smallest tile buffers", demand)]
    sizes = {w.name: block_bytes(w, spec) for w in problem.liveness[name].group.weights}
    if sizes:
        largest = max(sizes, key=lambda weight: sizes[weight])
        parts.append(Contributor(f"of a weight tensor {largest}", sizes[largest]))
    return InfeasiblePlanError(
        what=f"layer {name!r}, with its smallest tiles,",
        resource="scratchpad",
        demand_bytes=demand,
        capacity_bytes=spec.scratchpad.capacity_bytes,
        contributors=tuple(parts),
    )
