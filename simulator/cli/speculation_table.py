"""What a run speculated on, in words."""

from __future__ import annotations

from typing import Any

from simulator.cli.format import quantity


def speculation_rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Rows for the table of totals: nothing to say where nothing branches."""
    rows = []
    found = summary["speculation"]
    if found["planned_bytes"]:
        rows.append(
            (
                "speculation",
                f"[bold]{quantity(found['planned_bytes'], 'B')}[/] of weights: "
                f"{quantity(found['useful_bytes'], 'B')} useful "
                f"({quantity(found['early_bytes'], 'B')} before the decision), "
                f"{quantity(found['wasted_bytes'], 'B')} wasted "
                f"({quantity(found['wasted_j'], 'J')}), "
                f"{quantity(found['cancelled_bytes'], 'B')} cancelled",
            )
        )
    for router, window in summary["prefetch_windows"].items():
        rows.append(
            (
                f"ahead of {router}",
                f"DRAM idle for {quantity(window['idle_s'], 's')}, "
                f"{quantity(window['free_bytes'], 'B')} free: "
                f"{quantity(window['hideable_bytes'], 'B')} of the arm's "
                f"{quantity(window['arm_bytes'], 'B')} could be hidden",
            )
        )
    return rows
