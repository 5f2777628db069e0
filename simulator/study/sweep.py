"""A sweep: a context and a design, their identity, and their results as a table."""

from __future__ import annotations

import csv
import hashlib
import json
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Any, TextIO

from simulator.study.axis import Choices, Value
from simulator.study.code_version import CODE_SHA256
from simulator.study.context import RUN_OPTIONS, Context
from simulator.study.design import Design
from simulator.study.outcome import METRICS, Outcome
from simulator.study.store import Store
from simulator.version import __version__

SWEEP_SCHEMA = "simulator.sweep"
SWEEP_VERSION = 1


@dataclass(frozen=True)
class Sweep:
    """What is varied, around what."""

    context: Context
    design: Design

    @cached_property
    def study(self) -> str:
        """The sweep's name in a store: the same for the same points, computed by the same code."""
        text = json.dumps([self.context.digest, asdict(self.design), CODE_SHA256])
        return hashlib.sha256(text.encode()).hexdigest()

    def points(self) -> Iterator[tuple[int, Choices]]:
        """Every point with its number, made as it is asked for."""
        return ((number, self.design.choices_at(number)) for number in range(self.design.n_points))

    def description(self) -> dict[str, Any]:
        """What it takes to repeat the sweep, as data; the same for the same inputs and versions."""
        context = self.context
        return {
            "schema": SWEEP_SCHEMA,
            "schema_version": SWEEP_VERSION,
            "study": self.study,
            "n_points": self.design.n_points,
            "axes": [asdict(axis) for axis in self.design.axes],
            "samples": self.design.samples,
            "seed": self.design.seed,
            "spec": context.spec.model_dump(mode="json"),
            "workloads": [
                {
                    "name": workload.name,
                    "source": workload.source,
                    "inferences": sum(context.routes[workload.name].values()),
                }
                for workload in context.workloads
            ],
            "policy": context.policy.policy.value,
            "placement": context.placement,
            "bits": list(context.bits),
            "activation_bits": list(context.activation_bits),
            "iso_area_mm2": context.iso_area_mm2,
            "context_sha256": context.digest,
            "versions": {
                "simulator": __version__,
                "code_sha256": CODE_SHA256,
                "python": platform.python_version(),
                **{package: version(package) for package in ("numpy", "pydantic", "simpy")},
            },
        }

    def columns(self) -> list[str]:
        """Header of the table: the run's options, the axes, then what came out."""
        fields = [field for field in self.design.fields if field not in RUN_OPTIONS]
        outcome = ["status", "reason", "engine", *METRICS, "seed", "version", "key"]
        return ["number", *RUN_OPTIONS, *fields, *outcome]

    def row(self, number: int, choices: Choices, outcome: Outcome) -> list[Any]:
        """One line of the table."""
        context = self.context
        defaults: Choices = {
            "workload": context.workloads[0].name,
            "policy": context.policy.policy.value,
            "placement": context.placement,
        }
        options = [choices.get(name, defaults[name]) for name in RUN_OPTIONS]
        rest = [choices[field] for field in self.design.fields if field not in RUN_OPTIONS]
        found = [outcome.status.value, outcome.reason, outcome.engine, *outcome.metrics]
        provenance = [self.design.seed, __version__, outcome.key]
        return [number, *map(_cell, (*options, *rest, *found)), *provenance]

    def write_csv(self, store: Store, file: TextIO, study: str | None = None) -> None:
        """Every finished point, in order, under a header; read from the store line by line.

        `study` is another study of points of this design, such as a search.
        """
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(self.columns())
        for number, choices, outcome in store.rows(study or self.study):
            writer.writerow(self.row(number, choices, outcome))


def _cell(value: Value) -> Any:
    """A value as a spec file writes it; nothing where there is none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value
