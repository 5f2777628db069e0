"""Files that reports write: whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from simulator.errors import UserError


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that no reader ever sees a part of it, not even after a crash.

    Raises:
        UserError: the folder does not exist, or the path cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        try:
            partial.write_bytes(data)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
