"""Ctrl-C, wherever it strikes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic_core import PydanticSerializationError


@contextmanager
def plain_interrupts() -> Iterator[None]:
    """Let an interrupt out as what it is.

    pydantic turns one that strikes a serialiser written in Python into an error of its own.
    """
    try:
        yield
    except PydanticSerializationError as error:
        if "KeyboardInterrupt" in str(error):
            raise KeyboardInterrupt from error
        raise
