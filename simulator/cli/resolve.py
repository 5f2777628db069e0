"""From what a user names on the command line to the thing itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from simulator.cli.services import Services
from simulator.errors import ProgramError, SpecError, WorkloadError
from simulator.ir import Workload
from simulator.program_file import read_text, workload_from_json
from simulator.spec import AcceleratorSpec
from simulator.spec_file import Override, load_spec
from simulator.topology_csv import workload_from_topology
from simulator.validation import nearest

PROGRAM_FILE = "program.json"
ROUTES_FILE = "routes.json"
"""What `build` writes into its folder and `run` replays from it."""


def resolve_workload(argument: str, services: Services) -> Workload:
    """The shipped workload of that name, the program file at that path, or that of a build.

    A folder stands for the program that ``build`` wrote into it. Of what is no folder, an argument
    that ends in ``.json`` or ``.csv`` or contains a path separator is a file, all else a name; a
    ``.csv`` file is a SCALE-Sim topology.

    Raises:
        WorkloadError: no shipped workload has that name.
        ProgramError: the file cannot be read or is not a valid program.
    """
    path = Path(argument)
    folder = build_folder(argument, services)
    if folder is not None:
        path = folder / PROGRAM_FILE
    elif path.suffix not in {".json", ".csv"} and len(path.parts) <= 1:
        shipped = shipped_workloads(services)
        if argument not in shipped:
            raise WorkloadError(
                f"workload {argument!r}: neither a shipped workload nor a file (.json, .csv)"
                f"{nearest(argument, shipped)}; shipped: {', '.join(shipped)}"
            )
        path = services.programs_dir / f"{argument}.json"
    text = read_text(path, ProgramError)
    if path.suffix == ".csv":
        return workload_from_topology(text, str(path))
    return workload_from_json(text, str(path))


def build_folder(argument: str, services: Services) -> Path | None:
    """The folder that a workload argument names, if it names one and not a shipped workload."""
    path = Path(argument)
    return path if path.is_dir() and argument not in shipped_workloads(services) else None


def shipped_workloads(services: Services) -> list[str]:
    """Names of the programs that come with the package, sorted."""
    return sorted(path.stem for path in services.programs_dir.glob("*.json"))


def resolve_spec(
    argument: str, overrides: Sequence[Override], services: Services
) -> tuple[AcceleratorSpec, str]:
    """The spec at that path or, if there is none, the shipped spec of that file name.

    Returns:
        The spec, and where it came from, for people.

    Raises:
        SpecError: neither exists, or the spec or an override is invalid.
    """
    path = Path(argument)
    if path.exists():
        return load_spec(path, overrides), str(path)
    name = path.name if path.suffix in {".yaml", ".yml"} else f"{path.name}.yaml"
    shipped = services.specs_dir / name
    if not shipped.is_file():
        known = sorted(found.stem for found in services.specs_dir.glob("*.yaml"))
        raise SpecError(
            f"spec {argument!r}: no such file, and no shipped spec of that name"
            f"{nearest(shipped.stem, known)}; shipped: {', '.join(known)}"
        )
    return load_spec(shipped, overrides), f"the shipped accelerator_specs/{name}"
