"""A plan: for every group of the tree, where its operands live and how it is tiled.

Plans are made at a budget of scratchpad bytes, never above the capacity. The budgets form a
fixed ladder and the other knobs a fixed set, none of which depends on bandwidth, latency or
capacity, so that a plan that fits a smaller scratchpad is a candidate for a larger one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Set
from dataclasses import dataclass

from simulator.cost.vector import lane_operations, operations
from simulator.errors import InfeasiblePlanError
from simulator.ir import MAC_OPS, POOLING_OPS, Layer, Op, Program, Tensor, WeightBlock
from simulator.mapping.groups import (
    GroupedStep,
    LayerGroup,
    Liveness,
    analyse_liveness,
    group_program,
    path_groups,
)
from simulator.mapping.residency import (
    Residency,
    ResidencyChooser,
    tensor_bits,
    tensor_bytes,
)
from simulator.mapping.tiling import Candidates, GroupShape, Tiling, enumerate_candidates
from simulator.spec import AcceleratorSpec
from simulator.units import bits_to_bytes, ceil_div

SMALLEST_BUDGET_BYTES = 4096
BALANCES_CYCLES_PER_BYTE = (1 / 2, 1 / 32)
COMMAND_CYCLES = 25
"""PE cycles charged per DMA command when blockings are compared: 50 ns at 1 GHz, shared by two
channels. The same for all accelerators, as the balances are, for the reason above."""
RESERVES = (0.0, 0.25)

_Shaped = tuple[GroupShape, Candidates]


@dataclass(frozen=True)
class Knobs:
    """One point of the planner's search.

    Attributes:
        budget_bytes: scratchpad bytes the plan may use.
        cycles_per_byte: machine balance that blockings are chosen for.
        reserve_fraction: share of the budget kept for tile buffers, if they can use it.
    """

    budget_bytes: int
    cycles_per_byte: float
    reserve_fraction: float


@dataclass(frozen=True)
class GroupPlan:
    """How one group runs."""

    live: Liveness
    shape: GroupShape
    tiling: Tiling
    resident_bytes: int
    vector_cycles: int
    vector_operations: int
    macs: int

    @property
    def group(self) -> LayerGroup:
        """The group planned."""
        return self.live.group

    @property
    def signature(self) -> tuple[GroupShape, Tiling, int, bool]:
        """Equal signatures take equal time: sibling arms of one shape, for instance."""
        return (self.shape, self.tiling, self.resident_bytes, self.group.is_decision)


@dataclass(frozen=True)
class Plan:
    """A complete mapping of a program's tree onto an accelerator."""

    knobs: Knobs
    residency: Residency
    groups: dict[str, GroupPlan]

    def key(self) -> tuple[object, ...]:
        """Identifies what the plan does; plans of different knobs may do the same."""
        return (
            self.knobs.budget_bytes,
            self.residency.in_dram,
            tuple(plan.tiling for plan in self.groups.values()),
        )


