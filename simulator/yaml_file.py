"""YAML in, with PyYAML's traps closed: no repeated keys, no surprising numbers, no tags."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from simulator.errors import SpecError
from simulator.program_file import read_text

_INT, _FLOAT, _TIMESTAMP = (f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "timestamp"))
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9_]*)")
_FRACTION = re.compile(
    r"[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9_]+)([eE][-+][0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key written twice in one mapping instead of keeping the last.

    Numbers are decimal: 010 is not octal, 1:30 not sexagesimal and a date not a date, but text,
    which validation refuses where it wants a number.
    """


_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, known) for tag, known in resolvers if tag not in (_INT, _FLOAT, _TIMESTAMP)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _whole(pattern: re.Pattern[str]) -> re.Pattern[str]:
    return re.compile(f"^(?:{pattern.pattern})$")


_StrictLoader.add_implicit_resolver(_INT, _whole(_DECIMAL), list("-+0123456789"))
_StrictLoader.add_implicit_resolver(_FLOAT, _whole(_FRACTION), list("-+0123456789."))


def _decimal(loader: _StrictLoader, node: yaml.ScalarNode) -> int:
    """A whole number, also where a tag insists on one."""
    if not _DECIMAL.fullmatch(node.value):
        raise yaml.MarkedYAMLError(
            problem=f"{node.value[:60]!r} is not a decimal whole number",
            problem_mark=node.start_mark,
        )
    return int(node.value.replace("_", ""))


def _mapping_without_repeats(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    loader.flatten_mapping(node)
    mapping: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node)
        if not isinstance(key, str):
            raise yaml.MarkedYAMLError(
                problem=f"key {key!r} is not a word", problem_mark=key_node.start_mark
            )
        if key in mapping:
            raise yaml.MarkedYAMLError(
                problem=f"key {key!r} is written twice", problem_mark=key_node.start_mark
            )
        mapping[key] = loader.construct_object(value_node, deep=True)
    return mapping


_StrictLoader.add_constructor("tag:yaml.org,2002:map", _mapping_without_repeats)
_StrictLoader.add_constructor(_INT, _decimal)


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
    if not isinstance(data, dict):
        kind = "empty" if data is None else f"a {type(data).__name__}"
        raise SpecError(f"{path}: is {kind}, expected a mapping of field names to values")
    return data


def parse_yaml_scalar(text: str) -> Any:
    """One value as a spec file would read it, e.g. from the command line."""
    try:
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader subclass
    except (yaml.YAMLError, ValueError, RecursionError):
        return text
