"""The figure `load.png`: percentiles of the response time over the rate of requests."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from reports import palette, wording
from reports.sheet import HEADER_IN, LABEL_PT, MARGIN_IN, Sheet
from simulator.units import PS_PER_S

PLOT_IN = (6.0, 4.0)
LEGEND_IN = 2.9
LINES: dict[str, Any] = {"p50": ":", "p99": "-", "p99.9": "--"}
ROW_IN = 0.2


def knee(points: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The point with the most load per mean response time, where more load starts to cost more.

    L. Kleinrock, Power and deterministic rules of thumb for probabilistic problems in computer
    communications, ICC 1979: power is throughput over response time.
    """
    steady = [point for point in points if not point["saturated"]]
    if len(steady) < 3:
        return None
    return max(steady, key=lambda p: p["load_fraction"] / p["all"]["response_s"]["mean"])


def draw_load(data: dict[str, Any]) -> Sheet:
    """One colour a system: median, p99 with its interval, p99.9, saturation, what is sustained."""
    provenance, systems = data["provenance"], data["systems"]
    settings = provenance["settings"]
    kept = ""
    if settings["residency"] != "none":
        kept = f", residency {settings['residency']} in {settings['region']}"
    sheet = Sheet(
        width_in=MARGIN_IN + 0.65 + PLOT_IN[0] + 0.3 + LEGEND_IN,
        height_in=HEADER_IN + PLOT_IN[1] + 0.75,
        headline="Response time over the rate of requests",
        caption=f"{provenance['spec']['name']}, {settings['arrivals']} arrivals, "
        f"{settings['scheduling'].replace(',', ' and ')}, policy {settings['policy']}{kept}",
    )
    left_in = MARGIN_IN + 0.65
    axes = sheet.axes(left_in, HEADER_IN, *PLOT_IN)
    scale = wording.time_scale(_highest_s(systems) * PS_PER_S / 10)
    for number, system in enumerate(systems):
        _draw_system(axes, system, palette.SERIES[number % len(palette.SERIES)], scale)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    most_hz = max(rate_hz for system in systems for rate_hz in _rates(system))
    axes.set_xlim(0, most_hz * 1.05)
    axes.set_xlabel("requests per second")
    axes.set_ylabel(f"response time ({scale.unit})")
    axes.grid()
    _draw_target(axes, systems, scale, most_hz)
    _legends(sheet, systems, left_in + PLOT_IN[0] + 0.3)
    return sheet


def _steady(system: dict[str, Any]) -> list[dict[str, Any]]:
    return [point for point in system["points"] if not point["saturated"]]


def _rates(system: dict[str, Any]) -> list[float]:
    """Every rate that is drawn."""
    capacity = system["capacity"]
    met = [capacity["met"]["rate_hz"]] if capacity and capacity["met"] else []
    return [system["saturation_hz"], *met, *(point["rate_hz"] for point in _steady(system))]


def _highest_s(systems: list[dict[str, Any]]) -> float:
    times = [p["all"]["response_s"]["p99.9"] for s in systems for p in _steady(s)]
    return max(times, default=1.0)


def _draw_system(axes: Axes, system: dict[str, Any], colour: str, scale: wording.Scale) -> None:
    points = _steady(system)
    rates = [point["rate_hz"] for point in points]
    times = [point["all"]["response_s"] for point in points]
    for name, dashes in LINES.items():
        values = [scale.of(each[name] * PS_PER_S) for each in times]
        axes.plot(rates, values, color=colour, linestyle=dashes, linewidth=1.6)
    if points and all(each["intervals"] for each in times):
        low, high = (
            [scale.of(each["intervals"]["p99"][end] * PS_PER_S) for each in times] for end in (0, 1)
        )
        axes.fill_between(rates, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.axvline(system["saturation_hz"], color=colour, linewidth=0.9, alpha=0.7)
    bend = knee(system["points"])
    if bend:
        y = scale.of(bend["all"]["response_s"]["p99"] * PS_PER_S)
        axes.plot([bend["rate_hz"]], [y], "o", color=colour, markerfacecolor="white", markersize=7)


def _draw_target(
    axes: Axes, systems: list[dict[str, Any]], scale: wording.Scale, most_hz: float
) -> None:
    for number, system in enumerate(systems):
        capacity = system["capacity"]
        if capacity is None or capacity["statistic"] == "missed":
            continue
        limit = scale.of(capacity["most"] * PS_PER_S)
        axes.axhline(limit, color=palette.DARK_GREY, linestyle="-.", linewidth=1)
        met = capacity["met"]
        if met is None:
            continue
        colour = palette.SERIES[number % len(palette.SERIES)]
        axes.plot([met["rate_hz"]], [limit], "D", color=colour, markersize=6, zorder=4)
        right = met["rate_hz"] > 0.93 * most_hz
        axes.annotate(
            f"{wording.three_digits(met['rate_hz'])}/s",
            (met["rate_hz"], limit),
            xytext=(-6 if right else 6, -12),
            textcoords="offset points",
            ha="right" if right else "left",
            size=LABEL_PT,
            color=colour,
            weight="bold",
        )


def _legends(sheet: Sheet, systems: list[dict[str, Any]], left_in: float) -> None:
    top_in = HEADER_IN + 0.05
    handles: list[Any] = [
        Patch(
            color=palette.SERIES[number % len(palette.SERIES)],
            label=wording.clip(system["system"], 38),
        )
        for number, system in enumerate(systems)
    ]
    sheet.legend(handles, left_in, top_in)
    grey = palette.DARK_GREY
    marks = [Line2D([], [], color=grey, linestyle=style, label=n) for n, style in LINES.items()]
    marks[1].set_label("p99, shaded: 95 % interval")
    marks.append(Line2D([], [], color=grey, linewidth=0.9, label="upright: back to back, in order"))
    if any(knee(system["points"]) for system in systems):
        ring: dict[str, Any] = {"marker": "o", "markerfacecolor": "white", "linestyle": ""}
        label = "knee: most load per mean response"
        marks.append(Line2D([], [], color=grey, label=label, **ring))
    capacity = systems[0]["capacity"]
    if capacity and capacity["statistic"] != "missed":
        text = wording.clip(capacity["target"], 24)
        marks.append(
            Line2D([], [], color=grey, linestyle="-.", marker="D", label=f"sustained at {text}")
        )
    sheet.legend(marks, left_in, top_in + ROW_IN * len(handles) + 0.2, handlelength=2.6)
