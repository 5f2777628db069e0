"""The page of a study: its claims, its figure, how it was made, and its table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simulator.study.questions.question import Cell, Question, Row


def page(question: Question, rows: Sequence[Row], made: dict[str, Any]) -> str:
    """The page as Markdown; the same rows give the same text."""
    first, *others = made["claims"]
    name = question.name
    parts = [
        f"# {question.title}",
        f"**{first}**",
        f"![{question.asks}]({name}.png)",
        *(["\n".join(f"- {claim}" for claim in others)] if others else []),
        "## How",
        question.method,
        f"Reproduce it with `{made['command']} --out DIR`. The complete table is "
        f"[{name}.csv]({name}.csv), its provenance [{name}.json]({name}.json): simulator "
        f"{made['versions']['simulator']}, seed {made['seed']}, {made['inferences']:,} routes "
        "drawn from the leaf shares.",
        "## Table",
        table(rows, question.shown),
    ]
    return "\n\n".join(parts) + "\n"


def table(rows: Sequence[Row], shown: Sequence[tuple[str, str]]) -> str:
    """Rows as a Markdown table; columns that say nothing are left out."""
    columns = [(c, head) for c, head in shown if any(row[c] not in (None, "") for row in rows)]
    lines = [
        f"| {' | '.join(head for _, head in columns)} |",
        f"|{'---|' * len(columns)}",
    ]
    lines += [f"| {' | '.join(_text(row[c]) for c, _ in columns)} |" for row in rows]
    return "\n".join(lines)


def _text(cell: Cell) -> str:
    """A cell as people read it: four digits of a number."""
    if cell is None:
        return ""
    if isinstance(cell, float):
        digits = 1 if abs(cell) >= 10 else 2 if abs(cell) >= 1 else 3
        text = f"{cell:.0f}" if abs(cell) >= 1000 else f"{cell:.{digits}f}"
        return "0" if float(text) == 0 else text.replace("-", "−")
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)
