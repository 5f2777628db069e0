"""Files that commands write: whole or not at all."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from simulator.errors import UserError


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader never sees a part of it, not even after a crash.

    Raises:
        UserError: the folder does not exist, or the path cannot be written.
    """
    with writing(path) as file:
        file.write(text)


@contextmanager
def writing(path: Path) -> Iterator[TextIO]:
    """A file to write piece by piece that takes its place only when it is complete.

    Raises:
        UserError: the folder does not exist, or the path cannot be written.
    """
    if path.is_dir():
        raise UserError(f"{path}: is a folder, name a file in it")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        try:
            with partial.open("w", encoding="utf-8", newline="\n") as file:
                yield file
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None


def folder_path(text: str) -> Path:
    """The folder that an option names; for argparse.

    Raises:
        argparse.ArgumentTypeError: an empty name, such as that of an unset shell variable.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError("names no folder; for this one write .")
    return Path(text)


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be made or written, before any work is done.

    Raises:
        UserError: a file is in the way, or the nearest existing folder is not writable.
    """
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        raise UserError(f"{folder}: cannot be a folder: {existing} is a file")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise UserError(f"{folder}: cannot be written: {existing} is not writable")


def make_folder(folder: Path) -> None:
    """Make a folder and what is missing above it.

    Raises:
        UserError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be made: {error.strerror}") from None
