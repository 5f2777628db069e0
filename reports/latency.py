"""The figure `layers.png`: where the time of one inference goes, layer by layer."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from reports import palette, wording
from reports.sections import Section, sections, short_name
from reports.sheet import CHARACTER_WIDTH_IN, HEADER_IN, LABEL_PT, MARGIN_IN, Sheet
from simulator.result import InferenceResult, LayerResult, Resource, StallKind
from simulator.simulation import RunResult

ROW_IN = 0.165
BARS_IN = 5.2
BOUND_IN = 0.62
TOTALS_IN = 1.55
AXIS_IN = 0.75
LONGEST_NAME = 32
TALLEST_IN = 300.0
"""Agg draws at most 2^16 pixels; far taller than any network that a page can show."""

_BOUND_WORDS = {
    Resource.PE_ARRAY: ("PE array", palette.WHITE),
    Resource.VECTOR_UNIT: ("vector", palette.BLACK),
    Resource.DRAM: ("DRAM", palette.BLACK),
}


def layer_parts_ps(layer: LayerResult) -> dict[StallKind | None, int]:
    """A layer's share of the latency: compute under None, then each stall; all kinds present."""
    return {None: layer.compute_ps, **{kind: layer.stalls_ps[kind] for kind in StallKind}}


def draw_layers(run: RunResult) -> Sheet:
    """Compute and stall time of every layer of the typical route, with what bounds it."""
    result = run.typical
    layers = result.layers
    names = [wording.clip(short_name(layer), LONGEST_NAME) for layer in layers]
    names_in = MARGIN_IN + 0.1 + CHARACTER_WIDTH_IN * max(len(name) for name in names)
    left_in = names_in + BOUND_IN + 0.14
    rows_in = min(ROW_IN * len(layers), TALLEST_IN)
    top_in = HEADER_IN + 0.35
    sheet = Sheet(
        width_in=left_in + BARS_IN + TOTALS_IN + MARGIN_IN,
        height_in=top_in + rows_in + AXIS_IN,
        headline="Where the time of an inference goes, layer by layer",
        caption=wording.typical_caption(run),
    )
    axes = sheet.axes(left_in, top_in, BARS_IN, rows_in)
    bounds = sheet.axes(names_in, top_in, BOUND_IN, rows_in)
    _draw_bars(axes, layers)
    _draw_bounds(bounds, layers, names)
    _draw_sections(axes, bounds, result)
    sheet.legend(_legend(result), MARGIN_IN, HEADER_IN, ncols=7)
    return sheet


def _draw_bars(axes: Axes, layers: tuple[LayerResult, ...]) -> None:
    parts = [layer_parts_ps(layer) for layer in layers]
    totals = [sum(part.values()) for part in parts]
    scale = wording.time_scale(max(totals))
    rows = range(len(layers))
    lefts = [0.0] * len(layers)
    for kind in (None, *StallKind):
        widths = [scale.of(part[kind]) for part in parts]
        axes.barh(rows, widths, left=lefts, height=0.78, color=_colour(kind), zorder=2)
        lefts = [left + width for left, width in zip(lefts, widths, strict=True)]
    for row, total in zip(rows, totals, strict=True):
        axes.annotate(
            wording.three_digits(scale.of(total)),
            (scale.of(total), row),
            xytext=(3, 0),
            textcoords="offset points",
            va="center_baseline",
            size=LABEL_PT,
            color=palette.DARK_GREY,
        )
    axes.set_xlim(0, scale.of(max(totals)) * 1.08)
    axes.set_ylim(len(layers) - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlabel(f"share of the latency ({scale.unit})")


def _draw_bounds(axes: Axes, layers: tuple[LayerResult, ...], names: list[str]) -> None:
    for row, layer in enumerate(layers):
        word, colour = _BOUND_WORDS[layer.bound]
        axes.add_patch(Rectangle((0, row - 0.39), 1, 0.78, color=palette.RESOURCES[layer.bound]))
        axes.text(0.5, row, word, color=colour, ha="center", va="center_baseline", size=LABEL_PT)
    axes.set_xlim(0, 1)
    axes.set_ylim(len(layers) - 0.5, -0.5)
    axes.set_yticks(range(len(layers)), names)
    axes.tick_params(axis="y", length=0, pad=3)
    axes.set_xticks([0.5], ["bound by"])
    axes.tick_params(axis="x", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_sections(axes: Axes, bounds: Axes, result: InferenceResult) -> None:
    """Shade every other section, and name each at the right with its share of the latency."""
    for index, section in enumerate(sections(result.layers)):
        if index % 2 == 0:
            axes.axhspan(section.first - 0.5, section.stop - 0.5, color=palette.PALE_GREY, zorder=0)
        axes.annotate(
            _section_label(section, result),
            (1, (section.first + section.stop - 1) / 2),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            size=LABEL_PT,
        )
        for part in (axes, bounds):
            if index:
                part.axhline(section.first - 0.5, color=palette.GREY, linewidth=0.8, clip_on=False)


def _section_label(section: Section, result: InferenceResult) -> str:
    layers = result.layers[section.first : section.stop]
    time_ps = layers[-1].end_ps - layers[0].start_ps
    scale = wording.time_scale(time_ps)
    share = wording.percent(time_ps, result.latency_ps)
    time = f"{wording.three_digits(scale.of(time_ps))} {scale.unit}, {share}"
    name = wording.clip(section.name, 22)
    # A layer that is a section by itself has its time beside its bar.
    return f"{name}\n{time}" if len(layers) > 1 else f"{wording.clip(name, 14)}  {share}"


def _legend(result: InferenceResult) -> list[Patch]:
    kinds = [kind for kind in StallKind if result.stalls_ps[kind]]
    return [Patch(color=_colour(kind), label=_wording_of(kind)) for kind in (None, *kinds)]


def _colour(kind: StallKind | None) -> str:
    return palette.COMPUTE if kind is None else palette.STALLS[kind]


def _wording_of(kind: StallKind | None) -> str:
    return "compute" if kind is None else wording.stall_name(kind)
