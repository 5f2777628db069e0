"""Brackets of a whole design instead of exact points: what is found by looking up screens.

Bandwidth and capacity are looked up; every combination of the other axes has a screen of its own.
Two walks over the points in chunks, so memory does not grow with them: the first finds how low an
upper bound comes, the second keeps the points that may still be the fastest.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from simulator.errors import SpecError, UserError
from simulator.fast.upper_bound import CUT_LAYOUTS
from simulator.ir import Branch
from simulator.mapping.placement import Placement
from simulator.policy import Policy
from simulator.spec import AcceleratorSpec
from simulator.spec_file import Override, with_overrides
from simulator.study.axis import Choices, GridAxis, RandomAxis, Value
from simulator.study.closed_form import UNKNOWN
from simulator.study.context import REASONS, Context, Scenario
from simulator.study.design import Design
from simulator.study.execute import Progress, Watcher
from simulator.study.screen import Screen
from simulator.study.screens import ScreenTask

BANDWIDTH, CAPACITY = "dram.peak_bytes_per_s", "scratchpad.capacity_kib"
CHUNK = 100_000
MOST_SCREENS = 64
KNOTS = 80
"""Bandwidths that are exact, if an axis has more."""
BINS = 100_000
BINS_PER_UNIT = 10_000
"""Widths are counted in steps of 0.01 %, up to tenfold."""


@dataclass(frozen=True)
class Bracketed:
    """A point whose mean latency lies from lower_ps to upper_ps."""

    number: int
    choices: Choices
    lower_ps: int
    upper_ps: int


@dataclass(frozen=True)
class Bounds:
    """What the brackets of a design say.

    Attributes:
        points: all of them. infeasible: of these, those that nothing fits.
        median_width_fraction, largest_width_fraction: upper over lower bound, less one; the
            median to 0.01 %.
        least_upper_ps: the fastest point is no slower; None if nothing fits any point.
        contenders: points whose lower bound does not exceed it. best: the first of them, by
            lower bound.
    """

    points: int
    infeasible: int
    median_width_fraction: float
    largest_width_fraction: float
    least_upper_ps: int | None
    contenders: int
    best: list[Bracketed]


@dataclass(frozen=True)
class _Chunk:
    """Neighbouring points: their numbers and brackets, UNKNOWN for those that nothing fits."""

    first: int
    lower_ps: NDArray[np.int64]
    upper_ps: NDArray[np.int64]


class BoundedDesign:
    """The screens of a design's points."""

    def __init__(self, context: Context, design: Design) -> None:
        """Refuse what cannot be bracketed, before any screen is made.

        Raises:
            UserError: an axis, a policy, a placement or a layout without brackets.
        """
        self.context, self.design = context, design
        self._others = [axis for axis in design.axes if axis.field not in (BANDWIDTH, CAPACITY)]
        for axis in self._others:
            if isinstance(axis, RandomAxis):
                raise UserError(
                    f"--bounds: --vary {axis.field}: only bandwidth and capacity can be drawn; "
                    "list its values"
                )
        if context.iso_area_mm2 is not None:
            raise UserError("--bounds: --iso-area makes the capacity depend on other axes")
        grids = [axis.values for axis in self._others if isinstance(axis, GridAxis)]
        count = math.prod(map(len, grids))
        if count > MOST_SCREENS:
            raise UserError(
                f"--bounds: {count} combinations of {', '.join(a.field for a in self._others)}: at "
                f"most {MOST_SCREENS} beside bandwidth and capacity"
            )
        fields = [axis.field for axis in self._others]
        self._combinations = [dict(zip(fields, each, strict=True)) for each in product(*grids)]
        self._points = [self._point(others) for others in self._combinations]
        for point in self._points:
            if point is not None:
                _check(point[1])
        self._valid: dict[tuple[int, int], bool] = {}

    @cached_property
    def tasks(self) -> dict[int, ScreenTask]:
        """How each combination's screen is made, if any of its points is valid."""
        packed = self.context.to_bytes()
        return {
            c: self._task(packed, *point)
            for c, point in enumerate(self._points)
            if point is not None
        }

    def run(self, screens: Mapping[int, Screen], best: int, watch: Watcher) -> Bounds:
        """Brackets of all points, and the `best` of those that may be the fastest.

        `screens` has one for each of the `tasks`.
        """
        progress = Progress(self.design.n_points)
        widths = np.zeros(BINS + 1, dtype=np.int64)
        largest, least_upper_ps = 0.0, UNKNOWN
        watch(progress)
        for chunk in self._chunks(screens):
            known = chunk.upper_ps < UNKNOWN
            width = chunk.upper_ps[known] / chunk.lower_ps[known] - 1
            bins = np.minimum((width * BINS_PER_UNIT).astype(np.int64), BINS)
            widths += np.bincount(bins, minlength=BINS + 1)
            largest = max(largest, float(width.max(initial=0)))
            least_upper_ps = min(least_upper_ps, int(chunk.upper_ps.min()))
            progress.finished += len(known)
            progress.infeasible += int((~known).sum())
            watch(progress)
        feasible = int(widths.sum())
        median = int(np.searchsorted(np.cumsum(widths), (feasible + 1) // 2)) / BINS_PER_UNIT
        contenders, kept = self._contenders(screens, least_upper_ps, best) if feasible else (0, [])
        return Bounds(
            points=progress.total,
            infeasible=progress.infeasible,
            median_width_fraction=median,
            largest_width_fraction=largest,
            least_upper_ps=least_upper_ps if feasible else None,
            contenders=contenders,
            best=kept,
        )

    def _contenders(
        self, screens: Mapping[int, Screen], least_upper_ps: int, best: int
    ) -> tuple[int, list[Bracketed]]:
        """How many points may be the fastest, and the first of them."""
        count = 0
        kept: list[tuple[int, int, int]] = []
        for chunk in self._chunks(screens):
            chosen = np.flatnonzero(chunk.lower_ps <= least_upper_ps)
            count += len(chosen)
            lower, upper = chunk.lower_ps[chosen], chunk.upper_ps[chosen]
            numbers = chunk.first + chosen
            found = zip(lower.tolist(), numbers.tolist(), upper.tolist(), strict=True)
            kept = heapq.nsmallest(best, [*kept, *found])
        return count, [
            Bracketed(number, self.design.choices_at(number), lower_ps, upper_ps)
            for lower_ps, number, upper_ps in kept
        ]

    def _chunks(self, screens: Mapping[int, Screen]) -> Iterator[_Chunk]:
        """Brackets of all points, in order."""
        for first in range(0, self.design.n_points, CHUNK):
            numbers = np.arange(first, min(first + CHUNK, self.design.n_points), dtype=np.int64)
            columns, combination = self._columns(numbers)
            lower, upper = np.full((2, len(numbers)), UNKNOWN, dtype=np.int64)
            for c in np.unique(combination).tolist():
                point = self._points[c]
                if point is None:
                    continue
                members = np.flatnonzero(combination == c)
                spec = point[1].spec
                fixed = {
                    BANDWIDTH: spec.dram.peak_bytes_per_s,
                    CAPACITY: spec.scratchpad.capacity_kib,
                }
                rates, sizes = (
                    columns[name][members] if name in columns else np.full(len(members), value)
                    for name, value in fixed.items()
                )
                found = screens[c].brackets(rates, sizes * 1024)
                known = np.isin(sizes, [s for s in np.unique(sizes).tolist() if self._fits(c, s)])
                lower[members] = np.where(known, found.lower_ps, UNKNOWN)
                upper[members] = np.where(known, found.upper_ps, UNKNOWN)
            yield _Chunk(first, lower, upper)

    def _columns(
        self, numbers: NDArray[np.int64]
    ) -> tuple[dict[str, NDArray[np.int64]], NDArray[np.int64]]:
        """Bandwidths and capacities of points, where varied, and their combination of the rest."""
        columns: dict[str, NDArray[np.int64]] = {}
        combination, weight = np.zeros_like(numbers), 1
        rest, sample = np.divmod(numbers, self.design.samples)
        for axis in reversed(self.design.grid):
            rest, at = np.divmod(rest, len(axis.values))
            if axis.field in (BANDWIDTH, CAPACITY):
                columns[axis.field] = np.array(axis.values, dtype=np.int64)[at]
            else:
                combination, weight = combination + at * weight, weight * len(axis.values)
        for column in self.design.random:
            drawn = self.design.drawn(column, sample)
            columns[column.field] = np.array(drawn, dtype=np.int64)
        return columns, combination

    def _point(self, others: Choices) -> tuple[Choices, Scenario] | None:
        """A point of the combination that makes a valid spec, if there is one."""
        sizes = self._values(CAPACITY)
        points: list[Choices] = [{**others, CAPACITY: size} for size in reversed(sizes)]
        for choices in points or [others]:
            try:
                return choices, self.context.scenario(choices)
            except REASONS:
                continue
        return None

    def _values(self, field: str) -> list[int]:
        """Values of an axis, or some of a drawn one, its ends among them; none if not varied."""
        axis = next((each for each in self.design.axes if each.field == field), None)
        if axis is None:
            return []
        drawn: tuple[Value, ...] = ()
        if isinstance(axis, RandomAxis):
            drawn = tuple(axis.value_at(float(share)) for share in np.linspace(0, 1, 65))
        values = axis.values if isinstance(axis, GridAxis) else drawn
        return sorted({int(value) for value in values if isinstance(value, int | float)})

    def _task(self, packed: bytes, choices: Choices, scenario: Scenario) -> ScreenTask:
        spec = scenario.spec
        rates = self._values(BANDWIDTH) or [spec.dram.peak_bytes_per_s]
        axis = next((each for each in self.design.axes if each.field == BANDWIDTH), None)
        if len(rates) > KNOTS or isinstance(axis, RandomAxis):
            spread = np.geomspace(rates[0], rates[-1], KNOTS).astype(np.int64)
            rates = np.unique(np.concatenate((spread, [rates[0], rates[-1]]))).tolist()
        most_kib = max([spec.scratchpad.capacity_kib, *self._values(CAPACITY)])
        return ScreenTask(packed, choices, scenario.key, tuple(rates), most_kib * 1024)

    def _fits(self, c: int, size_kib: int) -> bool:
        """Whether a capacity makes a valid spec."""
        point, key = self._points[c], (c, size_kib)
        if key not in self._valid:
            self._valid[key] = point is not None and _is_valid(point[1].spec, size_kib)
        return self._valid[key]


def _is_valid(spec: AcceleratorSpec, size_kib: int) -> bool:
    try:
        with_overrides(spec, [Override(CAPACITY, size_kib)])
    except SpecError:
        return False
    return True


def _check(scenario: Scenario) -> None:
    branches = any(isinstance(step, Branch) for step in scenario.workload.program.steps)
    if branches and scenario.policy.policy is not Policy.ON_DEMAND:
        raise UserError(
            f"--bounds: policy {scenario.policy.policy.value}: only on_demand is bracketed: with "
            "speculation more bandwidth may be slower"
        )
    if scenario.keeping is not None:
        raise UserError("--bounds: residency: only inferences from an empty scratchpad are bounded")
    if scenario.placement is not Placement.STREAM:
        raise UserError(
            f"--bounds: placement {scenario.placement.value}: only stream is bracketed: what else "
            "is pinned depends on the capacity"
        )
    layout = scenario.spec.dram.weight_layout
    if layout in CUT_LAYOUTS:
        raise UserError(f"--bounds: layout {layout.value}: weights in pieces are not bracketed")
