"""What a search minimises and what it must respect: named costs, limits with units."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from simulator.errors import UserError
from simulator.spec import AcceleratorSpec
from simulator.study.area import area_of
from simulator.study.outcome import Outcome, Status
from simulator.validation import nearest

COSTS = {
    "latency": "latency_mean_ps",
    "p50": "latency_p50_ps",
    "p99": "latency_p99_ps",
    "max": "latency_max_ps",
    "energy": "energy_pj",
    "area": "area_mm2",
    "reads": "dram_read_bytes",
    "weights": "weight_read_bytes",
}
"""What people call a cost, and the metric it is; less is better in each."""
ERROR = "error"
"""The share of inputs a network gets wrong: a cost that no simulation knows, see `accuracy`."""

_UNITS = {
    "_ps": {"s": 1e12, "ms": 1e9, "us": 1e6, "µs": 1e6, "ns": 1e3, "ps": 1.0},
    "_pj": {"J": 1e12, "mJ": 1e9, "uJ": 1e6, "µJ": 1e6, "nJ": 1e3, "pJ": 1.0},
    "_mm2": {"mm2": 1.0, "mm^2": 1.0, "mm²": 1.0},
    ERROR: {"%": 0.01},
    "_bytes": {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20},
}
_LIMIT = re.compile(r"\s*(\w+)\s*<=?\s*([0-9.eE+-]+)\s*(\S+)\s*")


@dataclass(frozen=True)
class Limit:
    """A cost that must not exceed a value, e.g. ``p99 < 5ms``."""

    text: str
    cost: str
    most: float

    @classmethod
    def parse(cls, text: str, option: str) -> Limit:
        """Read ``COST < NUMBER UNIT``.

        Raises:
            UserError: an unknown cost, or a unit it does not have.
        """
        match = _LIMIT.fullmatch(text)
        if match is None:
            raise UserError(f"{option} {text!r}: expected COST < VALUE UNIT, e.g. 'p99 < 5ms'")
        cost, number, unit = match.groups()
        metric = metric_of(cost, option)
        units = next(known for ending, known in _UNITS.items() if metric.endswith(ending))
        if unit not in units:
            raise UserError(f"{option} {text!r}: {cost} is given in {', '.join(units)}")
        try:
            most = float(number) * units[unit]
        except ValueError:
            raise UserError(f"{option} {text!r}: {number!r} is no number") from None
        if not 0 <= most < math.inf:
            raise UserError(f"{option} {text!r}: no {cost} is below zero")
        return cls(" ".join(text.split()), cost, most)

    def excess(self, value: float) -> float:
        """By which fraction of itself a value exceeds the limit; zero or less where it is met."""
        return value / self.most - 1 if self.most > 0 else value


def parse_objectives(text: str) -> tuple[str, ...]:
    """A comma-separated list of costs to minimise.

    Raises:
        UserError: none, one twice, or an unknown one.
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names or len(set(names)) < len(names):
        raise UserError(f"--objectives {text}: name one or more different costs")
    for name in names:
        metric_of(name, "--objectives")
    return names


def metric_of(cost: str, option: str) -> str:
    """The metric a cost is.

    Raises:
        UserError: no cost has that name.
    """
    known = {**COSTS, ERROR: ERROR}
    if cost not in known:
        raise UserError(
            f"{option} {cost}: no such cost{nearest(cost, known)}; known: {', '.join(known)}"
        )
    return known[cost]


def cost_of(outcome: Outcome, cost: str) -> float:
    """The value of a cost at a point; infinite where it is not known or the point infeasible."""
    value = outcome.metric(COSTS[cost])
    return float("inf") if value is None else float(value)


def meets(outcome: Outcome, limits: Sequence[Limit]) -> bool:
    """Whether a point is feasible and within all limits."""
    return outcome.status is Status.OK and all(
        limit.excess(cost_of(outcome, limit.cost)) <= 0 for limit in limits
    )


def check_area(costs: Iterable[str], spec: AcceleratorSpec) -> None:
    """Refuse an area as a cost where the device's is not known.

    Raises:
        UserError: it is not known.
    """
    if "area" in costs and area_of(spec) is None:
        raise UserError(
            "area: is not known for this device: it needs energy.node_nm from 22 to 45 and banks "
            "within the SRAM table"
        )
