"""The figure `timeline.png`: what PE array, vector unit and DRAM did when, and who waited."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from reports import palette, wording
from reports.events import (
    Decision,
    decisions,
    scratchpad_occupancy,
    stall_intervals,
)
from reports.sections import sections
from reports.sheet import CHARACTER_WIDTH_IN, HEADER_IN, LABEL_PT, MARGIN_IN, Sheet
from simulator.derive import spans
from simulator.result import InferenceResult, Resource, StallKind
from simulator.simulation import RunResult
from simulator.units import BYTES_PER_KIB

PLOT_IN = 10.2
ROW_IN = 0.42
OCCUPANCY_IN = 0.85
PARTS, STALLS, PE_ARRAY, VECTOR_UNIT, DRAM = range(5)
_ROW_NAMES = ("part", "stalled for", "PE array", "vector unit", "DRAM bus")
_ROW_OF = {
    Resource.PE_ARRAY: PE_ARRAY,
    Resource.VECTOR_UNIT: VECTOR_UNIT,
    Resource.DRAM: DRAM,
}


def draw_timeline(run: RunResult) -> Sheet:
    """Occupation of each resource over the typical inference, and its routing decisions."""
    result = run.typical
    scale = wording.time_scale(result.latency_ps)
    left_in, top_in = MARGIN_IN + 0.85, HEADER_IN + 0.3
    rows_in = ROW_IN * len(_ROW_NAMES)
    legend_top_in = top_in + rows_in + OCCUPANCY_IN + 0.7
    sheet = Sheet(
        width_in=left_in + PLOT_IN + MARGIN_IN + 0.1,
        height_in=legend_top_in + 0.6,
        headline="What worked and what waited, over one inference",
        caption=wording.typical_caption(run),
    )
    axes = sheet.axes(left_in, top_in, PLOT_IN, rows_in)
    _draw_parts(axes, result, scale)
    _draw_occupations(axes, result, scale)
    axes.set_xlim(0, scale.of(result.latency_ps))
    axes.set_ylim(len(_ROW_NAMES) - 0.5, -0.5)
    axes.set_yticks(range(len(_ROW_NAMES)), _ROW_NAMES)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelbottom=False, length=0)
    axes.grid(axis="x")
    axes.spines["bottom"].set_visible(False)
    below = sheet.axes(left_in, top_in + rows_in + 0.06, PLOT_IN, OCCUPANCY_IN, sharex=axes)
    _draw_occupancy(below, run, scale)
    below.set_xlabel(f"time ({scale.unit})")
    _draw_decisions(axes, below, decisions(result), scale)
    sheet.legend(_work_legend(result), left_in, legend_top_in, ncols=8)
    sheet.legend(_stall_legend(result), left_in, legend_top_in + 0.25, ncols=7)
    return sheet


def merged(intervals: Iterable[tuple[str, int, int]]) -> dict[str, list[tuple[int, int]]]:
    """Intervals (colour, start, end) by colour, neighbours that touch made one."""
    found: dict[str, list[tuple[int, int]]] = {}
    for colour, start, end in intervals:
        mine = found.setdefault(colour, [])
        if mine and mine[-1][1] == start:
            mine[-1] = (mine[-1][0], end)
        elif end > start:
            mine.append((start, end))
    return found


def _draw_occupations(axes: Axes, result: InferenceResult, scale: wording.Scale) -> None:
    all_spans = spans(result.timeline)
    for resource, row in _ROW_OF.items():
        mine = [span for span in all_spans if span.resource is resource]
        is_dram = resource is Resource.DRAM
        _bars(
            axes,
            row,
            (
                (
                    palette.DRAM_SPANS[span.kind] if is_dram else palette.RESOURCES[resource],
                    span.start_ps,
                    span.end_ps,
                )
                for span in mine
            ),
            scale,
        )
    stalls = stall_intervals(result.timeline)
    _bars(axes, STALLS, ((palette.STALLS[kind], start, end) for kind, start, end in stalls), scale)


def _bars(
    axes: Axes, row: int, intervals: Iterable[tuple[str, int, int]], scale: wording.Scale
) -> None:
    for colour, stretches in merged(intervals).items():
        axes.broken_barh(
            [(scale.of(start), scale.of(end - start)) for start, end in stretches],
            (row - 0.36, 0.72),
            color=colour,
            linewidth=0,
            # Not snapped to pixels: what is narrower than one must still shade it by its share.
            snap=False,
            zorder=2,
        )


def _draw_parts(axes: Axes, result: InferenceResult, scale: wording.Scale) -> None:
    inch_ps = result.latency_ps / PLOT_IN
    for index, section in enumerate(sections(result.layers)):
        start_ps = result.layers[section.first].start_ps
        width_ps = result.layers[section.stop - 1].end_ps - start_ps
        axes.broken_barh(
            [(scale.of(start_ps), scale.of(width_ps))],
            (PARTS - 0.36, 0.72),
            color=("#C8C8C8", "#E4E4E4")[index % 2],
            linewidth=0,
        )
        room = int(width_ps / inch_ps / CHARACTER_WIDTH_IN) - 1
        if room >= min(len(section.name), 6):
            axes.text(
                scale.of(start_ps + width_ps / 2),
                PARTS,
                wording.clip(section.name, room),
                ha="center",
                va="center_baseline",
                size=LABEL_PT,
            )


def _draw_occupancy(axes: Axes, run: RunResult, scale: wording.Scale) -> None:
    result = run.typical
    pinned_bytes = run.compiled.pinned.n_bytes
    steps = scratchpad_occupancy(result.timeline, pinned_bytes)
    times = [scale.of(step.time_ps) for step in steps] + [scale.of(result.latency_ps)]
    heights = [step.n_bytes / BYTES_PER_KIB for step in steps]
    capacity = run.spec.scratchpad.capacity_kib
    axes.stairs(heights, times, fill=True, color=palette.GREEN, alpha=0.6, linewidth=0)
    if pinned_bytes:
        top = pinned_bytes / BYTES_PER_KIB
        axes.axhspan(0, top, color=palette.GREEN, linewidth=0)
        axes.annotate(
            "pinned weights",
            (0, top / 2),
            xytext=(4, 0),
            textcoords="offset points",
            va="center_baseline",
            size=LABEL_PT,
            color=palette.WHITE,
        )
    axes.axhline(capacity, color=palette.BLACK, linewidth=1.0)
    axes.set_ylim(0, capacity * 1.15)
    axes.set_yticks([0, capacity / 2, capacity], ["0", f"{capacity / 2:,g}", f"{capacity:,}"])
    axes.grid(axis="x")
    axes.set_ylabel("scratchpad\n(KiB)")


def _draw_decisions(axes: Axes, below: Axes, found: list[Decision], scale: wording.Scale) -> None:
    """A line through all rows per decision; labels in two rows, where they do not collide."""
    taken_to_in = [-1.0, -1.0]
    inch = axes.get_xlim()[1] / PLOT_IN
    for decision in found:
        at = scale.of(decision.time_ps)
        for part in (axes, below):
            part.axvline(at, color=palette.BLACK, linewidth=1.0, linestyle=(0, (4, 2)), zorder=4)
        label = f"{wording.clip(decision.router, 20)}: arm {decision.arm}"
        width_in = CHARACTER_WIDTH_IN * len(label)
        centre_in = min(max(at / inch, width_in / 2), PLOT_IN - width_in / 2)
        free = [row for row in (0, 1) if centre_in - width_in / 2 >= taken_to_in[row]]
        if not free:
            continue
        taken_to_in[free[0]] = centre_in + width_in / 2 + 0.1
        axes.annotate(
            label,
            (centre_in * inch, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3 + 11 * free[0]),
            textcoords="offset points",
            ha="center",
            size=LABEL_PT,
        )


def _work_legend(result: InferenceResult) -> list[Patch | Line2D]:
    moved = {span.kind for span in spans(result.timeline) if span.resource is Resource.DRAM}
    handles: list[Patch | Line2D] = [
        Patch(color=palette.RESOURCES[Resource.PE_ARRAY], label="MACs"),
        Patch(color=palette.RESOURCES[Resource.VECTOR_UNIT], label="vector operations"),
    ]
    handles += [
        Patch(color=colour, label=f"DRAM: {wording.TRANSFER_NAMES.get(kind, kind)}")
        for kind, colour in palette.DRAM_SPANS.items()
        if kind in moved
    ]
    if result.arms:
        handles.append(
            Line2D([], [], color=palette.BLACK, linestyle=(0, (4, 2)), label="routing decision")
        )
    return handles


def _stall_legend(result: InferenceResult) -> list[Patch]:
    return [
        Patch(color=palette.STALLS[kind], label=f"stall: {wording.stall_name(kind)}")
        for kind in StallKind
        if result.stalls_ps[kind]
    ]
