"""The figure `response.png`: the distribution of response times, with the deadline."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from reports import palette, wording
from reports.sheet import HEADER_IN, LABEL_PT, MARGIN_IN, Sheet
from simulator.units import PS_PER_S

PLOT_IN = (4.1, 3.3)
LEFT_IN, GAP_IN = MARGIN_IN + 0.65, 0.95
MOST_CURVES = 9


def draw_response(data: dict[str, Any]) -> Sheet:
    """Left, the share of requests done by a time; right, the share still not, on a log scale."""
    summary = data["summary"]
    curves = dict(list(data["distributions"].items())[:MOST_CURVES])
    slowest_s = summary["all"]["response_s"]["p99.9"]
    scale = wording.time_scale(slowest_s * PS_PER_S)
    sheet = Sheet(
        width_in=LEFT_IN + 2 * PLOT_IN[0] + GAP_IN + MARGIN_IN,
        height_in=HEADER_IN + PLOT_IN[1] + 0.9,
        headline="How long requests take, from arrival to the end of their inference",
        caption=_caption(data),
    )
    done = sheet.axes(LEFT_IN, HEADER_IN, *PLOT_IN)
    late = sheet.axes(LEFT_IN + PLOT_IN[0] + GAP_IN, HEADER_IN, *PLOT_IN)
    handles = [_draw(done, late, name, curves[name], n, scale) for n, name in enumerate(curves)]
    due_s = sorted({due for due in summary["deadlines_s"] if due is not None})
    for time_s in due_s:
        for axes in (done, late):
            axes.axvline(_in(scale, time_s), color=palette.DARK_GREY, linestyle="--", linewidth=1.2)
    if due_s:
        label = f"deadline, {100 * summary['all']['missed_fraction']:.3g} % missed"
        handles.append(Line2D([], [], color=palette.DARK_GREY, linestyle="--", label=label))
    longest_s = max(slowest_s, *due_s, summary["all"]["service_s"]["max"]) * 1.05
    done.set_xlim(0, _in(scale, longest_s))
    done.set_ylim(0, 1.02)
    done.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    done.set_ylabel("share of requests done by then")
    late.set_xlim(0, _in(scale, max(summary["all"]["response_s"]["max"], longest_s)) * 1.02)
    late.set_yscale("log")
    late.set_ylim(0.5 / summary["counted"], 1.3)
    late.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    late.set_ylabel("share of requests that take longer")
    for name in ("p50", "p99", "p99.9"):
        _mark_percentile(late, name, summary["all"]["response_s"][name], scale)
    for axes in (done, late):
        axes.set_xlabel(f"response time ({scale.unit})")
        axes.grid()
    sheet.legend(handles, LEFT_IN, HEADER_IN + PLOT_IN[1] + 0.55, ncols=6)
    return sheet


def _in(scale: wording.Scale, time_s: float) -> float:
    return scale.of(time_s * PS_PER_S)


def _draw(
    done: Axes, late: Axes, name: str, curve: dict[str, list[float]], number: int, scale: Any
) -> Line2D:
    colour = palette.BLACK if name == "all" else palette.SERIES[(number - 1) % 6]
    width = 2.0 if name == "all" else 1.1
    times = [_in(scale, time_s) for time_s in curve["response_s"]]
    shares = curve["share"]
    options: dict[str, Any] = {"color": colour, "linewidth": width, "drawstyle": "steps-post"}
    options["zorder"] = 3 if name == "all" else 2
    done.plot([times[0], *times], [0, *shares], **options)
    left = [1 - share for share in shares]
    late.plot([times[0], *times[:-1]], [1, *left[:-1]], **options)
    return Line2D([], [], color=colour, linewidth=width, label=wording.clip(name, 30))


def _mark_percentile(axes: Axes, name: str, time_s: float, scale: wording.Scale) -> None:
    share = 1 - float(name[1:]) / 100
    x = _in(scale, time_s)
    axes.plot([x], [share], "o", color=palette.BLACK, markersize=4, zorder=4)
    axes.annotate(
        f"{name} {wording.three_digits(x)} {scale.unit}",
        (x, share),
        xytext=(5, 4),
        textcoords="offset points",
        size=LABEL_PT,
    )


def _caption(data: dict[str, Any]) -> str:
    summary, provenance = data["summary"], data["provenance"]
    load = summary["offered_load_fraction"]
    busy = f"offered load {100 * load:.1f} %" if load is not None else "one burst"
    first = f"{wording.clip(summary['system'], 60)} on {provenance['spec']['name']}, {busy}"
    if summary["saturated"]:
        first += ": SATURATED, times grow with the length of the run"
    arrivals = wording.clip(", ".join(summary["arrivals"]), 50)
    return f"{first}\n{arrivals}, {summary['scheduling']}, {summary['counted']:,} requests"
