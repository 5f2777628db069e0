"""The README's leading figure: what SigmaB is worth where weights bind and where compute does."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from reports import palette
from reports.sheet import CHARACTER_WIDTH_IN, HEADER_IN, LABEL_PT, MARGIN_IN, Sheet
from reports.studies.policy_style import ANALYTIC
from simulator.study.questions.question import Row, distinct, number, where
from simulator.study.questions.saving import COMPUTE_BOUND, WEIGHT_BOUND, realizable

ROW_IN = 0.5
PANEL_IN = 3.75
GAP_IN = 0.35
BAR = 0.34
MEASURES = (
    ("latency_saving_percent", "latency", palette.BLUE),
    ("energy_saving_percent", "energy", palette.ORANGE),
)


def draw_answer(rows: Sequence[Row]) -> Sheet:
    """Two panels, a policy per line, what is saved as bars; the analytic saving is dashed."""
    first = where(rows, device=WEIGHT_BOUND.name)
    policies = distinct(first, "policy")
    labels = [policy if realizable(policy) else f"{policy} (bound)" for policy in policies]
    analytic = number(first[0], "active_parameter_saving_percent")
    names_in = CHARACTER_WIDTH_IN * max(len(label) for label in labels) + 0.2
    height_in = ROW_IN * len(policies)
    sheet = Sheet(
        width_in=2 * MARGIN_IN + names_in + 2 * PANEL_IN + GAP_IN,
        height_in=HEADER_IN + 0.3 + height_in + 0.95,
        headline=f"{analytic:.1f} % fewer active parameters: what of it arrives, and what it takes",
        caption="SigmaB ResNet-50 against dense ResNet-50 that prefetches its weights across "
        "layers; ImageNet, batch 1, cold scratchpad\n2048 MACs at 1 GHz, 2 MiB scratchpad; "
        "dashed: the analytic saving",
    )
    top_in = HEADER_IN + 0.3
    for at, device in enumerate((WEIGHT_BOUND, COMPUTE_BOUND)):
        mine = where(rows, device=device.name)
        left_in = MARGIN_IN + names_in + at * (PANEL_IN + GAP_IN)
        axes = sheet.axes(left_in, top_in, PANEL_IN, height_in)
        _panel(axes, mine, policies, analytic)
        axes.set_yticks(range(len(policies)), labels if at == 0 else [])
        gigabytes = device.name.rpartition(", ")[2]
        title = f"{mine[0]['regime']} NPU, {gigabytes} of DRAM"
        sheet.text(left_in, top_in - 0.25, title, size=9.5, weight="bold")
    handles = [Patch(color=tint, label=f"{name} saved") for _, name, tint in MEASURES]
    sheet.legend(handles, MARGIN_IN + names_in, top_in + height_in + 0.62, ncols=2)
    return sheet


def _panel(axes: Axes, rows: Sequence[Row], policies: Sequence[str], analytic: float) -> None:
    for line, policy in enumerate(policies):
        (row,) = where(rows, policy=policy)
        for at, (column, _, tint) in enumerate(MEASURES):
            value, y = number(row, column), line + (at - 0.5) * BAR
            axes.barh(y, value, BAR, color=tint, alpha=1.0 if realizable(policy) else 0.5)
            axes.annotate(
                f"{value:.1f}".replace("-", "−"),
                (max(value, 0), y),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                size=LABEL_PT,
                backgroundcolor="white",
                bbox={"pad": 0.4, "color": "white"},
            )
    axes.axvline(analytic, color=ANALYTIC, linestyle="--", linewidth=1.2)
    lowest = min(0.0, *(number(row, column) for row in rows for column, _, _ in MEASURES))
    axes.set_xlim(lowest * 1.1, 68)
    axes.set_ylim(len(policies) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.set_xlabel("saved against dense (%)")
