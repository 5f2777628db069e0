"""What a built tree would say of every test input on every path: routers, leaves and the truth.

`build` writes it beside the program. Whoever changes a route (a router margin, an early decision,
a resident sibling) reads from it what that does to accuracy, without running the network again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from simulator.errors import UserError
from simulator.ir import Branch, Frozen, Name, Program, Route, leaf_routes
from simulator.program_file import read_text
from simulator.validation import first_problem

OUTCOMES_SCHEMA = "simulator.outcomes"
SCHEMA_VERSION = 1
Arms = tuple[int, ...]
Index = Annotated[int, Field(ge=0, strict=True)]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Choose = Callable[[str, tuple[float, ...]], int]
"""(branch's name, its router's probabilities) to the arm taken."""


class OutcomesError(UserError):
    """An outcomes file that cannot be read, or that belongs to another program."""


class BranchPlace(Frozen):
    """A branch of the program and the arms taken before it is met."""

    name: Name
    prefix: tuple[Index, ...]


class InputOutcome(Frozen):
    """One test input.

    Attributes:
        label: its true class.
        leaf: the leaf that hard routing takes it to.
        probabilities: what the router of every branch says of it, met or not, in the order of
            the file's branches; below a branch that is not met, of the state it would have there.
        predictions: the class every leaf takes it for.
    """

    label: Index
    leaf: Index
    probabilities: tuple[tuple[Probability, ...], ...]
    predictions: tuple[Index, ...] = Field(min_length=1)


class Outcomes(Frozen):
    """A tree's answers to a whole test set, inputs in the set's order.

    Attributes:
        workload: name of the program they belong to.
        source: which inputs, and what was evaluated.
        branches: depth first, routers before their arms, as in the program.
        leaves: the arms that lead to each leaf, depth first, as `ir.leaf_routes` lists them.
        inputs: one entry per test input.
    """

    workload: Name
    source: str
    branches: tuple[BranchPlace, ...]
    leaves: tuple[tuple[Index, ...], ...] = Field(min_length=1)
    inputs: tuple[InputOutcome, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        arities = [self._arity(branch.prefix) for branch in self.branches]
        for index, entry in enumerate(self.inputs):
            found = [len(each) for each in entry.probabilities]
            if found != arities:
                raise ValueError(
                    f"inputs[{index}]: probabilities for {found} arms, the branches have {arities}"
                )
            if len(entry.predictions) != len(self.leaves) or entry.leaf >= len(self.leaves):
                raise ValueError(
                    f"inputs[{index}]: leaf {entry.leaf} and {len(entry.predictions)} "
                    f"predictions, there are {len(self.leaves)} leaves"
                )
            if any(abs(sum(each) - 1.0) > 1e-3 for each in entry.probabilities):
                raise ValueError(f"inputs[{index}]: router probabilities that do not sum to 1")
        return self

    def _arity(self, prefix: Arms) -> int:
        depth = len(prefix)
        below = {leaf[depth] for leaf in self.leaves if leaf[:depth] == prefix and leaf[depth:]}
        if not below:
            raise ValueError(f"branches: no leaf lies behind the arms {list(prefix)}")
        return len(below)

    @cached_property
    def _branch_after(self) -> dict[Arms, int]:
        return {branch.prefix: index for index, branch in enumerate(self.branches)}

    @cached_property
    def _leaf_of(self) -> dict[Arms, int]:
        return {arms: leaf for leaf, arms in enumerate(self.leaves)}

    def follow(self, entry: InputOutcome, choose: Choose) -> int:
        """The leaf an input reaches if `choose` takes every decision it meets."""
        arms: Arms = ()
        while arms in self._branch_after:
            index = self._branch_after[arms]
            arms = (*arms, choose(self.branches[index].name, entry.probabilities[index]))
        return self._leaf_of[arms]

    def route(self, entry: InputOutcome, leaf: int | None = None) -> Route:
        """The route to a leaf, hard routing's unless given, with the routers' probabilities."""
        arms = self.leaves[entry.leaf if leaf is None else leaf]
        met = [self._branch_after[arms[:depth]] for depth in range(len(arms))]
        return Route(arms=arms, probabilities=tuple(entry.probabilities[index] for index in met))

    def routes(self) -> list[Route]:
        """Hard routing's route of every input, in order."""
        return [self.route(entry) for entry in self.inputs]

    def accuracy_fraction(self, choose: Choose | None = None) -> float:
        """Share of the inputs that are right at hard routing's leaf, or at that of `choose`."""
        right = 0
        for entry in self.inputs:
            leaf = entry.leaf if choose is None else self.follow(entry, choose)
            right += entry.predictions[leaf] == entry.label
        return right / len(self.inputs)


def most_probable(_: str, probabilities: tuple[float, ...]) -> int:
    """The router's own decision: its most probable arm, the first among equals."""
    return probabilities.index(max(probabilities))


def branch_places(program: Program) -> tuple[BranchPlace, ...]:
    """Every branch of a tree-shaped program, depth first.

    Raises:
        OutcomesError: branches follow one another, so a leaf is not the end of a single path.
    """
    found: list[BranchPlace] = []

    def walk(part: Program, prefix: Arms) -> None:
        branches = [step for step in part.steps if isinstance(step, Branch)]
        for before, after in pairwise(branches):
            raise OutcomesError(
                f"branches {before.name} and {after.name} follow one another: outcomes are of "
                "trees, in which every arm ends in its own leaf"
            )
        for branch in branches:
            found.append(BranchPlace(name=branch.name, prefix=prefix))
            for index, arm in enumerate(branch.arms):
                walk(arm, (*prefix, index))

    walk(program, ())
    return tuple(found)


def check_outcomes(outcomes: Outcomes, program: Program, origin: str) -> None:
    """Raise OutcomesError unless the outcomes are of a tree of the program's shape."""
    if outcomes.branches != branch_places(program):
        named = ", ".join(branch.name for branch in outcomes.branches)
        raise OutcomesError(f"{origin}: branches: are {named}, the program has others")
    if list(outcomes.leaves) != leaf_routes(program):
        raise OutcomesError(f"{origin}: leaves: are not the program's")


def outcomes_to_json(outcomes: Outcomes) -> str:
    """Canonical text of an outcomes file: same outcomes, same bytes; one input per line."""
    data: dict[str, Any] = {"schema": OUTCOMES_SCHEMA, "schema_version": SCHEMA_VERSION}
    data.update(outcomes.model_dump(mode="json"))
    inputs = data.pop("inputs")
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in data.items()]
    rows = ",\n".join(f"  {json.dumps(entry)}" for entry in inputs)
    return "{\n" + ",\n".join(lines) + ',\n "inputs": [\n' + rows + "\n ]\n}\n"


def outcomes_from_file(path: Path) -> Outcomes:
    """Read an outcomes file.

    Raises:
        OutcomesError: unreadable, not JSON, another schema or version, or inconsistent.
    """
    text = read_text(path, OutcomesError)
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        raise OutcomesError(f"{path}: not a complete JSON file ({len(text)} characters)") from None
    found = (data.get("schema"), data.get("schema_version")) if isinstance(data, dict) else None
    if found != (OUTCOMES_SCHEMA, SCHEMA_VERSION):
        raise OutcomesError(
            f"{path}: schema: is {found!r}, expected {(OUTCOMES_SCHEMA, SCHEMA_VERSION)!r}"
        )
    content = {key: value for key, value in data.items() if not key.startswith("schema")}
    try:
        return Outcomes.model_validate_json(json.dumps(content))
    except ValidationError as error:
        raise OutcomesError(f"{path}: {first_problem(error)}") from None
