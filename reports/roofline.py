"""The figure `roofline.png`: what each layer attains against what PE array and DRAM allow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from reports import palette, wording
from reports.label_places import Box, Mark, label_places
from reports.roofline_model import Dot, Roof, layer_dots, network_dot, roof_of, weight_widths
from reports.sheet import HEADER_IN, LABEL_PT, MARGIN_IN, POINTS_PER_INCH, Sheet
from simulator.simulation import RunResult

PLOT_WIDTH_IN = 5.6
PLOT_HEIGHT_IN = 3.9
STRIP_IN = 0.75
"""Width of the strip for layers that move nothing over the DRAM bus."""

LARGEST_DOT_PT2 = 420.0
SMALLEST_DOT_PT2 = 6.0
STAR_RADIUS_IN = 0.14
NAMED_DOTS = 5
LEAST_NAMED_FRACTION = 0.1
"""Layers that take less than this of the longest layer's time stay without a name."""

GIGA = 1e9

_DOT: dict[str, Any] = {"marker": "o", "linestyle": "none"}
_STAR: dict[str, Any] = {
    "marker": "*",
    "markersize": 17,
    "markerfacecolor": palette.YELLOW,
    "markeredgecolor": palette.BLACK,
    "markeredgewidth": 0.9,
    "linestyle": "none",
    "zorder": 5,
}


@dataclass(frozen=True)
class LogFrame:
    """Where the logarithmic axes put a point: intensity and MAC/s to inches from the corner."""

    lowest_intensity: float
    highest_intensity: float
    lowest_rate: float
    highest_rate: float

    def x_in(self, intensity: float) -> float:
        """Inches from the left edge."""
        whole = math.log(self.highest_intensity / self.lowest_intensity)
        return PLOT_WIDTH_IN * math.log(intensity / self.lowest_intensity) / whole

    def y_in(self, macs_per_s: float) -> float:
        """Inches from the bottom edge."""
        whole = math.log(self.highest_rate / self.lowest_rate)
        return PLOT_HEIGHT_IN * math.log(macs_per_s / self.lowest_rate) / whole

    def mark(self, dot: Dot, radius_in: float, text: str = "") -> Mark:
        """A dot as a mark to be labelled."""
        return Mark(self.x_in(dot.intensity), self.y_in(dot.macs_per_s), radius_in, text)


def draw_roofline(run: RunResult) -> Sheet:
    """The roofline with a dot per layer of the typical route and a star for the network."""
    roof = roof_of(run.spec, weight_widths(run))
    dots = layer_dots(run, len(palette.SERIES))
    network = network_dot(run)
    stars = [network] if network.macs and network.dram_bytes else []
    shown = [dot for dot in dots if dot.dram_bytes]
    on_chip = [dot for dot in dots if not dot.dram_bytes]
    left_in, top_in = MARGIN_IN + 0.65, HEADER_IN + 0.1
    legend_in = left_in + PLOT_WIDTH_IN + (STRIP_IN if on_chip else 0) + 0.2
    sheet = Sheet(
        width_in=legend_in + 1.75,
        height_in=top_in + PLOT_HEIGHT_IN + 1.05,
        headline="What each layer attains, against what PE array and DRAM allow",
        caption=wording.typical_caption(run),
    )
    axes = sheet.axes(left_in, top_in, PLOT_WIDTH_IN, PLOT_HEIGHT_IN)
    frame = _frame([*dots, *stars], roof)
    _set_up(axes, frame)
    _draw_roof(axes, frame, roof, [*shown, *stars])
    names = dict.fromkeys(dot.section for dot in dots)
    colours = dict(zip(names, palette.SERIES, strict=False))
    longest_ps = max((dot.time_ps for dot in dots), default=1)
    _scatter(axes, shown, colours, longest_ps)
    obstacles = [frame.mark(star, STAR_RADIUS_IN).box for star in stars]
    _name_longest(axes, frame, shown, longest_ps, [*obstacles, *_roof_boxes(frame, roof)])
    for star in stars:
        axes.plot(star.intensity, star.macs_per_s / GIGA, **_STAR)
    if on_chip:
        strip = sheet.axes(left_in + PLOT_WIDTH_IN + 0.08, top_in, STRIP_IN, PLOT_HEIGHT_IN)
        _set_up_strip(strip, axes)
        _scatter(strip, on_chip, colours, longest_ps)
    sheet.legend(_section_legend(colours), legend_in, top_in, labelspacing=0.6)
    sizes_in = top_in + 0.18 * (len(colours) + 1) + 0.25
    sheet.text(legend_in, sizes_in, "share of the latency", size=LABEL_PT)
    sheet.legend(_size_legend(longest_ps), legend_in, sizes_in + 0.25, labelspacing=1.2)
    sheet.text(MARGIN_IN, top_in + PLOT_HEIGHT_IN + 0.62, _note(run, dots), size=LABEL_PT)
    return sheet


