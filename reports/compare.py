"""The figure of a comparison: latency, energy and DRAM traffic of several runs side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from reports import palette, wording
from reports.energy import COMPONENT_NAMES, components_pj
from reports.sheet import CHARACTER_WIDTH_IN, HEADER_IN, LABEL_PT, MARGIN_IN, Sheet
from simulator.mapping.tiles import TransferKind
from simulator.result import StallKind
from simulator.simulation import RunResult
from simulator.speculated import wasted_transfers

ROW_IN = 0.46
BARS_IN = 2.5
VALUES_IN = 1.35
"""Room at the right of each panel's longest bar for its value and percentage."""

_TRAFFIC_NAMES = {
    TransferKind.WEIGHT: "weights",
    TransferKind.IFMAP: "activations in",
    TransferKind.OFMAP: "activations out",
}


@dataclass(frozen=True)
class Panel:
    """One quantity of all runs, each split into the same parts.

    Attributes:
        title: what is compared.
        scale: the unit it is drawn in.
        parts: per run, amounts by part in the simulator's unit.
        colours: of each part, in the order they are stacked.
    """

    title: str
    scale: wording.Scale
    parts: tuple[dict[str, float], ...]
    colours: dict[str, str]

    @property
    def totals(self) -> list[float]:
        """Each run's sum."""
        return [sum(parts.values()) for parts in self.parts]


def latency_panel(runs: Sequence[RunResult]) -> Panel:
    """Mean latency of an inference as compute and stalls."""
    colours = {"compute": palette.COMPUTE}
    colours |= {wording.stall_name(kind): palette.STALLS[kind] for kind in StallKind}
    parts = []
    for run in runs:
        compute = run.mean({arms: result.compute_ps for arms, result in run.results.items()})
        stalls = {wording.stall_name(kind): run.mean_stall_ps(kind) for kind in StallKind}
        parts.append({"compute": compute, **stalls})
    return _panel("latency", parts, colours, wording.time_scale)


def energy_panel(runs: Sequence[RunResult]) -> Panel:
    """Mean energy of an inference by component."""
    colours = {label: palette.ENERGY[name] for name, label in COMPONENT_NAMES.items()}
    parts = [
        {COMPONENT_NAMES[name]: energy for name, energy in components_pj(run.mean_energy).items()}
        for run in runs
    ]
    return _panel("energy", parts, colours, wording.energy_scale)


def traffic_panel(runs: Sequence[RunResult]) -> Panel:
    """Mean bytes per inference over the DRAM bus, whole bursts, by what they are."""
    colours = {_TRAFFIC_NAMES[kind]: palette.TRANSFERS[kind] for kind in TransferKind}
    parts = []
    for run in runs:
        mine = {}
        for kind, name in _TRAFFIC_NAMES.items():
            mine[name] = run.mean({arms: _bus_bytes(run, arms, kind) for arms in run.results})
        parts.append(mine)
    return _panel("DRAM traffic", parts, colours, wording.byte_scale)


def _bus_bytes(run: RunResult, arms: tuple[int, ...], kind: TransferKind) -> int:
    timeline = run.results[arms].timeline
    commands = timeline.schedule.commands
    decided = timeline.schedule.branch_tiles if kind is TransferKind.WEIGHT else ()
    return sum(wasted_transfers(timeline, tile).bus_bytes for tile in decided) + sum(
        n_bytes
        for n_bytes, moved in zip(commands.bus_bytes, commands.kind, strict=True)
        if moved is kind
    )


def _panel(
    title: str,
    parts: list[dict[str, float]],
    colours: dict[str, str],
    scale_up_to: Callable[[float], wording.Scale],
) -> Panel:
    largest = max(sum(mine.values()) for mine in parts)
    return Panel(title, scale_up_to(largest), tuple(parts), colours)


def draw_comparison(runs: Sequence[RunResult]) -> Sheet:
    """Means over the inferences of each run, as values and as changes against the first run."""
    names = [wording.clip(name, 44) for name in run_names(runs)]
    panels = [latency_panel(runs), energy_panel(runs), traffic_panel(runs)]
    left_in = MARGIN_IN + 0.1 + CHARACTER_WIDTH_IN * max(len(name) for name in names)
    pitch_in = BARS_IN + VALUES_IN + 0.25
    top_in, height_in = HEADER_IN + 0.25, ROW_IN * len(runs)
    legend_rows = max(math.ceil(len(_drawn_parts(panel)) / 2) for panel in panels)
    sheet = Sheet(
        width_in=left_in + pitch_in * len(panels),
        height_in=top_in + height_in + 0.75 + 0.19 * legend_rows,
        headline="Latency, energy and DRAM traffic per inference",
        caption=_caption(runs),
    )
    for index, panel in enumerate(panels):
        panel_in = left_in + pitch_in * index
        axes = sheet.axes(panel_in, top_in, BARS_IN + VALUES_IN, height_in)
        _draw_panel(axes, panel)
        axes.set_yticks(range(len(names)), names if index == 0 else [])
        sheet.text(panel_in, top_in - 0.1, panel.title, weight="bold", va="baseline")
        handles = [Patch(color=panel.colours[part], label=part) for part in _drawn_parts(panel)]
        sheet.legend(handles, panel_in, top_in + height_in + 0.6, ncols=2)
    return sheet


def run_names(runs: Sequence[RunResult]) -> list[str]:
    """What tells the runs apart: the workload, and regime and accelerator where they differ."""
    regimes = {wording.regime(run) for run in runs}
    specs = {run.spec.name for run in runs}
    names = []
    for run in runs:
        parts = [run.workload.name]
        parts += [wording.regime(run)] if len(regimes) > 1 else []
        parts += [run.spec.name] if len(specs) > 1 else []
        names.append(", ".join(parts))
    return names


def _drawn_parts(panel: Panel) -> list[str]:
    return [name for name in panel.colours if any(parts[name] for parts in panel.parts)]


def _draw_panel(axes: Axes, panel: Panel) -> None:
    totals = panel.totals
    rows = range(len(totals))
    lefts = [0.0] * len(totals)
    for part in _drawn_parts(panel):
        widths = [panel.scale.of(parts[part]) for parts in panel.parts]
        axes.barh(rows, widths, left=lefts, height=0.66, color=panel.colours[part], zorder=2)
        lefts = [left + width for left, width in zip(lefts, widths, strict=True)]
    for row, total in zip(rows, totals, strict=True):
        value = panel.scale.of(total)
        label = f"{wording.three_digits(value)} {panel.scale.unit}"
        axes.annotate(
            label if row == 0 else f"{label}, {wording.change(total, totals[0])}",
            (value, row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center_baseline",
            size=LABEL_PT,
        )
    longest = panel.scale.of(max(totals)) or 1.0
    axes.set_xlim(0, longest * (BARS_IN + VALUES_IN) / BARS_IN)
    axes.set_ylim(len(totals) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.set_xlabel(f"{panel.title} ({panel.scale.unit})")


def _caption(runs: Sequence[RunResult]) -> str:
    counts = sorted({len(run.routes) for run in runs})
    inferences = f"mean over {' or '.join(f'{count:,}' for count in counts)} inferences"
    regimes = {wording.regime(run) for run in runs}
    regime = f", {regimes.pop()}" if len(regimes) == 1 else ""
    machines = list(dict.fromkeys(wording.hardware(run.spec) for run in runs))
    machine = machines[0] if len(machines) == 1 else "several accelerators"
    return f"{inferences}{regime}; change against the first row\n{machine}"
