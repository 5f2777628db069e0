"""Files that commands write: whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from simulator.errors import UserError


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader never sees a part of it, not even after a crash.

    Raises:
        UserError: the folder does not exist, or the path cannot be written.
    """
    if path.is_dir():
        raise UserError(f"{path}: is a folder, name a file in it")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        try:
            partial.write_text(text, encoding="utf-8", newline="\n")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
