"""Writes the pictures of a run and of a comparison: the entry points of this package.

Every picture is drawn before the first file is written, and every file appears whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from reports.compare import draw_comparison
from reports.energy import draw_energy
from reports.files import write_whole
from reports.latency import draw_layers
from reports.roofline import draw_roofline
from reports.sheet import Sheet, png_bytes
from reports.timeline import draw_timeline
from reports.tornado import draw_tornado
from reports.trace_events import trace_json
from reports.validation import write_validation_figures
from simulator.sensitivity import Sensitivity
from simulator.simulation import RunResult

__all__ = ["write_compare_figure", "write_run_figures", "write_validation_figures"]

RUN_FIGURES: dict[str, Callable[[RunResult], Sheet]] = {
    "layers.png": draw_layers,
    "roofline.png": draw_roofline,
    "energy.png": draw_energy,
    "timeline.png": draw_timeline,
}
TRACE_FILE = "trace.json"


def write_run_figures(run: RunResult, folder: Path) -> list[Path]:
    """Draw a run's typical inference into an existing folder; returns the files written.

    The figures, and `trace.json` for a trace viewer such as ui.perfetto.dev.

    Raises:
        UserError: the folder does not exist or cannot be written.
    """
    files = {name: png_bytes(partial(draw, run)) for name, draw in RUN_FIGURES.items()}
    files[TRACE_FILE] = trace_json(run).encode()
    for name, data in files.items():
        write_whole(folder / name, data)
    return [folder / name for name in files]


def write_compare_figure(runs: Sequence[RunResult], path: Path) -> None:
    """Draw latency, energy and DRAM traffic of several runs side by side into one PNG file.

    Raises:
        UserError: the path cannot be written.
    """
    write_whole(path, png_bytes(partial(draw_comparison, runs)))


def write_tornado_figure(found: Sensitivity, path: Path) -> None:
    """Draw what each constant does to energy and latency over its range into one PNG file.

    Raises:
        UserError: the path cannot be written.
    """
    write_whole(path, png_bytes(partial(draw_tornado, found)))
