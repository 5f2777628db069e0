"""Reads the reference numbers that are shipped beside this module."""

from __future__ import annotations

import csv
from importlib.resources import files

DATA = "data"


def reference_text(name: str) -> str:
    """The text of one shipped data file."""
    folder = files("simulator.validate").joinpath(DATA)
    return folder.joinpath(name).read_text(encoding="utf-8")


def reference_rows(name: str) -> list[dict[str, str]]:
    """The rows of one shipped CSV file, by column."""
    return list(csv.DictReader(reference_text(name).splitlines()))
