"""Reads recorded arrival times from CSV or JSON files.

CSV: a header with the column ``arrival_UNIT`` (UNIT one of s, ms, us, ns, ps) and optionally
``workload``, the name of the network a request is for. JSON: the same as an object,
``{"schema": "simulator.arrivals", "schema_version": 1, "unit": "ms", "arrivals": [...],
"workloads": [...]}``, without ``workloads`` where there is one network or they are to be drawn.
Times are zero or more and must not decrease.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.errors import UserError
from simulator.program_file import read_text

UNITS_PS = {"s": 10**12, "ms": 10**9, "us": 10**6, "ns": 10**3, "ps": 1}
SCHEMA, SCHEMA_VERSION = "simulator.arrivals", 1
LATEST_S = 4_000_000


class ArrivalError(UserError):
    """An arrival trace that cannot be read or whose times make no sense."""


@dataclass(frozen=True, eq=False)
class ArrivalTrace:
    """Recorded arrivals.

    Attributes:
        origin: the file.
        times_ps: non-decreasing, from time zero.
        workloads: the network each is for, or None where the trace does not say.
    """

    origin: str
    times_ps: NDArray[np.int64]
    workloads: tuple[str, ...] | None = None

    def of(self, workload: str) -> ArrivalTrace:
        """The arrivals of one workload alone.

        Raises:
            ArrivalError: there are none.
        """
        if self.workloads is None:
            return self
        chosen = np.array([name == workload for name in self.workloads])
        if not chosen.any():
            raise ArrivalError(f"{self.origin}: no arrival for workload {workload}")
        return ArrivalTrace(self.origin, self.times_ps[chosen])


def read_arrival_trace(path: Path) -> ArrivalTrace:
    """Read a trace; a name that ends in .json is JSON, all else CSV.

    Raises:
        ArrivalError: naming the file, the line or entry, and what is wrong with it.
    """
    text = read_text(path, ArrivalError)
    return _from_json(text, path) if path.suffix == ".json" else _from_csv(text, path)


def _from_csv(text: str, path: Path) -> ArrivalTrace:
    rows = csv.DictReader(io.StringIO(text))
    columns = rows.fieldnames or []
    times = [name for name in columns if name.removeprefix("arrival_") in UNITS_PS]
    if len(times) != 1 or set(columns) - {*times, "workload"}:
        raise ArrivalError(
            f"{path}: line 1: columns are {', '.join(columns) or 'missing'}; expected one of "
            f"{', '.join(f'arrival_{unit}' for unit in UNITS_PS)}, and workload if several"
        )
    unit = times[0].removeprefix("arrival_")
    entries: list[tuple[str, Any, Any]] = []
    for row in rows:
        if None in row or None in row.values():
            raise ArrivalError(f"{path}: line {rows.line_num}: {len(columns)} columns expected")
        entries.append((f"line {rows.line_num}", row[times[0]], row.get("workload")))
    return _checked(path, unit, entries, "workload" in columns)


def _from_json(text: str, path: Path) -> ArrivalTrace:
    try:
        data = json.loads(text, parse_float=Decimal)
    except (json.JSONDecodeError, RecursionError):
        raise ArrivalError(f"{path}: not a complete JSON file ({len(text)} characters)") from None
    found = (data.get("schema"), data.get("schema_version")) if isinstance(data, dict) else None
    if found != (SCHEMA, SCHEMA_VERSION):
        raise ArrivalError(f"{path}: schema: is {found!r}, expected {(SCHEMA, SCHEMA_VERSION)!r}")
    unit, arrivals, names = (data.get(key) for key in ("unit", "arrivals", "workloads"))
    if unit not in UNITS_PS:
        raise ArrivalError(f"{path}: unit: {unit!r}: must be one of {', '.join(UNITS_PS)}")
    if not isinstance(arrivals, list):
        raise ArrivalError(f"{path}: arrivals: must be a list of times in {unit}")
    if names is not None and (not isinstance(names, list) or len(names) != len(arrivals)):
        raise ArrivalError(f"{path}: workloads: must be a list of {len(arrivals)} names")
    entries = [
        (f"arrivals[{index}]", time, names[index] if names is not None else None)
        for index, time in enumerate(arrivals)
    ]
    return _checked(path, unit, entries, names is not None)


def _checked(
    path: Path, unit: str, entries: Iterable[tuple[str, Any, Any]], named: bool
) -> ArrivalTrace:
    times: list[int] = []
    names: list[str] = []
    for where, time, name in entries:
        time_ps = _time_ps(time, unit, f"{path}: {where}")
        if times and time_ps < times[-1]:
            raise ArrivalError(f"{path}: {where}: {time} {unit} is before the arrival above it")
        times.append(time_ps)
        if named:
            if not isinstance(name, str) or not name:
                raise ArrivalError(f"{path}: {where}: workload: {name!r} is no name")
            names.append(name)
    if not times:
        raise ArrivalError(f"{path}: holds no arrivals")
    workloads = tuple(names) if named else None
    return ArrivalTrace(str(path), np.array(times, dtype=np.int64), workloads)


def _time_ps(time: Any, unit: str, where: str) -> int:
    try:
        if isinstance(time, bool) or not isinstance(time, str | int | Decimal):
            raise TypeError
        value = Decimal(time) * UNITS_PS[unit]
        if 0 <= value <= LATEST_S * 10**12:
            return round(value)
    except (InvalidOperation, TypeError):
        raise ArrivalError(f"{where}: {time!r} is no time in {unit}") from None
    raise ArrivalError(f"{where}: {time} {unit}: must be from 0 to {LATEST_S} s")
