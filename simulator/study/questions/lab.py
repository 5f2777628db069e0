"""Where a study simulates: points on several accelerators, each kept as soon as it is finished."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from simulator.counts import count_program
from simulator.ir import Workload
from simulator.mapping.placement import Placement
from simulator.policy import Policy, PolicyChoice
from simulator.routes import draw_routes
from simulator.spec import AcceleratorSpec
from simulator.spec_file import Override, with_overrides
from simulator.study.axis import Choices, Value
from simulator.study.code_version import CODE_SHA256
from simulator.study.context import Context, count_routes
from simulator.study.execute import Progress, Runner, Watcher
from simulator.study.outcome import Outcome
from simulator.study.store import Store
from simulator.study.workers import Workers

INFERENCES = 1000
"""Routes drawn from the leaf shares at every point, as `run` does by default."""


@dataclass(frozen=True)
class Device:
    """A shipped accelerator, as it is or with some fields changed, under a name of its own."""

    spec: str
    changes: tuple[tuple[str, Value], ...] = ()
    label: str = ""

    @property
    def name(self) -> str:
        """What tables and figures call it."""
        return self.label or self.spec


@dataclass(frozen=True)
class Point:
    """One simulation: a workload on a device under a policy.

    `options` are choices of a sweep's axes that are no fields of the spec.
    """

    device: Device
    workload: str
    policy: str = Policy.ON_DEMAND.value
    options: tuple[tuple[str, Value], ...] = ()

    @property
    def choices(self) -> Choices:
        """The point as a sweep writes it."""
        return {
            "workload": self.workload,
            "policy": self.policy,
            **dict(self.options),
            **dict(self.device.changes),
        }


@dataclass
class Lab:
    """Loads, simulates and remembers what was used.

    Attributes:
        spec_names: the shipped accelerators.
        load_spec, load_workload: by shipped name.
        store, workers: where outcomes are kept and computed.
        watch: told how far it is.
        seed: of the drawn routes and streams.
    """

    spec_names: tuple[str, ...]
    load_spec: Callable[[str], AcceleratorSpec]
    load_workload: Callable[[str], Workload]
    store: Store
    workers: Workers
    watch: Watcher
    seed: int = 0
    used_specs: dict[str, AcceleratorSpec] = field(default_factory=dict)
    used_workloads: dict[str, Workload] = field(default_factory=dict)

    def spec(self, device: Device) -> AcceleratorSpec:
        """The device's spec."""
        if device.spec not in self.used_specs:
            self.used_specs[device.spec] = self.load_spec(device.spec)
        spec = self.used_specs[device.spec]
        changes = [Override(name, value) for name, value in device.changes]
        return with_overrides(spec, changes) if changes else spec

    def workload(self, name: str) -> Workload:
        """A shipped workload."""
        if name not in self.used_workloads:
            self.used_workloads[name] = self.load_workload(name)
        return self.used_workloads[name]

    def evaluate(self, points: Sequence[Point]) -> list[Outcome]:
        """The outcome of each point, in order; those known already cost nothing."""
        progress = Progress(len(points))
        found: dict[int, Outcome] = {}
        for spec_name in dict.fromkeys(point.device.spec for point in points):
            places = [at for at, point in enumerate(points) if point.device.spec == spec_name]
            mine = [points[at] for at in places]
            context = self._context(spec_name, mine)
            study = _study_of(context, mine)
            self.store.describe(study, {"spec": spec_name, "points": len(mine)})
            numbered = [(number, point.choices) for number, point in enumerate(mine)]
            Runner(self.store, study, context, self.workers).run(numbered, progress, self.watch)
            for number, _, outcome in self.store.rows(study):
                found[places[number]] = outcome
        return [found[at] for at in range(len(points))]

    def _context(self, spec_name: str, points: Sequence[Point]) -> Context:
        """What the points on one spec have in common."""
        names = sorted({point.workload for point in points})
        workloads = tuple(self.workload(name) for name in names)
        routes = {
            workload.name: count_routes(draw_routes(workload, INFERENCES, self.seed))
            for workload in workloads
        }
        spec = self.spec(Device(spec_name))
        policy, placement = PolicyChoice(Policy.ON_DEMAND), Placement.STREAM.value
        return Context(spec, workloads, routes, policy, placement)


def _study_of(context: Context, points: Sequence[Point]) -> str:
    """Names the points in the store: the same for the same points, computed by the same code."""
    choices = [point.choices for point in points]
    text = json.dumps([context.digest, choices, CODE_SHA256])
    return hashlib.sha256(text.encode()).hexdigest()


def active_saving_percent(dense: Workload, tree: Workload) -> float:
    """The analytic saving: fewer active parameters, by leaf shares (arXiv 2606.09924 table III)."""
    return 100 * (1 - _active_params(tree) / _active_params(dense))


def _active_params(workload: Workload) -> float:
    routes = count_program(workload.program, bits=8).routes
    pairs = zip(workload.leaf_shares, routes, strict=True)
    total = sum(share * route.params_active for share, route in pairs)
    return total / sum(workload.leaf_shares)
