"""Pictures of a sweep, from its table alone: the entry point for `sweep`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from reports.files import write_whole
from reports.sheet import Sheet, png_bytes
from reports.sweep_effects import draw_effects
from reports.sweep_frame import SweepFrame, read_sweep
from reports.sweep_heat import draw_heat
from reports.sweep_page import scratchpad_page
from reports.sweep_pareto import draw_pareto
from reports.sweep_scratchpad import draw_scratchpad

FIGURES: dict[str, Callable[[SweepFrame], Sheet | None]] = {
    "scratchpad.png": draw_scratchpad,
    "heat.png": draw_heat,
    "pareto.png": draw_pareto,
    "effects.png": draw_effects,
}
PAGE = "scratchpad.md"


def write_sweep_figures(table: Path, folder: Path) -> list[Path]:
    """Draw what the axes allow: some figures need a capacity, others two axes of numbers.

    Raises:
        UserError: the folder does not exist or cannot be written.
    """
    sweep = read_sweep(table)
    files = {}
    for name, draw in FIGURES.items():
        sheet = draw(sweep) if len(sweep.feasible) else None
        if sheet is not None:
            files[name] = png_bytes(partial(_drawn, draw, sweep))
    page = scratchpad_page(sweep) if len(sweep.feasible) else None
    if page is not None:
        files[PAGE] = page.encode()
    for name, data in files.items():
        write_whole(folder / name, data)
    return [folder / name for name in files]


def _drawn(draw: Callable[[SweepFrame], Sheet | None], sweep: SweepFrame) -> Sheet:
    sheet = draw(sweep)
    if sheet is None:
        raise ValueError("a figure that was drawn a moment ago")
    return sheet
