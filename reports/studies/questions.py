"""Writes what a study found: table, provenance, page and figure, and the folder's index."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from reports.files import write_whole
from reports.sheet import Sheet, png_bytes
from reports.studies.answer_figure import draw_answer
from reports.studies.break_even_figure import draw_break_even
from reports.studies.layout_figure import draw_layout
from reports.studies.phases_figure import draw_phases
from reports.studies.prefetch_figure import draw_prefetch
from reports.studies.question_page import page
from reports.studies.residency_figure import draw_residency
from reports.studies.shapes_figure import draw_shapes
from reports.studies.study_index import INDEX_FILE, index_page
from reports.studies.waterfall_figure import draw_waterfall
from simulator.study.questions.prefetch import answer_table
from simulator.study.questions.question import Question, Row

FIGURES: dict[str, Callable[[Sequence[Row]], Sheet]] = {
    "prefetch": draw_prefetch,
    "waterfall": draw_waterfall,
    "phases": draw_phases,
    "break_even": draw_break_even,
    "layout": draw_layout,
    "residency": draw_residency,
    "shapes": draw_shapes,
}


def write_question(
    question: Question, rows: Sequence[Row], made: dict[str, Any], folder: Path
) -> list[Path]:
    """Write NAME.csv, .json, .md and .png and the index into an existing folder; returns them.

    Raises:
        UserError: the folder does not exist or cannot be written.
    """
    name = question.name
    files = {
        f"{name}.csv": csv_text(question, rows).encode(),
        f"{name}.json": (json.dumps(made, indent=1) + "\n").encode(),
        f"{name}.md": page(question, rows, made).encode(),
        f"{name}.png": png_bytes(partial(FIGURES[name], rows)),
    }
    if name == "prefetch":
        files["answer.md"] = answer_table(rows).encode()
        files["answer.png"] = png_bytes(partial(draw_answer, rows))
    for file, data in files.items():
        write_whole(folder / file, data)
    write_whole(folder / INDEX_FILE, index_page(folder).encode())
    return [folder / file for file in (*files, INDEX_FILE)]


def csv_text(question: Question, rows: Sequence[Row]) -> str:
    """The table, every number in full."""
    text = io.StringIO()
    writer = csv.DictWriter(text, question.columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def read_rows(path: Path) -> list[Row]:
    """The rows of a table written by `csv_text`."""
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: _cell(text) for name, text in line.items()} for line in csv.DictReader(file)]


def _cell(text: str) -> str | int | float | None:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
