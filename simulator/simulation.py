"""Simulates a stream of inferences of one workload on one accelerator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from simulator.compile import CompiledProgram, compile_program
from simulator.derive import derive_result
from simulator.engine import simulate
from simulator.inferences import Inferences
from simulator.ir import Route, Workload
from simulator.mapping.allocator import allocate
from simulator.mapping.case import Case
from simulator.mapping.placement import Placement
from simulator.policy import Policy, PolicyChoice
from simulator.prefetch.stream import speculate
from simulator.result import InferenceResult
from simulator.spec import AcceleratorSpec


@dataclass(frozen=True)
class RunResult(Inferences):
    """Inferences replayed one after the other, each from a cold scratchpad.

    Attributes:
        workload, spec, choice, placement: what was simulated.
        seed: of the drawn routes; None where routes were given.
        routes: one per inference, in order.
        cases: the same, with what is speculated on for each.
        results: one per distinct case (its arms, without speculation): they take equal time.
        compiled: the plan and its schedules.
    """

    workload: Workload
    spec: AcceleratorSpec
    choice: PolicyChoice
    placement: Placement
    seed: int | None
    routes: tuple[Route, ...]
    results: dict[tuple[int, ...], InferenceResult]
    compiled: CompiledProgram
    cases: tuple[Case, ...]

    @property
    def policy(self) -> Policy:
        """The name of the policy."""
        return self.choice.policy

    @cached_property
    def occurrences(self) -> dict[tuple[int, ...], int]:
        """How many inferences each case stands for."""
        return dict(Counter(self.cases))

    @cached_property
    def latencies_ps(self) -> tuple[int, ...]:
        """Latency of each inference, in order."""
        return tuple(self.results[case].latency_ps for case in self.cases)

    @property
    def measured(self) -> dict[tuple[int, ...], InferenceResult]:
        """One inference per distinct case."""
        return self.results

    @property
    def typical_case(self) -> tuple[int, ...]:
        """The most frequent case, the first among equals."""
        return max(self.results, key=lambda case: self.occurrences[case])

    @property
    def typical(self) -> InferenceResult:
        """The inference of the most frequent case, the first among equals: shown in detail."""
        return self.results[self.typical_case]


def run_workload(
    workload: Workload,
    spec: AcceleratorSpec,
    policy: Policy | PolicyChoice,
    routes: Sequence[Route],
    seed: int | None = None,
    placement: Placement = Placement.STREAM,
) -> RunResult:
    """Compile for the given routes and replay each distinct case on the event engine.

    Everything in the scratchpad is given addresses, which shows that it fits.

    Raises:
        InfeasiblePlanError: no blocking of some layer fits the scratchpad.
    """
    choice = PolicyChoice.of(policy)
    cases = tuple(speculate(workload, spec, choice, routes, seed or 0))
    occurrences = Counter(cases)
    weights: dict[tuple[int, ...], int] = {
        case: occurrences[case] for case in sorted(occurrences, key=lambda case: case.sort_key)
    }
    compiled = compile_program(workload.program, spec, choice, weights, placement)
    results = {}
    for case, schedule in compiled.schedules.items():
        if schedule.speculation is None:
            allocate(schedule, compiled.plans[case].residency.in_dram, spec)
        run = simulate(schedule)
        results[case] = derive_result(
            run.timeline,
            tuple(case),
            spec,
            run.scratchpad_peak_bytes + compiled.pinned.n_bytes,
            run.event_count,
        )
    return RunResult(
        workload, spec, choice, placement, seed, tuple(routes), results, compiled, cases
    )