def _frame(dots: list[Dot], roof: Roof) -> LogFrame:
    """Room for all dots, the ridge and a stretch of both roofs."""
    intensities = [dot.intensity for dot in dots if dot.dram_bytes] + [roof.ridge]
    low = min(min(intensities) / 2, roof.ridge / 30)
    rates = [dot.macs_per_s for dot in dots] + [roof.attainable(low)]
    return LogFrame(
        lowest_intensity=low,
        highest_intensity=max(3 * max(intensities), 10 * roof.ridge),
        lowest_rate=min(rates) / 1.5,
        highest_rate=2.5 * roof.peak_macs_per_s,
    )


def _set_up(axes: Axes, frame: LogFrame) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(frame.lowest_intensity, frame.highest_intensity)
    axes.set_ylim(frame.lowest_rate / GIGA, frame.highest_rate / GIGA)
    axes.grid(which="major")
    axes.set_xlabel("arithmetic intensity (MACs per DRAM byte)")
    axes.set_ylabel("throughput (GMAC/s)")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,g}")


def _set_up_strip(strip: Axes, axes: Axes) -> None:
    strip.set_facecolor(palette.PALE_GREY)
    strip.set_yscale("log")
    strip.set_ylim(axes.get_ylim())
    strip.set_xlim(0, 1)
    strip.tick_params(which="both", left=False, labelleft=False)
    strip.spines["left"].set_visible(False)
    strip.set_xticks([0.5], ["no DRAM\nbytes"])


