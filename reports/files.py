"""Files that reports write: whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from simulator.errors import UserError


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that no reader ever sees a part of it, not even after a crash.

    Raises:
        UserError: the folder does not exist, or the path cannot be written.
    """
    temporary = None
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        # mkstemp makes files for their owner alone; a report is as readable as its folder.
        temporary.chmod(path.parent.stat().st_mode & 0o666)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