class MappingProblem:
    """A program prepared for planning on one accelerator; remembers blockings by shape.

    `pinned` names the groups whose weights are on chip already; they take no part in it.
    """

    def __init__(
        self, program: Program, spec: AcceleratorSpec, pinned: frozenset[str] = frozenset()
    ) -> None:
        self.spec = spec
        self.pinned = pinned
        self.inputs = program.inputs
        self._input_names = frozenset(t.name for t in program.inputs)
        self.steps: tuple[GroupedStep, ...] = group_program(program, spec.toolchain.fuses_additions)
        self.liveness = analyse_liveness(self.steps, program.inputs)
        self._chooser = ResidencyChooser(self.liveness, program.inputs, spec)
        self._known: dict[tuple[str, frozenset[str]], _Shaped] = {}
        self._candidates: dict[GroupShape, _Shaped] = {}
        self._shaped: dict[frozenset[str], dict[str, _Shaped]] = {}
        self._best: dict[tuple[GroupShape, int, float], Tiling] = {}
        self._group_work: dict[str, tuple[int, int, int]] = {}

    def budgets(self, capacity_bytes: int) -> list[int]:
        """Scratchpad budgets worth a plan up to a capacity, largest first.

        The powers of two and one and a half times them, from 4 KiB; each budget from which some
        group can keep all its activations on chip; and the least budget that maps the program.
        None depends on the capacity.
        """
        found = {self.least_budget()[0], *self._resident_demands()}
        power = SMALLEST_BUDGET_BYTES
        while power <= capacity_bytes:
            found |= {power, power + power // 2}
            power *= 2
        return sorted((b for b in found if b <= capacity_bytes), reverse=True)

    def resident_budget(self) -> int:
        """The least scratchpad bytes that keep all activations on chip."""
        return max(self._resident_demands())

    def _resident_demands(self) -> list[int]:
        """Per group, bytes that keep all its activations on chip beside its smallest tiles."""
        shaped = self._all_shaped(self._chooser.streamed)
        return [
            demand_bytes + shaped[name][1].smallest_buffer_bytes
            for name, demand_bytes in self._chooser.demand_bytes.items()
        ]

    def least_budget(self) -> tuple[int, str]:
        """The least scratchpad bytes that map the program, and the group that needs them."""
        everything = frozenset(t for live in self.liveness.values() for t in live.tensor_names)
        shaped = self._all_shaped(everything)
        return max((each.smallest_buffer_bytes, name) for name, (_, each) in shaped.items())

    def path(self, arms: tuple[int, ...]) -> list[LayerGroup]:
        """The groups one route runs, in order."""
        return path_groups(self.steps, list(arms))

    def residency(self, budget_bytes: int, reserve_fraction: float) -> Residency:
        """What stays on chip at a budget, part of which is reserved for tile buffers.

        Raises:
            InfeasiblePlanError: some group fits the budget with no blocking.
        """
        reserve = int(budget_bytes * reserve_fraction)

        def tile_bytes_of(live: Liveness, in_dram: frozenset[str]) -> int:
            candidates = self._candidates_of(live, in_dram)[1]
            return max(
                min(reserve, candidates.largest_buffer_bytes), candidates.smallest_buffer_bytes
            )

        return self._chooser.choose(budget_bytes, tile_bytes_of)

    def fits(self, residency: Residency, budget_bytes: int) -> bool:
        """Whether every group's smallest tiles fit beside what a residency keeps on chip."""
        return all(
            residency.resident_bytes[name] + candidates.smallest_buffer_bytes <= budget_bytes
            for name, (_, candidates) in self._all_shaped(residency.in_dram).items()
        )

    def plan(self, residency: Residency, knobs: Knobs) -> Plan:
        """Tile every group for a residency made at the same budget and reserve."""
        shaped = self._all_shaped(residency.in_dram)
        groups = {
            name: self._plan_group(live, shaped[name], residency.resident_bytes[name], knobs)
            for name, live in self.liveness.items()
        }
        return Plan(knobs, residency, groups)

    def plans_at(
        self, budget_bytes: int, worthwhile: Callable[[frozenset[str]], bool] = lambda _: True
    ) -> list[Plan]:
        """All different plans of one budget, where it is worth a plan to keep tensors in DRAM.

        If some are not `worthwhile` to have there, more are not either.
        """
        found: dict[tuple[object, ...], Plan] = {}
        if not worthwhile(self._chooser.never_on_chip(budget_bytes)):
            return []
        for reserve in RESERVES:
            try:
                residency = self.residency(budget_bytes, reserve)
            except InfeasiblePlanError:
                continue
            if worthwhile(residency.in_dram):
                for balance in BALANCES_CYCLES_PER_BYTE:
                    plan = self.plan(residency, Knobs(budget_bytes, balance, reserve))
                    found.setdefault(plan.key(), plan)
        return list(found.values())

    def least_dram_bytes(self, in_dram: frozenset[str], path: list[LayerGroup]) -> int:
        """A lower bound on the bytes any plan with these tensors in DRAM moves on a path."""
        shaped = self._all_shaped(in_dram)
        return sum(shaped[group.name][1].least_dram_bytes for group in path)

    def _plan_group(
        self, live: Liveness, shaped: _Shaped, resident_bytes: int, knobs: Knobs
    ) -> GroupPlan:
        shape, candidates = shaped
        room = knobs.budget_bytes - resident_bytes
        key = (shape, room, knobs.cycles_per_byte)
        tiling = self._best.get(key)
        if tiling is None:
            tiling = candidates.best(room, knobs.cycles_per_byte, COMMAND_CYCLES)
            self._best[key] = tiling
        return GroupPlan(live, shape, tiling, resident_bytes, *self._work_of(live.group))

    def _work_of(self, group: LayerGroup) -> tuple[int, int, int]:
        """Vector cycles, vector operations and MACs."""
        found = self._group_work.get(group.name)
        if found is None:
            layers = group.layers
            vector_operations = sum(operations(layer) for layer in layers)
            macs = sum(layer.macs for layer in layers)
            found = (self._vector_cycles(group), vector_operations, macs)
            self._group_work[group.name] = found
        return found

    def _all_shaped(self, in_dram: frozenset[str]) -> dict[str, _Shaped]:
        """Every group's shape and blockings when some tensors are in DRAM."""
        found = self._shaped.get(in_dram)
        if found is None:
            found = self._shaped[in_dram] = {
                name: self._candidates_of(live, live.tensor_names & in_dram)
                for name, live in self.liveness.items()
            }
        return found

    def _candidates_of(self, live: Liveness, in_dram: frozenset[str]) -> _Shaped:
        """Of one group, when these of its tensors are in DRAM."""
        key = (live.group.name, in_dram)
        found = self._known.get(key)
        if found is None:
            shape = self._shape(live, in_dram)
            if shape not in self._candidates:
                candidates = enumerate_candidates(
                    shape, shape.compute_side(self.spec), self.spec.toolchain
                )
                self._candidates[shape] = (shape, candidates)
            found = self._known[key] = self._candidates[shape]
        return found

    def _shape(self, live: Liveness, in_dram: Set[str]) -> GroupShape:
        group = live.group

        def streamed(tensors: tuple[Tensor, ...]) -> int:
            return sum(tensor_bytes(t, self.spec) for t in tensors if t.name in in_dram)

        return GroupShape(
            op=group.main.op,
            dims=group.main.dims,
            ifmap_rows=_rows(group),
            ifmap_bytes=sum(
                tensor_bytes(t, self.spec) * self._burst_waste(t)
                for t in group.main.ifmaps
                if t.name in in_dram
            ),
            operand_bytes=streamed(group.operands),
            ofmap_bytes=self._stored_bytes(live, in_dram),
            weight_bytes=0
            if group.name in self.pinned
            else sum(block_bytes(w, self.spec) for w in group.weights),
            vector_cycles=self._vector_cycles(group),
            weight_bits=array_weight_bits(group.main, self.spec),
            input_bits=tensor_bits(group.main.ifmaps[0], self.spec),
            output_bits=tensor_bits(group.ofmap, self.spec),
            floating=any(tensor.floating for tensor in group.main.ifmaps)
            or any(block.floating for block in group.main.weights),
        )

    def _burst_waste(self, tensor: Tensor) -> int:
        """Bursts a core with a block buffer spends on a burst's worth of a tensor.

        The network's input is stored pixel after pixel: a burst brings the channels of one,
        rounded up to what the array takes at once. Other maps lie in bricks that fill bursts.
        """
        if self.spec.block_buffer is None or tensor.name not in self._input_names:
            return 1
        if len(tensor.shape) != 4:
            return 1
        rows = self.spec.pe_array.rows
        useful = min(ceil_div(tensor.shape[1], rows) * rows, self.spec.block_buffer.input_channels)
        return max(self.spec.dram.burst_bytes // useful, 1)

    def _stored_bytes(self, live: Liveness, in_dram: Set[str]) -> int:
        """Bytes of the ofmap that go to DRAM; a network's output may leave in wider words."""
        if live.ofmap is None or live.ofmap.name not in in_dram:
            return 0
        wider = self.spec.toolchain.output_bits
        if live.is_network_output and wider is not None:
            return bits_to_bytes(live.ofmap.elements, wider)
        return tensor_bytes(live.ofmap, self.spec)

    def _vector_cycles(self, group: LayerGroup) -> int:
        layers = group.epilogue if group.main.op in MAC_OPS else group.layers
        pace = self.spec.vector_unit.addition_cycles_per_element
        if group.main.op is Op.ADD and pace is not None:
            return math.ceil(pace * group.ofmap.elements)
        pace = self.spec.vector_unit.pooling_cycles_per_element
        if group.main.op in POOLING_OPS and pace is not None:
            return math.ceil(pace * operations(group.main))
        cycles = ceil_div(lane_operations(layers), self.spec.vector_unit.lanes)
        if group.main.op not in MAC_OPS:
            return cycles
        pace = self.spec.vector_unit.output_cycles_per_element
        return max(cycles, math.ceil(pace * group.ofmap.elements))


def block_bytes(block: WeightBlock, spec: AcceleratorSpec) -> int:
    """Bytes of a weight block at its own or the spec's precision."""
    return bits_to_bytes(block.params, block.bits or spec.precision.weight_bits)


def array_weight_bits(layer: Layer, spec: AcceleratorSpec) -> int:
    """Width of what a layer multiplies its input with: its widest weights, or activations."""
    if not layer.weights:
        return tensor_bits(layer.ifmaps[-1], spec)
    return max(block.bits or spec.precision.weight_bits for block in layer.weights)


def _rows(group: LayerGroup) -> int:
    """Input rows along the loop dimension p: image height, or tokens of a matrix product."""
    shape = group.main.ifmaps[0].shape
    if group.main.op is Op.CONV2D and len(shape) == 4:
        return shape[2]
    return group.main.dims.p
