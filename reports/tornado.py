"""The figure `tornado.png`: which constants energy and latency hang on, widest bar first."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from reports import palette, wording
from reports.sheet import CHARACTER_WIDTH_IN, HEADER_IN, LABEL_PT, MARGIN_IN, Sheet
from simulator.sensitivity import Effect, Outcome, Sensitivity

ROW_IN = 0.3
BARS_IN = 4.6
LOW_COLOUR, HIGH_COLOUR = palette.SKY, palette.VERMILION
SMALLEST_CHANGE_PERCENT = 0.005
"""Narrower bars cannot be seen: the table of the command lists them."""


def draw_tornado(found: Sensitivity) -> Sheet:
    """Energy over latency; one bar per constant from the low to the high end of its range."""
    panels = [
        ("energy", _visible(found.effects, found.energy_j, lambda end: end.energy_j)),
        ("latency", _visible(found.effects, found.latency_s, lambda end: end.latency_s)),
    ]
    panels = [(title, bars) for title, bars in panels if bars]
    longest = max(len(name) for _, bars in panels for name in bars)
    left_in = MARGIN_IN + 0.1 + CHARACTER_WIDTH_IN * longest
    heights = [ROW_IN * len(bars) for _, bars in panels]
    energy = wording.energy_scale(found.energy_j * 1e12)
    time = wording.time_scale(found.latency_s * 1e12)
    sheet = Sheet(
        width_in=max(left_in + BARS_IN + 0.5, 7.8),
        height_in=HEADER_IN + 0.45 + sum(heights) + 0.9 * len(panels) - 0.2,
        headline="Which constants the result hangs on",
        caption=f"{wording.clip(found.run.workload.name, 40)}, {wording.regime(found.run)}: "
        f"{energy.of(found.energy_j * 1e12):.3g} {energy.unit}, "
        f"{time.of(found.latency_s * 1e12):.3g} {time.unit} per inference\n"
        f"{wording.hardware(found.run.spec)}",
    )
    handles = [
        Patch(color=LOW_COLOUR, label="constant at its low end"),
        Patch(color=HIGH_COLOUR, label="constant at its high end"),
    ]
    sheet.legend(handles, left_in, HEADER_IN - 0.05, ncols=2)
    top_in = HEADER_IN + 0.55
    for (title, bars), height_in in zip(panels, heights, strict=True):
        axes = sheet.axes(left_in, top_in, BARS_IN, height_in)
        _draw_bars(axes, bars)
        axes.set_xlabel(f"change of {title} (%)")
        top_in += height_in + 0.9
    return sheet


_UNITS = {
    "_pj_per_byte": (" pJ/B", 1),
    "_bytes_per_cycle": (" B/cycle", 1),
    "_pj": (" pJ", 1),
    "_w": (" mW", 1000),
    "_ns": (" ns", 1),
}
"""What a field's ending says, and how many of the unit shown are one of the field's."""

Bars = dict[str, tuple[float, float]]
"""Change in percent at the low and the high end, by the constant's name and range."""


def _visible(effects: tuple[Effect, ...], base: float, value: Callable[[Outcome], float]) -> Bars:
    """The effects on one quantity that can be seen, widest first."""
    bars = {}
    for effect in effects:
        changes = [100 * (value(end) / base - 1) for end in (effect.low, effect.high)]
        if max(map(abs, changes)) >= SMALLEST_CHANGE_PERCENT:
            bars[_label(effect)] = (changes[0], changes[1])
    return dict(sorted(bars.items(), key=lambda bar: -abs(bar[1][1] - bar[1][0])))


def _label(effect: Effect) -> str:
    field = effect.uncertainty.field
    unit, factor = next((u for ending, u in _UNITS.items() if field.endswith(ending)), ("", 1))
    low, high = factor * effect.low.value, factor * effect.high.value
    return f"{effect.uncertainty.name}, {low:.3g} to {high:.3g}{unit}"


def _draw_bars(axes: Axes, bars: Bars) -> None:
    rows = range(len(bars))
    for index, colour in enumerate((LOW_COLOUR, HIGH_COLOUR)):
        changes = [ends[index] for ends in bars.values()]
        axes.barh(rows, changes, height=0.62, color=colour, zorder=2)
    for row, ends in enumerate(bars.values()):
        for side in (min(*ends, 0.0), max(*ends, 0.0)):
            if abs(side) < SMALLEST_CHANGE_PERCENT:
                continue
            axes.annotate(
                f"{side:+.2f} %".replace("-", "−"),
                (side, row),
                xytext=(4 if side > 0 else -4, 0),
                textcoords="offset points",
                ha="left" if side > 0 else "right",
                va="center_baseline",
                size=LABEL_PT,
            )
    axes.axvline(0, color=palette.BLACK, linewidth=0.8, zorder=3)
    lows, highs = ([f(*ends, 0.0) for ends in bars.values()] for f in (min, max))
    room = 0.22 * (max(highs) - min(lows))
    axes.set_xlim(min(lows) - room, max(highs) + room)
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.set_yticks(rows, list(bars))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
