"""Writes what the accuracy study found: its data, a page with tables, and a figure."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from reports.files import write_whole
from reports.sheet import png_bytes
from reports.studies.accuracy_figure import draw_accuracy
from reports.studies.accuracy_page import page
from reports.studies.accuracy_summary import summarise_study


def write_accuracy_study(results: dict[str, Any], folder: Path) -> list[Path]:
    """Write accuracy_DATA.json, .md and .png into an existing folder; returns them.

    Raises:
        UserError: the folder does not exist or cannot be written.
    """
    name = f"accuracy_{results['data']}"
    study = summarise_study(results)
    files = {
        f"{name}.json": (json.dumps(results, indent=1) + "\n").encode(),
        f"{name}.md": page(results, study, f"{name}.png").encode(),
        f"{name}.png": png_bytes(partial(draw_accuracy, results, study)),
    }
    for file, data in files.items():
        write_whole(folder / file, data)
    return [folder / file for file in files]
