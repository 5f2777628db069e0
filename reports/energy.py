"""The figure `energy.png`: what the energy of one inference is spent on, and where."""

from __future__ import annotations

from matplotlib.axes import Axes

from reports import palette, wording
from reports.sections import main_sections
from reports.sheet import CHARACTER_WIDTH_IN, HEADER_IN, LABEL_PT, MARGIN_IN, Sheet
from simulator.cost.energy import EnergyBreakdown
from simulator.simulation import RunResult

ROW_IN = 0.34
BARS_IN = 3.3
VALUES_IN = 1.2
MOST_SECTIONS = 12

COMPONENT_NAMES = {
    "mac": "MACs",
    "vector": "vector unit",
    "scratchpad": "scratchpad",
    "dram": "DRAM",
    "static": "static power",
}


def components_pj(energy: EnergyBreakdown) -> dict[str, float]:
    """The components of a breakdown by their name in a summary."""
    return {
        "mac": energy.mac_pj,
        "vector": energy.vector_pj,
        "scratchpad": energy.scratchpad_pj,
        "dram": energy.dram_pj,
        "static": energy.static_pj,
    }


def section_components_pj(run: RunResult) -> dict[str, dict[str, float]]:
    """Components of each section of the network, in order of execution."""
    found: dict[str, dict[str, float]] = {}
    names = main_sections(run, MOST_SECTIONS)
    for name, layer in zip(names, run.typical.layers, strict=True):
        sums = found.setdefault(name, dict.fromkeys(COMPONENT_NAMES, 0.0))
        for component, energy_pj in components_pj(layer.energy).items():
            sums[component] += energy_pj
    return found


def draw_energy(run: RunResult) -> Sheet:
    """Energy of the typical route by component and, where there are several, by section."""
    result = run.typical
    by_section = {
        wording.clip(name, 20): parts for name, parts in section_components_pj(run).items()
    }
    scale = wording.energy_scale(result.energy.total_pj)
    left_in = MARGIN_IN + 1.0
    names_in = 0.25 + CHARACTER_WIDTH_IN * max(len(name) for name in by_section)
    second_in = left_in + BARS_IN + VALUES_IN + names_in
    rows = max(len(COMPONENT_NAMES), len(by_section))
    top_in, height_in = HEADER_IN + 0.25, ROW_IN * rows
    single = len(by_section) == 1
    sheet = Sheet(
        width_in=left_in + 2 * BARS_IN if single else second_in + BARS_IN + VALUES_IN,
        height_in=top_in + height_in + 0.7,
        headline=f"What {wording.three_digits(scale.of(result.energy.total_pj))} {scale.unit} "
        "per inference are spent on",
        caption=wording.typical_caption(run),
    )
    components = {
        COMPONENT_NAMES[name]: {name: energy_pj}
        for name, energy_pj in components_pj(result.energy).items()
    }
    axes = sheet.axes(left_in, top_in, BARS_IN, ROW_IN * len(components))
    _draw_bars(axes, components, scale)
    sheet.text(left_in, top_in - 0.1, "by component", weight="bold", va="baseline")
    if not single:
        axes = sheet.axes(second_in, top_in, BARS_IN, ROW_IN * len(by_section))
        _draw_bars(axes, by_section, scale)
        sheet.text(
            second_in,
            top_in - 0.1,
            "by part of the network, in the same colours",
            weight="bold",
            va="baseline",
        )
    return sheet


def _draw_bars(axes: Axes, bars: dict[str, dict[str, float]], scale: wording.Scale) -> None:
    """One stacked horizontal bar per entry, with its value and its share of all bars."""
    totals = [sum(parts.values()) for parts in bars.values()]
    rows = range(len(bars))
    lefts = [0.0] * len(bars)
    for component in COMPONENT_NAMES:
        widths = [scale.of(parts.get(component, 0.0)) for parts in bars.values()]
        axes.barh(rows, widths, left=lefts, height=0.68, color=palette.ENERGY[component], zorder=2)
        lefts = [left + width for left, width in zip(lefts, widths, strict=True)]
    for row, total in zip(rows, totals, strict=True):
        axes.annotate(
            f"{wording.three_digits(scale.of(total))} {scale.unit}, "
            f"{wording.percent(total, sum(totals))}",
            (scale.of(total), row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center_baseline",
            size=LABEL_PT,
        )
    axes.set_yticks(rows, list(bars))
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.grid(axis="x")
    axes.set_xlabel(f"energy ({scale.unit})")
