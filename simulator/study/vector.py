"""Evaluates many points at once: plans and schedules shared, the recurrence over all designs.

Points that differ in bandwidth, latencies, clocks, energies or capacity alone are a family. Its
plans are bounded, built and replayed once for all of them; each point then has the plan that
`compile_program` would choose for it. What the vectorised recurrence does not take is refused.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from simulator.cost.energy import EnergyBreakdown, EventCounts, energy_of
from simulator.cost.energy_table import EnergyTable, Operands, energy_table
from simulator.early_router import with_early_routers
from simulator.errors import InfeasiblePlanError
from simulator.fast.designs import structural_key, timing_key
from simulator.fast.structure import NotVectorisedError
from simulator.inferences import Inferences, Measured
from simulator.ir import Branch, Program, Workload
from simulator.mapping.placement import pin_weights
from simulator.policy import Policy
from simulator.prefetch.stream import speculate
from simulator.result import SpeculationResult, StallKind
from simulator.spec import AcceleratorSpec
from simulator.study.context import Scenario
from simulator.study.family import Arms, Demand, Family
from simulator.study.ground import Ground
from simulator.study.lane import Lane
from simulator.study.outcome import Engine, Outcome, outcome_of

FAMILIES_KEPT = 4
GROUNDS_KEPT = 4
"""Schedules of so many families, and plans of so many, are remembered for later points."""


@dataclass(frozen=True)
class _Inference:
    """One case of one point."""

    lane: Lane
    energy: EnergyBreakdown
    scratchpad_peak_bytes: int
    speculation: SpeculationResult

    @property
    def latency_ps(self) -> int:
        return self.lane.latency_ps

    @property
    def compute_ps(self) -> int:
        return self.lane.compute_ps

    @property
    def dram_busy_ps(self) -> int:
        return self.lane.dram_busy_ps

    @property
    def stalls_ps(self) -> Mapping[StallKind, int]:
        return self.lane.stalls_ps

    @property
    def counts(self) -> EventCounts:
        return self.lane.counts

    @property
    def weight_read_bytes(self) -> int:
        return self.lane.weight_bytes

    @property
    def activation_dram_bytes(self) -> int:
        return self.lane.activation_bytes


class _Stream(Inferences):
    """All inferences of one point."""

    def __init__(
        self,
        spec: AcceleratorSpec,
        measured: dict[Arms, Measured],
        occurrences: dict[Arms, int],
    ) -> None:
        self.spec, self._measured, self._occurrences = spec, measured, occurrences

    @property
    def measured(self) -> Mapping[Arms, Measured]:
        return self._measured

    @property
    def occurrences(self) -> Mapping[Arms, int]:
        return self._occurrences


def evaluate_together(scenarios: Sequence[Scenario]) -> list[Outcome | NotVectorisedError]:
    """The outcome of each scenario, in order, or why it was refused."""
    found: list[Outcome | NotVectorisedError] = [NotVectorisedError()] * len(scenarios)
    families: dict[tuple[Any, ...], list[int]] = {}
    for index, scenario in enumerate(scenarios):
        try:
            families.setdefault(_family_key(scenario), []).append(index)
        except NotVectorisedError as refusal:
            found[index] = refusal
    for key, members in families.items():
        chosen = [scenarios[index] for index in members]
        for index, outcome in zip(members, _evaluate_family(key, chosen), strict=True):
            found[index] = outcome
    return found


def _family_key(scenario: Scenario) -> tuple[Any, ...]:
    """Equal for scenarios of one family.

    Raises:
        NotVectorisedError: the placement cannot be had, or weights are kept between inferences.
    """
    if scenario.keeping is not None:
        raise NotVectorisedError("weights are kept between inferences")
    return (
        id(scenario.workload),
        id(scenario.routes),
        structural_key(scenario.spec),
        _pinned(scenario).groups,
        # A network without branches runs the same under every policy.
        scenario.policy.text if _has_branches(scenario.workload) else "any",
    )


def _has_branches(workload: Workload) -> bool:
    return any(isinstance(step, Branch) for step in workload.program.steps)


def _pinned(scenario: Scenario) -> Any:
    try:
        return pin_weights(scenario.workload.program, scenario.spec, scenario.placement)
    except InfeasiblePlanError as error:
        raise NotVectorisedError(str(error)) from None


_families: dict[tuple[Any, ...], tuple[Family, Scenario]] = {}
_grounds: dict[tuple[Any, ...], tuple[Ground, Program]] = {}


def _family_of(key: tuple[Any, ...], scenario: Scenario) -> Family:
    """The family, remembered; the scenario that made it keeps what its key names alive."""
    found = _families.pop(key, None) or (_make_family(scenario), scenario)
    _families[key] = found
    while len(_families) > FAMILIES_KEPT:
        del _families[next(iter(_families))]
    return found[0]


def _make_family(scenario: Scenario) -> Family:
    """What a policy speculates on depends on the workload and the routes, not on the device."""
    workload, spec, choice = scenario.workload, scenario.spec, scenario.policy
    occurrences = Counter(speculate(workload, spec, choice, scenario.routes))
    weights: dict[Arms, int] = {
        case: occurrences[case] for case in sorted(occurrences, key=lambda case: case.sort_key)
    }
    program = workload.program
    if choice.policy is Policy.EARLY_ROUTER:
        program = with_early_routers(program, choice.early_blocks)
    return Family(_ground_of(program, scenario), weights, choice.policy)


def _ground_of(program: Program, scenario: Scenario) -> Ground:
    """What the family shares with those of other policies, remembered."""
    pinned = _pinned(scenario)
    key = (id(program), structural_key(scenario.spec), pinned.groups)
    found = _grounds.pop(key, None) or (Ground(program, scenario.spec, pinned), program)
    _grounds[key] = found
    while len(_grounds) > GROUNDS_KEPT:
        del _grounds[next(iter(_grounds))]
    return found[0]


def _evaluate_family(
    key: tuple[Any, ...], scenarios: Sequence[Scenario]
) -> list[Outcome | NotVectorisedError]:
    family = _family_of(key, scenarios[0])
    demands = [
        Demand(
            scenario.spec,
            timing_key(scenario.spec),
            scenario.spec.scratchpad.capacity_bytes - _pinned(scenario).n_bytes,
        )
        for scenario in scenarios
    ]
    try:
        answers = family.evaluate(demands)
    except NotVectorisedError as refusal:
        return [refusal] * len(scenarios)
    found: list[Outcome | NotVectorisedError] = []
    for scenario, lanes in zip(scenarios, answers, strict=True):
        if isinstance(lanes, NotVectorisedError):
            found.append(lanes)
            continue
        pinned_bytes = _pinned(scenario).n_bytes
        measured: dict[Arms, Measured] = {
            arms: _inference(lane, scenario.spec, pinned_bytes) for arms, lane in lanes.items()
        }
        stream = _Stream(scenario.spec, measured, family.weights)
        found.append(outcome_of(scenario.key, stream, Engine.VECTOR))
    return found


def _inference(lane: Lane, spec: AcceleratorSpec, pinned_bytes: int) -> _Inference:
    energy = energy_of(lane.counts, lane.latency_ps, spec)
    return _Inference(
        lane,
        replace(energy, mac_pj=_mac_pj(lane.mac_terms, energy_table(spec))),
        lane.peak_bytes + pinned_bytes,
        lane.speculated.result(spec) if lane.speculated.planned_bytes else SpeculationResult(),
    )


@lru_cache(maxsize=1024)
def _mac_pj(terms: tuple[tuple[int, Operands], ...], table: EnergyTable) -> float:
    """Every layer's MACs of its own operands."""
    return math.fsum(macs * table.mac_pj_at(operands) for macs, operands in terms)
