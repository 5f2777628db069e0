"""YAML in, with PyYAML's traps closed: no repeated keys, no silent text for numbers, no tags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from simulator.errors import SpecError
from simulator.program_file import read_text


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key written twice in one mapping instead of keeping the last."""


def _mapping_without_repeats(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    loader.flatten_mapping(node)
    mapping: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node)
        if key in mapping:
            raise yaml.MarkedYAMLError(
                problem=f"key {key!r} is written twice", problem_mark=key_node.start_mark
            )
        mapping[key] = loader.construct_object(value_node, deep=True)
    return mapping


_StrictLoader.add_constructor("tag:yaml.org,2002:map", _mapping_without_repeats)


def load_yaml_mapping(path: Path) -> dict[str, Any]:
    """The mapping a YAML file holds.

    Raises:
        SpecError: unreadable, malformed or empty file, a repeated key, or not a mapping.
    """
    text = read_text(path, SpecError)
    try:
        data = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader subclass
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise SpecError(f"{path}: {line}{error.problem or 'malformed YAML'}") from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else "malformed YAML"
        raise SpecError(f"{path}: {reason}") from None
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        kind = "empty" if data is None else f"a {type(data).__name__}"
        raise SpecError(f"{path}: is {kind}, expected a mapping of field names to values")
    return data


def parse_yaml_scalar(text: str) -> Any:
    """One value as a spec file would read it, e.g. from the command line."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text
