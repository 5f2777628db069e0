"""The figure of `study prefetch`: savings of every policy, device by device, by regime."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from reports import palette
from reports.sheet import CHARACTER_WIDTH_IN, HEADER_IN, LABEL_PT, MARGIN_IN, Sheet
from reports.studies.policy_style import ANALYTIC, colour, mark
from simulator.study.questions.question import Row, distinct, number, where
from simulator.study.questions.regime import Regime

ROW_IN = 0.27
GROUP_IN = 0.36
PANEL_IN = 3.5
GAP_IN = 0.3
PANELS = (
    ("latency_saving_percent", "latency saved against dense with prefetch (%)"),
    ("energy_saving_percent", "energy saved against dense with prefetch (%)"),
)


def draw_prefetch(rows: Sequence[Row]) -> Sheet:
    """One line per device, grouped by regime, one mark per policy; the analytic saving dashed."""
    feasible = where(rows, reason="")
    groups = [
        (regime.value, distinct(_by_balance(where(feasible, regime=regime.value)), "device"))
        for regime in Regime
    ]
    groups = [(name, devices) for name, devices in groups if devices]
    policies = distinct(feasible, "policy")
    n_rows = sum(len(devices) for _, devices in groups)
    height_in = ROW_IN * n_rows + GROUP_IN * len(groups)
    names_in = CHARACTER_WIDTH_IN * max(len(str(row["device"])) for row in feasible) + 0.2
    analytic = number(feasible[0], "active_parameter_saving_percent")
    sheet = Sheet(
        width_in=2 * MARGIN_IN + names_in + 2 * PANEL_IN + GAP_IN,
        height_in=HEADER_IN + height_in + 1.0,
        headline="How much of the analytic saving arrives",
        caption=f"SigmaB ResNet-50 against dense ResNet-50, batch 1; dashed: {analytic:.1f} % "
        "fewer active parameters\nwithin a regime, the device with the most DRAM time per compute "
        "time is on top",
    )
    places = _places(groups)
    for at, (column, label) in enumerate(PANELS):
        left_in = MARGIN_IN + names_in + at * (PANEL_IN + GAP_IN)
        axes = sheet.axes(left_in, HEADER_IN, PANEL_IN, height_in)
        _panel(axes, feasible, places, column, analytic)
        axes.set_ylim(height_in, 0)
        axes.set_xlabel(label)
        axes.tick_params(axis="y", length=0)
        if at == 0:
            axes.set_yticks(list(places.values()), list(places))
            _regime_names(axes, groups)
        else:
            axes.set_yticks(list(places.values()), [])
    handles = [
        Line2D([], [], color=colour(p), marker=mark(p), linestyle="", markersize=6, label=p)
        for p in policies
    ]
    legend_in = HEADER_IN + height_in + 0.6
    sheet.legend(handles, MARGIN_IN + names_in, legend_in, ncols=len(handles))
    return sheet


def _by_balance(rows: Sequence[Row]) -> list[Row]:
    """The most starved of bandwidth first."""
    return sorted(
        rows, key=lambda row: number(row, "dense_compute_ms") / number(row, "dense_dram_busy_ms")
    )


def _places(groups: Sequence[tuple[str, list[str]]]) -> dict[str, float]:
    """Where each device's line is, downwards in inches; each group has a heading above it."""
    at_in, places = 0.0, {}
    for _, devices in groups:
        at_in += GROUP_IN
        for device in devices:
            places[device] = at_in + ROW_IN / 2
            at_in += ROW_IN
    return places


def _regime_names(axes: Axes, groups: Sequence[tuple[str, list[str]]]) -> None:
    at_in = 0.0
    for name, devices in groups:
        axes.annotate(
            name,
            (0, at_in + GROUP_IN - 0.06),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            size=LABEL_PT,
            weight="bold",
            color=palette.DARK_GREY,
        )
        at_in += GROUP_IN + ROW_IN * len(devices)


def _panel(
    axes: Axes, rows: Sequence[Row], places: dict[str, float], column: str, analytic: float
) -> None:
    for device, y in places.items():
        mine = where(rows, device=device)
        values = [number(row, column) for row in mine]
        axes.plot([min(values), max(values)], [y, y], color="#BDBDBD", linewidth=1.2, zorder=1)
        for row in mine:
            policy = str(row["policy"])
            size = 9 if mark(policy) == "|" else 5.5
            axes.plot(
                number(row, column),
                y,
                mark(policy),
                color=colour(policy),
                markersize=size,
                markeredgewidth=1.8 if mark(policy) == "|" else 0,
                alpha=0.9,
            )
    axes.axvline(analytic, color=ANALYTIC, linestyle="--", linewidth=1.0, zorder=0)
    axes.axvline(0, color=palette.BLACK, linewidth=0.8, zorder=0)
    axes.grid(axis="x")
