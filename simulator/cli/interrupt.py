"""Ctrl-C, wherever it strikes, and what it leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pydantic_core import PydanticSerializationError

STARTS_OVER = "the same command starts over"
WITH_RESUME = "the same command with --resume goes on from the last checkpoint"


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


@contextmanager
def goes_on(how: Callable[[], str]) -> Iterator[None]:
    """Let an interrupt out with how to go on from what is kept, asked for when it strikes."""
    try:
        with plain_interrupts():
            yield
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(how()) from error
