"""Decides at compile time which layers' weights live on chip for good."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from simulator.errors import Contributor, InfeasiblePlanError
from simulator.ir import Program
from simulator.mapping.groups import LayerGroup, all_groups, group_program
from simulator.mapping.plan import MappingProblem, block_bytes
from simulator.spec import AcceleratorSpec
from simulator.units import BYTES_PER_KIB


class Placement(StrEnum):
    """Where weights live between inferences.

    stream loads every weight for every inference. fill pins whole layers, in execution order,
    that fit beside the activations, and streams the rest, as the Edge TPU's compiler does
    (coral.ai, Edge TPU compiler, parameter data caching). keep_all pins every layer of the tree,
    or fails.
    """

    STREAM = "stream"
    FILL = "fill"
    KEEP_ALL = "keep_all"


@dataclass(frozen=True)
class PinnedWeights:
    """Layer groups whose weights stay on chip, by name, and the bytes they take."""

    groups: frozenset[str] = frozenset()
    n_bytes: int = 0


def pin_weights(
    program: Program, spec: AcceleratorSpec, placement: Placement | PinnedWeights
) -> PinnedWeights:
    """The weights a placement keeps on chip; blocks that layers share are kept once.

    A choice made elsewhere (`simulator.placement`) is taken as it is.

    Raises:
        InfeasiblePlanError: keep_all, and the tree does not fit the scratchpad.
    """
    if isinstance(placement, PinnedWeights):
        return placement
    if placement is Placement.STREAM:
        return PinnedWeights()
    groups = [
        g for g in all_groups(group_program(program, spec.toolchain.fuses_additions)) if g.weights
    ]
    if placement is Placement.KEEP_ALL:
        return _keep_all(program, spec, groups)
    room = spec.scratchpad.capacity_bytes - _comfortable_bytes(program, spec)
    if spec.toolchain.weight_capacity_kib is not None:
        room = min(room, spec.toolchain.weight_capacity_kib * BYTES_PER_KIB)
    pinned: set[str] = set()
    blocks: dict[str, int] = {}
    for group in groups:
        needed = blocks | {block.name: block_bytes(block, spec) for block in group.weights}
        if sum(needed.values()) <= room:
            blocks = needed
            pinned.add(group.name)
    return PinnedWeights(frozenset(pinned), sum(blocks.values()))


def _comfortable_bytes(program: Program, spec: AcceleratorSpec) -> int:
    """Working bytes with all activations on chip, or the least there is if those do not fit."""
    problem = MappingProblem(program, spec)
    comfortable = problem.resident_budget()
    if comfortable <= spec.scratchpad.capacity_bytes:
        return comfortable
    return problem.least_budget()[0]


def _keep_all(program: Program, spec: AcceleratorSpec, groups: list[LayerGroup]) -> PinnedWeights:
    blocks = {b.name: block_bytes(b, spec) for group in groups for b in group.weights}
    names = frozenset(group.name for group in groups)
    working = MappingProblem(program, spec, names).least_budget()[0]
    weights = sum(blocks.values())
    if weights + working > spec.scratchpad.capacity_bytes:
        raise InfeasiblePlanError(
            what="placement keep_all",
            resource="scratchpad",
            demand_bytes=weights + working,
            capacity_bytes=spec.scratchpad.capacity_bytes,
            contributors=(
                Contributor("all weights", weights),
                Contributor("working buffers", working),
            ),
        )
    return PinnedWeights(names, weights)
