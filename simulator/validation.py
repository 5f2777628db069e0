"""Turns pydantic's findings into one line that names the field, the value and the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails


def nearest(word: str, known: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` for the closest known word, or an empty string."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""


def first_problem(error: ValidationError, known_fields: Iterable[str] = ()) -> str:
    """The most telling error as ``field.path: value: what is wrong``; counts the others."""
    first = most_telling(error)
    path = ".".join(str(part) for part in first["loc"]) or "file"
    others = error.error_count() - 1
    more = f" (and {others} more problem{'s' if others > 1 else ''})" if others else ""
    if first["type"] == "extra_forbidden":
        name = str(first["loc"][-1])
        return f"{path}: unknown field{nearest(name, known_fields)}{more}"
    if first["type"] == "missing":
        return f"{path}: missing, it is required{more}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{path}: {_shown(first.get('input'))}{message}{more}"


def most_telling(error: ValidationError) -> ErrorDetails:
    """The error to show: an unknown field first, for a misspelt one is also missing."""
    problems = error.errors(include_url=False)
    return min(problems, key=lambda problem: problem["type"] != "extra_forbidden")


def _shown(value: Any) -> str:
    """The offending value, if it is short enough to help."""
    if isinstance(value, dict | list | tuple):
        return ""
    if value is None:
        return "null: "
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'}: "
