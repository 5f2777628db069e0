"""The figure `channels.png`: which channels siblings share and which each keeps as its own."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from reports import palette
from reports.build_files import BuildFiles
from reports.sheet import HEADER_IN, MARGIN_IN, Sheet
from reports.wording import clip

PANEL_IN = 2.7
GAP_IN = 0.75
COLUMNS = 3
MOST_PANELS = 6

KINDS = {
    "shared": ("shared by both", palette.GREEN, "o"),
    "first": ("only cluster 0's", palette.BLUE, "^"),
    "second": ("only cluster 1's", palette.VERMILION, "v"),
    "both": ("chosen by each as its own", palette.PURPLE, "D"),
    "dropped": ("in neither", palette.GREY, "x"),
}


def draw_channels(build: BuildFiles) -> Sheet:
    """Mean dense activation of each channel in the two clusters (arXiv 2606.09924, figure 2)."""
    panels = [
        (node, group)
        for node in build.channels["nodes"]
        for group in node["groups"]
        if len(group["channels"]) > 1
    ][:MOST_PANELS]
    columns = max(1, min(COLUMNS, len(panels)))
    rows = -(-len(panels) // columns)
    width_in = max(2 * MARGIN_IN + 0.4 + columns * (PANEL_IN + GAP_IN), 7.4)
    height_in = HEADER_IN + 0.35 + rows * (PANEL_IN + GAP_IN + 0.1)
    sheet = Sheet(
        width_in,
        height_in,
        "Siblings share the channels both clusters use and keep those that tell them apart",
        f"{clip(build.caption, 100)}\neach point one channel of the dense network",
    )
    if not panels:
        sheet.text(MARGIN_IN, HEADER_IN, "No node has two children: nothing was divided.")
        return sheet
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="", markersize=5, label=label)
        for label, colour, marker in KINDS.values()
    ]
    sheet.legend(handles, MARGIN_IN, HEADER_IN - 0.1, ncols=len(handles), handletextpad=0.2)
    for index, (node, group) in enumerate(panels):
        row, column = divmod(index, columns)
        left_in = MARGIN_IN + 0.55 + column * (PANEL_IN + GAP_IN)
        top_in = HEADER_IN + 0.55 + row * (PANEL_IN + GAP_IN + 0.1)
        _panel(sheet.axes(left_in, top_in, PANEL_IN, PANEL_IN), node, group)
    return sheet


def kinds_of(group: dict[str, Any]) -> list[str]:
    """What became of each channel of a group in its first two branches."""
    first, second = (set(channels) for channels in group["channels"][:2])
    shared = {
        channel
        for channel, is_shared in zip(group["channels"][0], group["shared"][0], strict=True)
        if is_shared
    }
    return [
        "shared"
        if channel in shared
        else "both"
        if channel in first and channel in second
        else "first"
        if channel in first
        else "second"
        if channel in second
        else "dropped"
        for channel in range(len(group["means"][0]))
    ]


def _panel(axes: Axes, node: dict[str, Any], group: dict[str, Any]) -> None:
    kinds = kinds_of(group)
    for kind, (_, colour, marker) in KINDS.items():
        here = [index for index, found in enumerate(kinds) if found == kind]
        xs, ys = ([group["means"][cluster][index] for index in here] for cluster in (0, 1))
        axes.scatter(xs, ys, s=16, color=colour, marker=marker, linewidths=0.9, alpha=0.85)
    largest = 1.06 * max(max(means) for means in group["means"][:2]) or 1.0
    axes.plot([0, largest], [0, largest], color=palette.GREY, linewidth=0.7, zorder=0)
    axes.set(xlim=(0, largest), ylim=(0, largest), xlabel="mean activation, cluster 0")
    axes.set_ylabel("mean activation, cluster 1")
    where = "level 1" if node["level"] == 0 else f"level {node['level'] + 1}, below node "
    name = where if node["level"] == 0 else f"{where}{node['node']}"
    title = f"{name}: {group['n_shared']} of {group['n_kept']} shared"
    axes.set_title(title, loc="left", fontsize=9)
