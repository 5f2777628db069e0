"""Figures of `serve`: how long requests take, and how that grows with the load."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from reports.files import write_whole
from reports.serving_load import draw_load
from reports.serving_response import draw_response
from reports.sheet import png_bytes


def write_response_figure(data: dict[str, Any], path: Path) -> None:
    """Draw the distribution of one run's response times into one PNG file.

    Raises:
        UserError: the path cannot be written.
    """
    write_whole(path, png_bytes(partial(draw_response, data)))


def write_load_figure(data: dict[str, Any], path: Path) -> None:
    """Draw percentiles over the rate of requests into one PNG file.

    Raises:
        UserError: the path cannot be written.
    """
    write_whole(path, png_bytes(partial(draw_load, data)))
