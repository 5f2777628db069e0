"""The index of a folder of studies: one line of claim each, read from what they wrote."""

from __future__ import annotations

import json
from pathlib import Path

from simulator.study.questions.provenance import QUESTION_SCHEMA
from simulator.study.questions.registry import QUESTIONS

INDEX_FILE = "README.md"
RESERVED = (INDEX_FILE, "answer.md")


def index_page(folder: Path) -> str:
    """The studies in the folder, in the order of reading, then the other pages beside them."""
    lines = ["# Studies", ""]
    lines.append("Each is one command, one claim, one figure and one table. The claims are")
    lines.append("computed from the tables; a test holds the tables against the simulator.")
    lines += ["", "| study | asks | finds |", "|---|---|---|"]
    listed = set()
    for name in QUESTIONS:
        path = folder / f"{name}.json"
        if not path.is_file():
            continue
        made = json.loads(path.read_text(encoding="utf-8"))
        if made.get("schema") == QUESTION_SCHEMA:
            listed.add(f"{name}.md")
            lines.append(f"| [{name}]({name}.md) | {made['asks']} | {made['claims'][0]} |")
    others = [
        path
        for path in sorted(folder.glob("*.md"))
        if path.name not in listed and path.name not in RESERVED
    ]
    if others:
        lines += ["", "Beside them:", ""]
        lines += [f"- [{_heading(path)}]({path.name})" for path in others]
    return "\n".join(lines) + "\n"


def _heading(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.readline().removeprefix("#").strip()
