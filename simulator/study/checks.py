"""Refuses axes that no point can take, before the first one is simulated."""

from __future__ import annotations

from collections.abc import Sequence, Set

from simulator.activation_bits import ActivationBitsRule, check_activation_rules
from simulator.errors import SpecError, UserError
from simulator.mapping.placement import Placement
from simulator.policy import PARAMETER_POLICIES, Policy
from simulator.spec import AcceleratorSpec
from simulator.spec_file import Override, with_overrides
from simulator.study.axis import GridAxis, RandomAxis, Value
from simulator.study.context import ACTIVATION_BITS_PREFIX, BITS_PREFIX, Context, field_kind
from simulator.study.keeping import RESIDENCY, check_residency
from simulator.validation import nearest
from simulator.weight_bits import WeightBitsRule, check_rules


def checked_axes(
    context: Context, axes: Sequence[GridAxis | RandomAxis]
) -> list[GridAxis | RandomAxis]:
    """The axes, every value of which some point can take; ranges of counts are rounded to them.

    A value that is wrong by itself is the user's mistake. Values that only do not go together, or
    do not fit the network, make infeasible points later.

    Raises:
        UserError: an unknown field, or a value it can never have.
    """
    checked: list[GridAxis | RandomAxis] = []
    policies: set[Value] = {context.policy.policy.value}
    for axis in axes:
        if axis.field == "policy" and isinstance(axis, GridAxis):
            policies = set(axis.values)
    for axis in axes:
        kind = field_kind(axis.field)
        if context.iso_area_mm2 is not None and axis.field == "scratchpad.capacity_kib":
            raise UserError(f"--vary {axis.field}: with --iso-area the capacity follows from it")
        if isinstance(axis, RandomAxis):
            checked.append(_drawn(context.spec, axis, kind))
            continue
        if kind == "run":
            _check_run_values(context, axis)
        elif kind == "prefetch":
            _check_parameter(context, axis, policies)
        elif kind == "bits":
            rules = [f"{axis.field.removeprefix(BITS_PREFIX)}={value}" for value in axis.values]
            check_rules(context.workloads, [WeightBitsRule.parse(rule) for rule in rules])
        elif kind == "activation_bits":
            pattern = axis.field.removeprefix(ACTIVATION_BITS_PREFIX)
            rules = [f"{pattern}={value}" for value in axis.values]
            check_activation_rules(
                context.workloads, [ActivationBitsRule.parse(rule) for rule in rules]
            )
        elif kind == "residency":
            _check_residency(context, axis, axes)
        elif kind == "spec":
            for value in axis.values:
                _check_spec_value(context.spec, axis.field, value)
        checked.append(axis)
    return checked


def _drawn(spec: AcceleratorSpec, axis: RandomAxis, kind: str) -> RandomAxis:
    if kind != "spec":
        raise UserError(f"--vary {axis.field}: only numbers can be drawn; list its values")
    part, _, field = axis.field.partition(".")
    counts = isinstance(getattr(getattr(spec, part), field), int)
    multiple = axis.multiple_of or (1 if counts else None)
    drawn = RandomAxis(axis.field, axis.low, axis.high, axis.is_logarithmic, multiple)
    for end in (0.0, 1.0):
        _check_spec_value(spec, axis.field, drawn.value_at(end))
    return drawn


def _check_run_values(context: Context, axis: GridAxis) -> None:
    known = {
        "workload": [workload.name for workload in context.workloads],
        "policy": [policy.value for policy in Policy],
        "placement": [placement.value for placement in Placement],
    }[axis.field]
    for value in axis.values:
        if value not in known:
            raise UserError(
                f"--vary {axis.field}: {value!r}: must be one of {', '.join(known)}"
                f"{nearest(str(value), known)}"
            )


def _check_residency(
    context: Context, axis: GridAxis, axes: Sequence[GridAxis | RandomAxis]
) -> None:
    placements = {context.placement}
    for other in axes:
        if other.field == "placement" and isinstance(other, GridAxis):
            placements |= set(map(str, other.values))
    if placements != {Placement.STREAM}:
        raise UserError(f"--vary {axis.field}: keeps weights by itself; leave placement out")
    if all(other.field != RESIDENCY for other in axes):
        raise UserError(f"--vary {axis.field}: needs an axis {RESIDENCY}, e.g. {RESIDENCY}=lru")
    for value in axis.values:
        check_residency(axis.field, value)


def _check_parameter(context: Context, axis: GridAxis, policies: Set[Value]) -> None:
    users = [policy.value for policy in PARAMETER_POLICIES[axis.field]]
    if policies.isdisjoint(users):
        raise UserError(
            f"--vary {axis.field}: used only by policy {', '.join(users)}; name it by --policy or "
            "--vary policy"
        )
    for value in axis.values:
        try:
            context.policy.with_parameter(axis.field, value)
        except ValueError as error:
            raise UserError(f"--vary {axis.field}: {value!r}: {error}") from None


def _check_spec_value(spec: AcceleratorSpec, field: str, value: Value) -> None:
    """Refuse a value that the field itself cannot have, whatever stands in the others."""
    try:
        with_overrides(spec, [Override(field, value)])
    except SpecError as error:
        own = f"{spec.name}: {field}: "
        if str(error).startswith(own):
            raise UserError(f"--vary {field}: {str(error).removeprefix(own)}") from None
