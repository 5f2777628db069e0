"""Serving results as complete data: summaries, distributions and what it takes to repeat them."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from simulator.program_file import workload_to_json
from simulator.serving.capacity import Capacity, LoadPoint, Target
from simulator.serving.collector import Group, Quantity
from simulator.serving.series import Series
from simulator.serving.summary import named_groups, summarise_serving
from simulator.serving.system import ServingResult, System
from simulator.spec import AcceleratorSpec
from simulator.units import ps_to_s
from simulator.version import __version__

SCHEMA, SCHEMA_VERSION = "simulator.serving", 1
CURVE_POINTS = 400


def run_to_data(
    result: ServingResult, spec: AcceleratorSpec, origin: str, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """One run: same inputs and versions, same data."""
    groups = result.collected.groups
    named = [(Group(), "all"), *named_groups(result)]
    return {
        **_head(spec, origin, settings, [result.system]),
        "summary": summarise_serving(result),
        "distributions": {
            name: distribution(groups[group][Quantity.RESPONSE]) for group, name in named
        },
    }


def load_to_data(
    systems: Sequence[tuple[System, Sequence[LoadPoint], Capacity | None]],
    spec: AcceleratorSpec,
    origin: str,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Several rates of one or several systems."""
    return {
        **_head(spec, origin, settings, [system for system, _, _ in systems]),
        "systems": [
            {
                "system": system.name,
                "saturation_hz": float(system.saturation_hz()),
                "points": [_point_to_data(point) for point in points],
                "capacity": _capacity_to_data(capacity) if capacity else None,
            }
            for system, points, capacity in systems
        ],
    }


def distribution(series: Series) -> dict[str, list[float]]:
    """Response times and the share of requests that are not slower, thinned to draw."""
    whole = series.whole
    shares = np.cumsum(whole.counts) / whole.count
    places = np.arange(len(shares))
    if len(places) > CURVE_POINTS:
        # Half of the points evenly over the requests, half towards the slowest of them.
        tail = 1 - np.geomspace(1, 1 / whole.count, CURVE_POINTS // 2)
        wanted = np.concatenate((np.linspace(0, 1, CURVE_POINTS // 2), tail))
        places = np.unique(np.minimum(np.searchsorted(shares, wanted), len(shares) - 1))
    return {
        "response_s": [ps_to_s(int(value)) for value in whole.values[places]],
        "share": [float(share) for share in shares[places]],
    }


def _point_to_data(point: LoadPoint) -> dict[str, Any]:
    return {
        "load_fraction": float(point.load),
        "rate_hz": float(point.rate_hz),
        **summarise_serving(point.result),
    }


def _capacity_to_data(capacity: Capacity) -> dict[str, Any]:
    def value(point: LoadPoint | None) -> dict[str, Any] | None:
        if point is None:
            return None
        interval = capacity.target.interval(point.result)
        scale = target_scale(capacity.target)
        return {
            "rate_hz": float(point.rate_hz),
            "load_fraction": float(point.load),
            "value": scale * capacity.target.value(point.result),
            "interval": [scale * end for end in interval] if interval else None,
        }

    return {
        "target": capacity.target.text,
        "statistic": capacity.target.statistic,
        "most": target_scale(capacity.target) * capacity.target.most,
        "met": value(capacity.met),
        "missed": value(capacity.missed),
        "simulated": capacity.simulated,
        "monotone": capacity.monotone,
    }


def target_scale(target: Target) -> float:
    """What turns the target's own unit into seconds, or leaves a share alone."""
    return 1.0 if target.statistic == "missed" else ps_to_s(1)


def _head(
    spec: AcceleratorSpec, origin: str, settings: Mapping[str, Any], systems: Sequence[System]
) -> dict[str, Any]:
    workloads = {w.name: w for system in systems for w in system.workloads}
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "provenance": {
            "spec": spec.model_dump(mode="json"),
            "spec_origin": origin,
            "settings": dict(settings),
            "workloads": {
                name: {
                    "source": workload.source,
                    "leaf_shares_source": workload.leaf_shares_source,
                    "sha256": hashlib.sha256(workload_to_json(workload).encode()).hexdigest(),
                }
                for name, workload in workloads.items()
            },
            "arrival_sha256": {
                str(source.arrivals): digest
                for system in systems
                for source in system.traffic.sources
                if (digest := source.arrivals.sha256)
            },
            "versions": {
                "simulator": __version__,
                "python": platform.python_version(),
                **{package: version(package) for package in ("numpy", "pydantic", "simpy")},
            },
        },
    }
