"""What `quantise` is asked for, checked before anything is evaluated."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import Any

from simulator.errors import WorkloadError
from simulator.program_file import read_text
from simulator.validation import nearest
from workloads.quantisation.nodes import Widths
from workloads.quantisation.weights import UNQUANTISED, WIDTHS, ScaleRule

Choices = dict[str, int]
"""Values of `bits.PATTERN` and `precision.weight_bits`, as the simulator's axes name them."""

PLACEMENT_SCHEMA = "simulator.placement"


@dataclass(frozen=True)
class QuantiseRequest:
    """The options of `quantise`, named as on the command line.

    Attributes:
        tree: folder of a build.
        bits: axes `PATTERN=W,W`; the combinations of all and of any of them are measured.
        base_bits: width of what an axis does not name.
        scale: rule of the weights' scales.
        activation_bits: width of what layers read; None leaves it.
        device: where it is evaluated.
        placements: files of `place` whose widths are measured too.
    """

    tree: Path
    bits: tuple[str, ...] = ()
    base_bits: int = 8
    scale: str = ScaleRule.MAX_ABS.value
    activation_bits: int | None = None
    device: str = "auto"
    placements: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if self.scale not in list(ScaleRule):
            raise WorkloadError(f"--scale {self.scale}: must be one of {', '.join(ScaleRule)}")
        if self.base_bits not in (*WIDTHS, UNQUANTISED):
            raise WorkloadError(f"--base-bits {self.base_bits}: must be 4, 6, 8, 16 or 32")
        if self.activation_bits not in (None, *WIDTHS):
            raise WorkloadError(
                f"--activation-bits {self.activation_bits}: must be one of "
                f"{', '.join(map(str, WIDTHS))}"
            )
        patterns = [_axis(text)[0] for text in self.bits]
        for pattern in patterns:
            if patterns.count(pattern) > 1:
                raise WorkloadError(f"--bits {pattern}: is given twice; list its widths in one")

    def combinations(self, nodes: tuple[str, ...], depth: int) -> list[tuple[Choices, Widths]]:
        """What the axes ask for, each as the choices that name it and the width of every node.

        Without axes: the trunk and the specialisers of each level, in every width.

        Raises:
            WorkloadError: a pattern that names no node.
        """
        texts = self.bits or ("trunk", *(f"level{level}.*" for level in range(1, depth + 1)))
        axes = [_axis(text) for text in texts]
        for pattern, _ in axes:
            if not any(fnmatchcase(node, pattern) for node in nodes):
                raise WorkloadError(
                    f"--bits {pattern}: no node of the tree has such a name"
                    f"{nearest(pattern, nodes)}; nodes: {', '.join(nodes)}"
                )
        found: list[tuple[Choices, Widths]] = []
        for values in product(*((None, *widths) for _, widths in axes)):
            chosen = [(p, w) for (p, _), w in zip(axes, values, strict=True) if w is not None]
            widths = dict.fromkeys(nodes, self.base_bits)
            for pattern, width in chosen:
                widths |= {node: width for node in nodes if fnmatchcase(node, pattern)}
            found.append(({f"bits.{pattern}": width for pattern, width in chosen}, widths))
        return found


def _axis(text: str) -> tuple[str, tuple[int, ...]]:
    """`PATTERN=W,W` or `PATTERN`, which stands for all widths."""
    pattern, separator, listed = text.partition("=")
    if not separator:
        return pattern, WIDTHS
    try:
        widths = tuple(int(word) for word in listed.split(","))
    except ValueError:
        widths = ()
    distinct = set(widths)
    if not pattern or not widths or not distinct <= {*WIDTHS, UNQUANTISED}:
        raise WorkloadError(f"--bits {text}: expected PATTERN=W,W with widths 4, 6, 8, 16 or 32")
    if len(distinct) < len(widths):
        raise WorkloadError(f"--bits {text}: a width is listed twice")
    return pattern, widths


def placed_widths(path: Path) -> Widths:
    """The width of every node in a file that `place` wrote.

    Raises:
        WorkloadError: it cannot be read, or is another file.
    """
    try:
        data: Any = json.loads(read_text(path, WorkloadError))
        if data["schema"] != PLACEMENT_SCHEMA:
            raise KeyError
        return {name: int(node["bits"]) for name, node in data["nodes"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise WorkloadError(f"{path}: is no placement; `place --out` writes one") from None
