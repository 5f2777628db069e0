"""Programs and routes as JSON files: canonical bytes out, strict validation in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from simulator.errors import ProgramError, RouteError, UserError
from simulator.ir import Route, Workload
from simulator.validation import first_problem

PROGRAM_SCHEMA = "simulator.program"
ROUTES_SCHEMA = "simulator.routes"
SCHEMA_VERSION = 1


def workload_to_json(workload: Workload) -> str:
    """Canonical text of a program file: same workload, same bytes; one layer per line."""
    data = {"schema": PROGRAM_SCHEMA, "schema_version": SCHEMA_VERSION}
    data.update(workload.model_dump(mode="json", exclude_defaults=False))
    return _canonical(data) + "\n"


def workload_from_json(text: str, origin: str) -> Workload:
    """Parse and validate a program file's text; `origin` names it in errors.

    Raises:
        ProgramError: not JSON, another schema or version, or an inconsistent program.
    """
    data = _load(text, origin, PROGRAM_SCHEMA, ProgramError)
    try:
        return Workload.model_validate_json(json.dumps(data))
    except ValidationError as error:
        raise ProgramError(f"{origin}: {first_problem(error)}") from None


def routes_to_json(routes: list[Route]) -> str:
    """Canonical text of a routes file, in the order of the inputs."""
    data: dict[str, Any] = {"schema": ROUTES_SCHEMA, "schema_version": SCHEMA_VERSION}
    data["routes"] = [route.model_dump(mode="json", exclude_none=True) for route in routes]
    return _canonical(data) + "\n"


def routes_from_file(path: Path) -> list[Route]:
    """Read a routes file.

    Raises:
        RouteError: unreadable, not JSON, another schema, an invalid or no route.
    """
    data = _load(read_text(path, RouteError), str(path), ROUTES_SCHEMA, RouteError)
    entries = data.get("routes")
    if set(data) != {"routes"} or not isinstance(entries, list) or not entries:
        raise RouteError(f"{path}: routes: must be the file's only content, a non-empty list")
    routes = []
    for index, entry in enumerate(entries):
        try:
            routes.append(Route.model_validate_json(json.dumps(entry)))
        except ValidationError as error:
            raise RouteError(f"{path}: routes[{index}]: {first_problem(error)}") from None
    return routes


def read_text(path: Path, error_type: type[UserError]) -> str:
    """The file's text, or a one-line error of the given type."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise error_type(f"{path}: is not a UTF-8 text file") from None
    except OSError as error:
        raise error_type(f"{path}: cannot be read: {error.strerror}") from None


def _load(text: str, origin: str, schema: str, error_type: type[UserError]) -> dict[str, Any]:
    """The JSON object without its schema header, after checking that header."""
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        where = f"line {error.lineno}: " if isinstance(error, json.JSONDecodeError) else ""
        raise error_type(
            f"{origin}: {where}not a complete JSON file ({len(text)} characters); "
            f"expected a {schema} file"
        ) from None
    found = data.get("schema") if isinstance(data, dict) else type(data).__name__
    if found != schema:
        raise error_type(f"{origin}: schema: is {found!r}, expected {schema!r}")
    version = data.pop("schema_version", None)
    del data["schema"]
    if version != SCHEMA_VERSION:
        raise error_type(
            f"{origin}: schema_version: is {version!r}, this version reads {SCHEMA_VERSION}"
        )
    return dict(data)


_BLOCK_KEYS = ("layers", "steps", "arms", "router", "program", "routes")


def _canonical(value: Any, indent: int = 0) -> str:
    """JSON with one line per layer or route: small diffs, readable, no trailing spaces."""
    pad = " " * (indent + 1)
    if isinstance(value, dict) and (indent == 0 or any(key in value for key in _BLOCK_KEYS)):
        items = [f"{pad}{json.dumps(k)}: {_canonical(v, indent + 1)}" for k, v in value.items()]
        return "{\n" + ",\n".join(items) + "\n" + " " * indent + "}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        items = [f"{pad}{_canonical(v, indent + 1)}" for v in value]
        return "[\n" + ",\n".join(items) + "\n" + " " * indent + "]"
    return json.dumps(value)
