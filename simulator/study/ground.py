"""What the families of one program on like devices share, whatever policy they are of."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.cost.memory import memory_of
from simulator.fast.compiled import compiled
from simulator.fast.designs import (
    DesignColumn,
    DesignTable,
    RecordingDram,
    design_table,
)
from simulator.fast.path_work import PathWork, PathWorks
from simulator.fast.structure import Durations
from simulator.ir import Program
from simulator.mapping.groups import LayerGroup
from simulator.mapping.layout import place_weights
from simulator.mapping.place_loads import place_loads
from simulator.mapping.placement import PinnedWeights
from simulator.mapping.plan import MappingProblem, Plan
from simulator.mapping.scheduler import Scheduler
from simulator.spec import AcceleratorSpec

DESIGNS_KEPT = 256
MODELS_KEPT = 32
WORKS_KEPT = 64
"""Columns of designs (0.15 MB each), their memory models (0.5 MB), and totals of routes that are
remembered."""


class Ground:
    """Plans, the scheduler and what designs' durations are; remembers what it has made.

    Attributes:
        spec: one of the devices, its branches marked with a delay.
        plans: those up to some budget, of the largest budget first.
    """

    def __init__(self, program: Program, spec: AcceleratorSpec, pinned: PinnedWeights) -> None:
        # A delay here only marks what is delayed: every design has its own.
        sequencer = spec.sequencer.model_copy(update={"branch_latency_ns": 1.0})
        self.spec = spec.model_copy(update={"sequencer": sequencer})
        self.problem = MappingProblem(program, spec, pinned.groups)
        self.numbers = Durations()
        memory = memory_of(spec)
        self.stored = place_weights(self.problem.steps, spec, memory)
        dram, place = RecordingDram(self.numbers, memory), compiled(place_loads)
        self.scheduler = Scheduler(self.spec, dram, self.stored, place)
        self.plans: list[Plan] = []
        self._planned_bytes = 0
        self._columns: dict[tuple[object, ...], DesignColumn] = {}
        self._totals: dict[tuple[int, int], PathWorks] = {}
        self._works: dict[tuple[object, ...], PathWork] = {}

    def plan_up_to(self, room_bytes: int) -> None:
        """Have the plans of all budgets that fit some bytes, and up to twice as much.

        New ones come before those there were.
        """
        if room_bytes <= self._planned_bytes:
            return
        room_bytes = 1 << (room_bytes - 1).bit_length()
        budgets = self.problem.budgets(room_bytes)
        new = [budget for budget in budgets if budget > self._planned_bytes]
        self.plans = [p for each in new for p in self.problem.plans_at(each)] + self.plans
        self._planned_bytes = room_bytes

    def design(self, spec: AcceleratorSpec, timing: tuple[object, ...]) -> DesignColumn:
        """What a device's durations are; `timing` is its `timing_key`."""
        found = self._columns.pop(timing, None) or DesignColumn(spec)
        self._columns[timing] = found
        while len(self._columns) > DESIGNS_KEPT:
            del self._columns[next(iter(self._columns))]
        return found

    def forget(self) -> None:
        """Keep the memory models of the designs used last alone."""
        for design in list(self._columns.values())[:-MODELS_KEPT]:
            design.forget()

    def table(self, designs: Sequence[DesignColumn]) -> DesignTable:
        """All durations that structures so far refer to."""
        return design_table(self.numbers, designs)

    def work(
        self, spec: AcceleratorSpec, arms: tuple[int, ...], path: Sequence[LayerGroup]
    ) -> PathWork:
        """Totals of a route under all plans, at the clocks of a design."""
        clocks = (spec.pe_array.clock_hz, spec.vector_unit.clock_hz)
        key = (*clocks, arms, len(self.plans))
        if key not in self._works:
            while len(self._works) >= WORKS_KEPT:
                del self._works[next(iter(self._works))]
            totals = self._totals.setdefault(clocks, PathWorks(spec))
            self._works[key] = totals.of(self.plans, path)
        return self._works[key]
