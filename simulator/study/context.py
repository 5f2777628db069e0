"""What all points of a study have in common, and how a point's choices change it."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

from simulator.activation_bits import ActivationBitsRule, with_activation_bits
from simulator.errors import InfeasiblePlanError, SpecError, UserError
from simulator.ir import Branch, Route, Workload
from simulator.mapping.placement import Placement
from simulator.policy import PARAMETER_FIELDS, Policy, PolicyChoice
from simulator.program_file import workload_from_json, workload_to_json
from simulator.spec import AcceleratorSpec
from simulator.spec_file import Override, field_names, with_overrides
from simulator.study.area import fill_area
from simulator.study.axis import Choices, Value
from simulator.study.code_version import CODE_SHA256
from simulator.study.keeping import RESIDENCY_FIELDS, Keeping
from simulator.study.tree_options import TREE_FIELDS, tree_name
from simulator.validation import nearest
from simulator.weight_bits import WeightBitsRule, with_weight_bits

BITS_PREFIX, ACTIVATION_BITS_PREFIX = "bits.", "activation_bits."
RUN_OPTIONS = ("workload", "policy", "placement")
"""Axes that are no fields of the spec, beside bits.PATTERN and activation_bits.PATTERN."""


@dataclass(frozen=True)
class Scenario:
    """One point, ready to be simulated; equal keys give equal results.

    Inferences start from an empty scratchpad, unless weights are kept: then `routes` are in the
    order of the inputs.
    """

    workload: Workload
    spec: AcceleratorSpec
    policy: PolicyChoice
    placement: Placement
    routes: tuple[Route, ...]
    key: str
    keeping: Keeping | None = None


@dataclass(frozen=True)
class Context:
    """The device, networks, routes and options that points start from.

    Attributes:
        spec: with every --set applied.
        workloads: one or several; several are the axis `workload`.
        routes: by workload name, how often each route (its arms) occurs.
        policy, placement: where no axis says otherwise.
        bits, activation_bits: rules that hold at every point, before those of axes.
        trees: other trees of the workloads, for the axes of `simulator.study.tree_options`; they
            have routes too.
        streams: the routes in the order of the inputs, where a predictor learns from it or
            weights are kept.
        iso_area_mm2: if given, the scratchpad of every point is the largest this area holds.
    """

    spec: AcceleratorSpec
    workloads: tuple[Workload, ...]
    routes: Mapping[str, Mapping[tuple[int, ...], int]]
    policy: PolicyChoice
    placement: str
    bits: tuple[str, ...] = ()
    activation_bits: tuple[str, ...] = ()
    iso_area_mm2: float | None = None
    trees: tuple[Workload, ...] = ()
    streams: Mapping[str, Sequence[Sequence[int]]] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content, for naming studies."""
        return hashlib.sha256(self._text.encode()).hexdigest()

    @cached_property
    def _text(self) -> str:
        data = {
            "spec": self.spec.model_dump(mode="json"),
            "workloads": [workload_to_json(workload) for workload in self.workloads],
            "trees": [workload_to_json(workload) for workload in self.trees],
            "routes": {
                name: sorted([list(arms), count] for arms, count in counts.items())
                for name, counts in self.routes.items()
            },
            "policy": self.policy.to_data(),
            "placement": self.placement,
            "bits": list(self.bits),
            "activation_bits": list(self.activation_bits),
            "iso_area_mm2": self.iso_area_mm2,
            "streams": {name: list(map(list, arms)) for name, arms in self.streams.items()},
        }
        return json.dumps(data, sort_keys=True)

    def to_bytes(self) -> bytes:
        """Compressed, to be sent along with every task: a worker may join at any time."""
        return zlib.compress(self._text.encode())

    @classmethod
    def from_bytes(cls, packed: bytes) -> Context:
        """The context another process packed."""
        data = json.loads(zlib.decompress(packed))
        return cls(
            spec=AcceleratorSpec.model_validate_json(json.dumps(data["spec"])),
            workloads=tuple(workload_from_json(text, "context") for text in data["workloads"]),
            routes={
                name: {tuple(arms): count for arms, count in counts}
                for name, counts in data["routes"].items()
            },
            policy=PolicyChoice.from_data(data["policy"]),
            placement=data["placement"],
            bits=tuple(data["bits"]),
            activation_bits=tuple(data["activation_bits"]),
            iso_area_mm2=data["iso_area_mm2"],
            trees=tuple(workload_from_json(text, "context") for text in data["trees"]),
            streams=data["streams"],
        )

    def scenario(self, choices: Choices) -> Scenario:
        """The point with these choices.

        Raises:
            SpecError: the choices make no valid spec, or no scratchpad fits the area.
        """
        overrides = tuple(
            (field, value) for field, value in choices.items() if field_kind(field) == "spec"
        )
        spec, spec_digest = self._spec(overrides)
        name = self._program(choices)
        bits = _rules(BITS_PREFIX, choices), _rules(ACTIVATION_BITS_PREFIX, choices)
        workload, workload_digest = self._workload(name, *bits)
        policy = replace(self.policy, policy=Policy(str(choices.get("policy", self.policy.policy))))
        for parameter in PARAMETER_FIELDS.keys() & choices.keys():
            policy = policy.with_parameter(parameter, choices[parameter])
        placement = Placement(str(choices.get("placement", self.placement)))
        branches = any(isinstance(step, Branch) for step in workload.program.steps)
        # A network without branches runs the same under every policy.
        keeping = Keeping.of(choices)
        ordered = keeping is not None or (branches and policy.learns)
        routes, routes_digest = self._routes(name, ordered)
        parts = [spec_digest, workload_digest, routes_digest]
        parts += [policy.text if branches else "any", placement.value, CODE_SHA256]
        parts += [keeping.text] if keeping is not None else []
        key = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        return Scenario(workload, spec, policy, placement, routes, key, keeping)

    def _program(self, choices: Choices) -> str:
        """The name of the workload, or of its tree with the options chosen."""
        name = str(choices.get("workload", self.workloads[0].name))
        options = {field: value for field, value in choices.items() if field in TREE_FIELDS}
        if not options:
            return name
        return tree_name(next(each for each in self.workloads if each.name == name), options)

    def invalid_key(self, choices: Choices) -> str:
        """A key for choices that make no scenario."""
        text = json.dumps([self.digest, list(choices.items()), CODE_SHA256])
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def _caches(self) -> tuple[Any, Any, Any]:
        return lru_cache(256)(self._make_spec), lru_cache(64)(self._make_workload), {}

    def _spec(self, overrides: tuple[tuple[str, Value], ...]) -> tuple[AcceleratorSpec, str]:
        # 1 and 1.0 and True are one key to a cache but not to a spec.
        typed = tuple((field, value, type(value)) for field, value in overrides)
        found: tuple[AcceleratorSpec, str] = self._caches[0](typed)
        return found

    def _make_spec(self, overrides: tuple[tuple[str, Value, type], ...]) -> Any:
        spec = self.spec
        if overrides:
            spec = with_overrides(spec, [Override(field, value) for field, value, _ in overrides])
        if self.iso_area_mm2 is not None:
            spec = fill_area(spec, self.iso_area_mm2)
        text = spec.model_dump_json(exclude={"name", "description", "sources"})
        return spec, hashlib.sha256(text.encode()).hexdigest()

    def _workload(
        self, name: str, weights: tuple[str, ...], activations: tuple[str, ...]
    ) -> tuple[Workload, str]:
        found: tuple[Workload, str] = self._caches[1](name, weights, activations)
        return found

    def _make_workload(
        self, name: str, weights: tuple[str, ...], activations: tuple[str, ...]
    ) -> Any:
        workload = next(each for each in (*self.workloads, *self.trees) if each.name == name)
        of_weights = [WeightBitsRule.parse(rule) for rule in (*self.bits, *weights)]
        workload = with_weight_bits(workload, of_weights)
        rules = (*self.activation_bits, *activations)
        of_activations = [ActivationBitsRule.parse(rule) for rule in rules]
        workload = with_activation_bits(workload, of_activations)
        text = workload.program.model_dump_json()
        return workload, hashlib.sha256(text.encode()).hexdigest()

    def _routes(self, name: str, ordered: bool) -> tuple[tuple[Route, ...], str]:
        """The routes of a workload: in the order of its inputs if that matters, else by count."""
        known = self._caches[2]
        if (name, ordered) not in known:
            if ordered:
                if name not in self.streams:
                    raise UserError(f"{name}: the order of its inputs is not kept")
                arms = [tuple(each) for each in self.streams[name]]
            else:
                counts = sorted(self.routes[name].items())
                arms = [each for each, count in counts for _ in range(count)]
            routes = tuple(Route(arms=each) for each in arms)
            digest = hashlib.sha256(repr(arms if ordered else counts).encode()).hexdigest()
            known[name, ordered] = (routes, digest)
        found: tuple[tuple[Route, ...], str] = known[name, ordered]
        return found


