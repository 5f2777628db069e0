"""From what a user names on the command line to the thing itself."""

from __future__ import annotations

from pathlib import Path

from simulator.cli.services import Services
from simulator.errors import ProgramError, WorkloadError
from simulator.ir import Workload
from simulator.program_file import read_text, workload_from_json
from simulator.validation import nearest


def resolve_workload(argument: str, services: Services) -> Workload:
    """The shipped workload of that name, or the program file at that path.

    An argument that ends in ``.json`` or contains a path separator is a file, all else a name.

    Raises:
        WorkloadError: no shipped workload has that name.
        ProgramError: the file cannot be read or is not a valid program.
    """
    path = Path(argument)
    if path.suffix != ".json" and len(path.parts) <= 1:
        shipped = shipped_workloads(services)
        if argument not in shipped:
            raise WorkloadError(
                f"workload {argument!r}: neither a shipped workload nor a program file (.json)"
                f"{nearest(argument, shipped)}; shipped: {', '.join(shipped)}"
            )
        path = services.programs_dir / f"{argument}.json"
    return workload_from_json(read_text(path, ProgramError), str(path))


def shipped_workloads(services: Services) -> list[str]:
    """Names of the programs that come with the package, sorted."""
    return sorted(path.stem for path in services.programs_dir.glob("*.json"))
