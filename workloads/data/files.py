"""Reading a data set's files with errors that say which file and what was expected of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from workloads.data.errors import DataError


def require_folder(path: Path, what: str) -> None:
    """Checks the folder the user named for a data set.

    Raises:
        DataError: it does not exist or is a file.
    """
    if not path.is_dir():
        state = "is not a folder" if path.exists() else "does not exist"
        raise DataError(f"{path}: {state}; name the folder that holds {what}")


def folder_with(path: Path, child: str, mark: str) -> Path | None:
    """`path` or its `child`, whichever holds the file `mark`; None if neither does."""
    return next((folder for folder in (path, path / child) if (folder / mark).is_file()), None)


def read_bytes(path: Path) -> bytes:
    """The file's bytes.

    Raises:
        DataError: it is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


def read_lines(path: Path) -> list[str]:
    """The file's non-empty lines, stripped.

    Raises:
        DataError: it is missing, cannot be read or is not text.
    """
    try:
        lines = read_bytes(path).decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise DataError(f"{path}: is not a UTF-8 text file") from None
    return [line.strip() for line in lines if line.strip()]


def check_md5(data: bytes, expected: str, path: Path) -> None:
    """Compares with a published checksum.

    Raises:
        DataError: they differ, so the file is damaged or another one.
    """
    found = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if found != expected:
        raise DataError(
            f"{path}: md5 is {found}, the published file has {expected}; "
            "it is damaged or not the original, unpack the archive again"
        )


def short_digest(*parts: bytes) -> str:
    """Twelve hex digits that tell one content from another, for provenance lines."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:12]
