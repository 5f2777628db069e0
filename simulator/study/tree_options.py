"""The axes `tree.levels` and `tree.ties`: shipped trees of one network that differ in shape.

No tree is built here: a combination is a program traced beforehand, whose name says what it is.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import product

from simulator.errors import UserError
from simulator.ir import Workload, leaf_routes
from simulator.study.axis import GridAxis, RandomAxis, Value
from simulator.validation import nearest

LEVELS, TIES = "tree.levels", "tree.ties"
TREE_FIELDS = (LEVELS, TIES)
TIE_SUFFIXES = {"none": "", "channels": "_tied_channels", "planes": "_tied"}
"""What siblings hold in common (`workloads.sigma_branch.ties`), and how programs are named."""


def tree_name(base: Workload, choices: dict[str, Value]) -> str:
    """The name of the program that a base workload's tree has with these options.

    A network without branches has none of them and stands for itself.
    """
    if tree_levels(base) == 0:
        return base.name
    levels = choices.get(LEVELS, tree_levels(base))
    depth = "" if levels == tree_levels(base) else f"_depth{levels}"
    return f"{base.name}{depth}{TIE_SUFFIXES[str(choices.get(TIES, 'none'))]}"


def tree_levels(workload: Workload) -> int:
    """Most decisions on a path."""
    return max(len(arms) for arms in leaf_routes(workload.program))


def tree_names(
    base: Workload, axes: Sequence[GridAxis | RandomAxis], shipped: Collection[str]
) -> list[str]:
    """The programs that the tree axes ask for beside the base workload.

    Raises:
        UserError: a value that no tree has, or a combination that is not shipped.
    """
    asked = [axis for axis in axes if axis.field in TREE_FIELDS]
    for axis in asked:
        _check_values(axis)
    grid = [axis for axis in asked if isinstance(axis, GridAxis)]
    found = []
    for values in product(*(axis.values for axis in grid)):
        choices = {axis.field: value for axis, value in zip(grid, values, strict=True)}
        name = tree_name(base, choices)
        if name == base.name:
            continue
        if name not in shipped:
            wanted = ", ".join(f"{field}={value}" for field, value in choices.items())
            raise UserError(
                f"--vary {wanted}: no such tree of {base.name} is shipped; there are "
                f"{_combinations(base, shipped)}"
            )
        found.append(name)
    return list(dict.fromkeys(found))


def _check_values(axis: GridAxis | RandomAxis) -> None:
    if isinstance(axis, RandomAxis):
        raise UserError(f"--vary {axis.field}: cannot be drawn; list its values")
    for value in axis.values:
        if axis.field == TIES and value not in TIE_SUFFIXES:
            raise UserError(
                f"--vary {TIES}: {value!r}: must be one of {', '.join(TIE_SUFFIXES)}"
                f"{nearest(str(value), TIE_SUFFIXES)}"
            )
        if axis.field == LEVELS and (isinstance(value, bool) or not isinstance(value, int)):
            raise UserError(f"--vary {LEVELS}: {value!r}: must be a whole number of levels")


def _combinations(base: Workload, shipped: Collection[str]) -> str:
    """What there is of a family, for people: `levels 2 with ties none, planes; ...`."""
    parts = []
    for levels in range(1, 9):
        ties = [
            tie
            for tie in TIE_SUFFIXES
            if tree_name(base, {LEVELS: levels, TIES: tie}) in {*shipped, base.name}
        ]
        if ties:
            parts.append(f"levels {levels} with ties {', '.join(ties)}")
    return "; ".join(parts) or "none"
