"""What `build` left in its folder, as the figures read it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.errors import UserError


@dataclass(frozen=True)
class BuildFiles:
    """The data files of a build.

    Attributes:
        metrics: accuracy, parameters by node, use of the leaves.
        channels: means and choices of every node that has children.
        class_by_leaf: how many test inputs of each class ended in each leaf.
        history: epochs of dense training and of fine-tuning.
    """

    metrics: dict[str, Any]
    channels: dict[str, Any]
    class_by_leaf: dict[str, Any]
    history: dict[str, Any]

    @property
    def caption(self) -> str:
        """What was built, from what."""
        request, data = self.metrics["request"], self.metrics["provenance"]["data"]
        return f"{request['model']} on {data}; build seed {request['seed']}"


def read_build(folder: Path) -> BuildFiles:
    """Read a build's data files.

    Raises:
        UserError: one is missing or damaged, so the build is not finished.
    """
    names = ("metrics", "channels", "class_by_leaf", "history")
    return BuildFiles(*(_read(folder / f"{name}.json") for name in names))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}; is the build done?") from None
    except ValueError:
        raise UserError(f"{path}: is not a complete JSON file; build again") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds a {type(content).__name__}, expected an object")
    return content
