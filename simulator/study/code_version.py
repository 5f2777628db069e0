"""Which code computes the results: they may be used again only by the same."""

from __future__ import annotations

import hashlib
from pathlib import Path

from simulator.version import __version__

_LEFT_OUT = ("cli", "validate", "__main__.py")
_LEFT_OUT_OF_STUDY = "questions"
"""Asks for points and words what they say; changes none."""


def _code_sha256() -> str:
    """SHA-256 of the version and every file of the simulator that can change a result."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256(__version__.encode())
    for path in sorted([*root.rglob("*.py"), *root.rglob("*.csv")]):
        name = path.relative_to(root)
        if name.parts[0] not in _LEFT_OUT and _LEFT_OUT_OF_STUDY not in name.parts:
            digest.update(name.as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


CODE_SHA256 = _code_sha256()