def count_routes(routes: Sequence[Route]) -> dict[tuple[int, ...], int]:
    """How often each route occurs, by its arms."""
    return dict(Counter(route.arms for route in routes))


def _rules(prefix: str, choices: Choices) -> tuple[str, ...]:
    """The widths that choices give to patterns, as the command line writes them."""
    return tuple(
        f"{field.removeprefix(prefix)}={value}"
        for field, value in choices.items()
        if field.startswith(prefix)
    )


@lru_cache(maxsize=1024)
def field_kind(field: str) -> str:
    """What an axis varies.

    `run`, `prefetch`, `bits`, `activation_bits`, `tree`, `residency`, or a field of the `spec`.

    Raises:
        UserError: nothing of that name can be varied.
    """
    if field in RUN_OPTIONS:
        return "run"
    if field.startswith(BITS_PREFIX):
        return "bits"
    if field.startswith(ACTIVATION_BITS_PREFIX):
        return "activation_bits"
    if field in PARAMETER_FIELDS:
        return "prefetch"
    if field in TREE_FIELDS:
        return "tree"
    if field in RESIDENCY_FIELDS:
        return "residency"
    others = (*RUN_OPTIONS, *TREE_FIELDS, *RESIDENCY_FIELDS, *PARAMETER_FIELDS)
    known = [name for name in field_names() if "." in name]
    if field not in known:
        raise UserError(
            f"--vary {field}: nothing of that name can be varied"
            f"{nearest(field, [*known, *others])}; a dotted field of the spec, "
            f"{', '.join(others)}, bits.PATTERN or activation_bits.PATTERN can"
        )
    return "spec"


REASONS = (SpecError, InfeasiblePlanError)
"""What makes a point infeasible, as opposed to what makes a study wrong."""