def _draw_roof(axes: Axes, frame: LogFrame, roof: Roof, dots: list[Dot]) -> None:
    corners = [frame.lowest_intensity, roof.ridge, frame.highest_intensity]
    heights = [roof.attainable(x) / GIGA for x in corners]
    axes.plot(corners, heights, color=palette.BLACK, linewidth=1.6, zorder=2)
    axes.axvline(roof.ridge, color=palette.GREY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    common: dict[str, Any] = {"textcoords": "offset points", "size": LABEL_PT}
    at = _clear_stretch(frame, roof, dots)
    rise_in = frame.y_in(2.0) - frame.y_in(1.0)
    axes.annotate(
        f"DRAM {wording.three_digits(roof.dram_bytes_per_s / GIGA)} GB/s",
        (at, roof.attainable(at) / GIGA),
        xytext=(-5, 5),
        rotation=math.degrees(math.atan2(rise_in, frame.x_in(2.0) - frame.x_in(1.0))),
        rotation_mode="anchor",
        ha="center",
        **common,
    )
    axes.annotate(
        f"PE peak {wording.three_digits(roof.peak_macs_per_s / GIGA)} GMAC/s",
        (frame.highest_intensity, roof.peak_macs_per_s / GIGA),
        xytext=(-3, 13),
        ha="right",
        **common,
    )
    axes.annotate(
        f"ridge {wording.three_digits(roof.ridge)} MACs/byte",
        (roof.ridge, frame.lowest_rate / GIGA),
        xytext=(-3, 5),
        rotation=90,
        ha="right",
        va="bottom",
        color=palette.DARK_GREY,
        **common,
    )


def _clear_stretch(frame: LogFrame, roof: Roof, dots: list[Dot]) -> float:
    """The intensity on the DRAM roof that is farthest from all dots: room for its label."""
    ratio = roof.ridge / frame.lowest_intensity
    marks = [frame.mark(dot, 0.0) for dot in dots]

    def clearance_in(intensity: float) -> float:
        x_in, y_in = frame.x_in(intensity), frame.y_in(roof.attainable(intensity))
        return min((math.hypot(m.x_in - x_in, m.y_in - y_in) for m in marks), default=0.0)

    candidates = [frame.lowest_intensity * float(ratio ** (i / 20)) for i in range(6, 16)]
    return max(candidates, key=clearance_in)


def _scatter(axes: Axes, dots: list[Dot], colours: dict[str, str], longest_ps: int) -> None:
    """The longest first, so that short layers stay visible on top of them."""
    for dot in sorted(dots, key=lambda dot: dot.time_ps, reverse=True):
        axes.scatter(
            [dot.intensity if dot.dram_bytes else 0.5],
            [dot.macs_per_s / GIGA],
            s=_area_pt2(dot.time_ps, longest_ps),
            color=colours[dot.section],
            alpha=0.75,
            edgecolor=palette.WHITE,
            linewidth=0.6,
            zorder=3,
        )


def _roof_boxes(frame: LogFrame, roof: Roof) -> list[Box]:
    """What the roof's line and the label of its peak cover."""
    span = frame.highest_intensity / frame.lowest_intensity
    line = [frame.lowest_intensity * span ** (i / 120) for i in range(121)]
    boxes = [Mark(frame.x_in(x), frame.y_in(roof.attainable(x)), 0.03).box for x in line]
    peak_in = frame.y_in(roof.peak_macs_per_s)
    return [*boxes, Box(PLOT_WIDTH_IN - 1.6, peak_in, PLOT_WIDTH_IN, peak_in + 0.4)]


def _name_longest(
    axes: Axes, frame: LogFrame, dots: list[Dot], longest_ps: int, obstacles: list[Box]
) -> None:
    """Names beside the layers that take the most time, where they find room."""
    ranked = sorted(dots, key=lambda dot: dot.time_ps, reverse=True)
    ranked = [dot for dot in ranked if dot.time_ps >= LEAST_NAMED_FRACTION * longest_ps]
    marks = [
        frame.mark(
            dot,
            math.sqrt(_area_pt2(dot.time_ps, longest_ps)) / 2 / POINTS_PER_INCH,
            wording.clip(dot.name, 26),
        )
        for dot in ranked
    ]
    obstacles = [*obstacles, *(mark.box for mark in marks)]
    plot = Box(0, 0, PLOT_WIDTH_IN, PLOT_HEIGHT_IN)
    for mark, box in label_places(marks, obstacles, plot, NAMED_DOTS):
        axes.text(
            box.left_in / PLOT_WIDTH_IN,
            box.bottom_in / PLOT_HEIGHT_IN,
            mark.text,
            transform=axes.transAxes,
            va="bottom",
            size=LABEL_PT,
            zorder=6,
            path_effects=[withStroke(linewidth=2, foreground=palette.WHITE)],
        )


def _area_pt2(time_ps: float, longest_ps: int) -> float:
    return max(LARGEST_DOT_PT2 * time_ps / longest_ps, SMALLEST_DOT_PT2)


def _section_legend(colours: dict[str, str]) -> list[Line2D]:
    entries = [
        Line2D([], [], **_DOT, markersize=7, color=colour, label=wording.clip(name, 20))
        for name, colour in colours.items()
    ]
    return [*entries, Line2D([], [], **{**_STAR, "markersize": 12}, label="whole network")]


def _size_legend(longest_ps: int) -> list[Line2D]:
    """Dots of round times: the power of ten below the longest layer's, and a tenth of it."""
    round_ps = 10 ** math.floor(math.log10(longest_ps))
    entries = []
    for time_ps in (round_ps, round_ps / 10):
        scale = wording.time_scale(time_ps)
        size = math.sqrt(_area_pt2(time_ps, longest_ps))
        label = f"{scale.of(time_ps):g} {scale.unit}"
        entries.append(Line2D([], [], **_DOT, markersize=size, color=palette.GREY, label=label))
    return entries


def _note(run: RunResult, dots: list[Dot]) -> str:
    result = run.typical
    hidden = len(result.layers) - len(dots)
    hidden_ps = result.latency_ps - sum(dot.time_ps for dot in dots)
    return (
        "A dot's time is its layer's share of the latency: above the DRAM roof, its data came "
        "while earlier layers ran.\n"
        f"Not shown: {hidden} layers without MACs, "
        f"{wording.percent(hidden_ps, result.latency_ps)} of the latency."
    )
