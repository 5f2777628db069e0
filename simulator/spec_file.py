"""Reads accelerator specs from YAML files, with overrides from the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from simulator.errors import SpecError
from simulator.spec import DERIVABLE_ENERGY, AcceleratorSpec
from simulator.spec_base import Part
from simulator.validation import first_problem, most_telling, nearest
from simulator.yaml_file import load_yaml_mapping, parse_yaml_scalar


@dataclass(frozen=True)
class Override:
    """One field set on the command line, e.g. ``scratchpad.capacity_kib=512``."""

    field: str
    value: Any

    @classmethod
    def parse(cls, text: str) -> Override:
        """Split ``FIELD=VALUE``; the value is read as YAML would read it.

        Raises:
            SpecError: no equals sign, or an empty field name.
        """
        field, separator, value = text.partition("=")
        if not separator or not field:
            raise SpecError(f"--set {text}: expected FIELD=VALUE, e.g. scratchpad.capacity_kib=512")
        return cls(field.strip(), parse_yaml_scalar(value))


def energy_node_overrides(node_nm: int) -> list[Override]:
    """Replace MAC, vector and scratchpad constants by those derived for a technology node.

    DRAM energy and the static power of logic stay as they are.
    """
    swapped = [Override(f"energy.{name}", None) for name in DERIVABLE_ENERGY]
    return [Override("energy.node_nm", node_nm), *swapped]


@cache
def field_names() -> tuple[str, ...]:
    """Every dotted field a spec can have."""
    names: list[str] = []
    for part, info in AcceleratorSpec.model_fields.items():
        kinds = (info.annotation, *get_args(info.annotation))
        parts = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Part)]
        if parts:
            names += [f"{part}.{field}" for field in parts[0].model_fields]
        else:
            names.append(part)
    return tuple(names)


def load_spec(path: Path, overrides: Sequence[Override] = ()) -> AcceleratorSpec:
    """Read and validate one spec; overridden numbers are sourced to the command line.

    Raises:
        SpecError: naming the file, the field, the value and what would be right.
    """
    data = load_yaml_mapping(path)
    for override in overrides:
        _apply(data, override)
    try:
        return AcceleratorSpec.model_validate_json(_json(data, path))
    except ValidationError as error:
        known = {name.rpartition(".")[2] for name in field_names()} | _part_names()
        message = first_problem(error, known)
        if _is_text_for_number(most_telling(error)):
            message += "; YAML read it as text: write 6_400_000_000 or 6.4e+9, without quotes"
        raise SpecError(f"{path}: {message}") from None


def with_overrides(spec: AcceleratorSpec, overrides: Sequence[Override]) -> AcceleratorSpec:
    """The same spec with some fields replaced, validated again."""
    data = spec.model_dump(mode="json")
    for override in overrides:
        _apply(data, override)
    try:
        return AcceleratorSpec.model_validate_json(_json(data, Path(spec.name)))
    except ValidationError as error:
        raise SpecError(f"{spec.name}: {first_problem(error)}") from None


def _apply(data: dict[str, Any], override: Override) -> None:
    names = [name for name in field_names() if "." in name]
    part, _, field = override.field.partition(".")
    if override.field not in names:
        raise SpecError(f"--set {override.field}: unknown field{nearest(override.field, names)}")
    section = data.setdefault(part, {})
    if not isinstance(section, dict):
        raise SpecError(f"{part}: expected a mapping of fields")
    section[field] = override.value
    sources = data.setdefault("sources", {})
    if override.value is None and isinstance(sources, dict):
        sources.pop(override.field, None)
    is_number = isinstance(override.value, int | float) and not isinstance(override.value, bool)
    if is_number and isinstance(sources, dict):
        sources[override.field] = "assumed: set on the command line"


def _part_names() -> set[str]:
    return set(AcceleratorSpec.model_fields)


def _json(data: dict[str, Any], path: Path) -> str:
    """The mapping as JSON text, so that strict validation sees JSON types, not Python's."""

    def unsupported(value: Any) -> Any:
        raise SpecError(f"{path}: {value!r}: a {type(value).__name__} cannot be used in a spec")

    return json.dumps(data, default=unsupported)


def _is_text_for_number(problem: Any) -> bool:
    value = problem.get("input")
    if not isinstance(value, str) or problem["type"] not in {"int_type", "float_type"}:
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True
