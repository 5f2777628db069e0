"""The figures of a stream: what ways of keeping weights hit, take and draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from matplotlib.axes import Axes

from reports import palette, wording
from reports.files import write_whole
from reports.residency_caption import caption_of
from reports.residency_pareto import draw_pareto
from reports.sheet import CHARACTER_WIDTH_IN, HEADER_IN, LABEL_PT, MARGIN_IN, Sheet, png_bytes
from simulator.runtime.comparison import StreamComparison
from simulator.runtime.residency import ResidencyPolicy
from simulator.runtime.stream_result import StreamResult

ROW_IN = 0.34
BARS_IN = 2.1
VALUES_IN = 0.75
"""Room at the right of each panel's longest bar for its value."""

_OF_POLICY = {
    ResidencyPolicy.NONE: palette.GREY,
    ResidencyPolicy.PINNED_BACKBONE: palette.SKY,
    ResidencyPolicy.BELADY: palette.BLACK,
}
"""Bounds and fixed choices; online policies are green, the scratchpad's colour."""


def write_stream_figures(comparison: StreamComparison, folder: Path) -> list[Path]:
    """Draw a comparison into an existing folder; returns the files written.

    Raises:
        UserError: the folder does not exist or cannot be written.
    """
    files = {"residency.png": png_bytes(partial(draw_residency, comparison))}
    if comparison.margins:
        files["routing.png"] = png_bytes(partial(draw_pareto, comparison))
    for name, data in files.items():
        write_whole(folder / name, data)
    return [folder / name for name in files]


@dataclass(frozen=True)
class _Panel:
    """One quantity of all runs, drawn as bars."""

    title: str
    axis: str
    values: list[float]
    errors: list[float]
    label: Callable[[float], str]
    limit: float | None = None


def draw_residency(comparison: StreamComparison) -> Sheet:
    """Hit rate, latency and energy by way of keeping weights."""
    results = comparison.results
    names = [_name(result) for result in results]
    left_in = MARGIN_IN + 0.1 + CHARACTER_WIDTH_IN * max(len(name) for name in names)
    pitch_in = BARS_IN + VALUES_IN + 0.3
    top_in, height_in = HEADER_IN + 0.3, ROW_IN * len(results)
    sheet = Sheet(
        width_in=left_in + 3 * pitch_in,
        height_in=top_in + height_in + 0.75,
        headline="What weights kept from input to input bring",
        caption=caption_of(comparison),
    )
    colours = [_OF_POLICY.get(result.residency.policy, palette.GREEN) for result in results]
    for index, panel in enumerate(_panels(comparison)):
        panel_in = left_in + pitch_in * index
        axes = sheet.axes(panel_in, top_in, BARS_IN + VALUES_IN, height_in)
        _draw_bars(axes, panel, colours)
        axes.set_yticks(range(len(names)), names if index == 0 else [])
        sheet.text(panel_in, top_in - 0.1, panel.title, weight="bold", va="baseline")
    return sheet


def _panels(comparison: StreamComparison) -> list[_Panel]:
    results = comparison.results
    none = [0.0] * len(results)
    latencies = [result.latencies_ps.mean for result in results]
    energies = [result.mean("energy_pj") for result in results]
    time, energy = wording.time_scale(max(latencies)), wording.energy_scale(max(energies))
    return [
        _Panel(
            "weight bytes found on chip",
            "hit bytes (%), line: bound of any policy",
            [100 * result.hit_fraction for result in results],
            [100 * _half_width(result) for result in results],
            lambda value: f"{value:.1f} %",
            100 * comparison.most_hit_fraction,
        ),
        _Panel(
            "latency, mean",
            f"latency ({time.unit})",
            [time.of(value) for value in latencies],
            none,
            lambda value: f"{value:.3f} {time.unit}",
        ),
        _Panel(
            "energy, mean",
            f"energy ({energy.unit})",
            [energy.of(value) for value in energies],
            none,
            lambda value: f"{value:.3f} {energy.unit}",
        ),
    ]


def _name(result: StreamResult) -> str:
    standin = " + stand-in" if result.residency.standin else ""
    return result.residency.policy.value.replace("_", " ") + standin


def _half_width(result: StreamResult) -> float:
    interval = result.interval("hit_bytes", "weight_bytes")
    return interval.half_width if interval else 0.0


def _draw_bars(axes: Axes, panel: _Panel, colours: list[str]) -> None:
    rows = range(len(panel.values))
    axes.barh(rows, panel.values, color=colours, height=0.66, zorder=2)
    shown = [error if error > 0 else float("nan") for error in panel.errors]
    axes.errorbar(
        panel.values, rows, xerr=shown, fmt="none", ecolor=palette.DARK_GREY, capsize=2, zorder=3
    )
    for row, (value, error) in enumerate(zip(panel.values, panel.errors, strict=True)):
        axes.annotate(
            panel.label(value),
            (value + error, row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center_baseline",
            size=LABEL_PT,
            bbox={"facecolor": palette.WHITE, "edgecolor": "none", "pad": 0.5},
        )
    longest = max([*panel.values, panel.limit or 0.0]) or 1.0
    if panel.limit:
        axes.axvline(panel.limit, color=palette.VERMILION, linewidth=1.0, zorder=1)
    axes.set_xlim(0, longest * (BARS_IN + VALUES_IN) / BARS_IN)
    axes.set_ylim(len(panel.values) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.set_xlabel(panel.axis)
