"""How early a built tree's decisions can be foreseen, as `probe` measures it.

A probe is a small router that reads the state some blocks before the real one and was trained to
say what that decides. Its accuracy is what an early router is worth.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from simulator.errors import UserError
from simulator.ir import Frozen, Name, Program
from simulator.outcomes_file import branch_places
from simulator.program_file import read_text
from simulator.validation import first_problem

PROBES_SCHEMA = "simulator.probes"
SCHEMA_VERSION = 1
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0, strict=True)]


class ProbesError(UserError):
    """A file of probes that cannot be read, or that belongs to another program."""


class EarlyProbe(Frozen):
    """A probe of one earlier state, on the test inputs that meet the branch.

    Attributes:
        blocks_earlier: blocks between what it reads and the router; 0 reads what the router does.
        after: the last module before it, as the program's layer names begin.
        accuracy_fraction: how often it says what the router decides.
        temperature: its logits are divided by, fitted on training inputs kept from it.
        ece_before_fraction, ece_after_fraction: expected calibration error (15 bins) of its
            probabilities, without and with the temperature.
        params: parameters it has.
        probabilities: what it says of every test input, met or not, with the temperature.
    """

    blocks_earlier: Count
    after: Name
    accuracy_fraction: Fraction
    temperature: float = Field(gt=0)
    ece_before_fraction: Fraction
    ece_after_fraction: Fraction
    params: Count
    probabilities: tuple[tuple[Fraction, ...], ...] | None = None


class RouterCalibration(Frozen):
    """The router's own probabilities, read as those of each arm being the better one.

    Attributes:
        better_arm_fraction: how often its arm is the one that gives the input's class the larger
            probability.
        temperature: that its logits are divided by, fitted on training inputs.
        ece_before_fraction, ece_after_fraction: expected calibration error on test inputs.
    """

    better_arm_fraction: Fraction
    temperature: float = Field(gt=0)
    ece_before_fraction: Fraction
    ece_after_fraction: Fraction


class BranchProbes(Frozen):
    """All probes of one branch.

    Attributes:
        branch: its name.
        inputs: test inputs that meet it.
        commonest_fraction: share of them that take its commonest arm.
        router: how its router is calibrated.
        probes: from the one that reads what the router reads to the earliest.
    """

    branch: Name
    inputs: Count
    commonest_fraction: Fraction
    router: RouterCalibration
    probes: tuple[EarlyProbe, ...] = Field(min_length=1)

    def earlier(self, blocks: int) -> EarlyProbe:
        """The probe that many blocks earlier, or the earliest there is."""
        return self.probes[min(blocks, len(self.probes) - 1)]


class Probes(Frozen):
    """The probes of a tree.

    Attributes:
        workload: name of the program they belong to.
        source: on what they were trained and measured.
        branches: depth first, as in the program.
    """

    workload: Name
    source: str
    branches: tuple[BranchProbes, ...]

    def early_accuracy(self, blocks: int) -> dict[str, float]:
        """By branch, the accuracy of the probe that many blocks earlier, or of the earliest."""
        return {each.branch: each.earlier(blocks).accuracy_fraction for each in self.branches}


def check_probes(probes: Probes, program: Program, origin: str) -> None:
    """Raise ProbesError unless every branch of the program has probes."""
    named = [each.branch for each in probes.branches]
    for place in branch_places(program):
        if place.name not in named:
            raise ProbesError(
                f"{origin}: branches: {place.name} has no probes; there are {', '.join(named)}"
            )


def probes_to_json(probes: Probes) -> str:
    """Canonical text of a file of probes: same probes, same bytes; one probe per line."""
    header = {"schema": PROBES_SCHEMA, "schema_version": SCHEMA_VERSION}
    data: dict[str, Any] = header | probes.model_dump(mode="json", exclude_none=True)
    branches = data.pop("branches")
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in data.items()]
    rows = []
    for branch in branches:
        entries = ",\n".join(f"    {json.dumps(probe)}" for probe in branch.pop("probes"))
        rows.append(f'  {json.dumps(branch)[:-1]}, "probes": [\n{entries}\n  ]}}')
    return "{\n" + ",\n".join(lines) + ',\n "branches": [\n' + ",\n".join(rows) + "\n ]\n}\n"


def probes_from_file(path: Path) -> Probes:
    """Read a file of probes.

    Raises:
        ProbesError: unreadable, not JSON, another schema or version, or inconsistent.
    """
    text = read_text(path, ProbesError)
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        raise ProbesError(f"{path}: not a complete JSON file ({len(text)} characters)") from None
    found = (data.get("schema"), data.get("schema_version")) if isinstance(data, dict) else None
    if found != (PROBES_SCHEMA, SCHEMA_VERSION):
        raise ProbesError(
            f"{path}: schema: is {found!r}, expected {(PROBES_SCHEMA, SCHEMA_VERSION)!r}"
        )
    content = {key: value for key, value in data.items() if not key.startswith("schema")}
    try:
        return Probes.model_validate_json(json.dumps(content))
    except ValidationError as error:
        raise ProbesError(f"{path}: {first_problem(error)}") from None
