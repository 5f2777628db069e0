"""The devices that `serve` puts requests on, and the routes their inputs take, from its options."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from simulator.cli.options import policy_choice
from simulator.cli.services import Services
from simulator.cli.stream_options import (
    chosen_population,
    region_size,
    stream_of,
)
from simulator.errors import UserError
from simulator.ir import Workload, leaf_routes
from simulator.mapping.case import Case
from simulator.mapping.placement import Placement
from simulator.mapping.plan import MappingProblem
from simulator.policy import SPECULATING, PolicyChoice
from simulator.prefetch.stream import Speculator
from simulator.runtime.device import Device as KeepingDevice
from simulator.runtime.granularity import Granularity
from simulator.runtime.itinerary import itinerary_of
from simulator.runtime.region_size import largest_harmless_region
from simulator.runtime.residency import Residency, ResidencyPolicy, Scope
from simulator.runtime.streams import StreamKind
from simulator.serving.npu import Sharing
from simulator.serving.request import Arms, drawn_routes
from simulator.serving.service import Device, StatelessDevice, service_table
from simulator.spec import AcceleratorSpec

MOST_WEIGHT = 10_000
"""Routes enter the choice of a plan by their counts, or their shares to this precision."""
ENDLESS = 2**62
"""Inputs of a stream of which only as many are drawn as requests arrive."""


@dataclass(frozen=True)
class Devices:
    """Devices for networks that share an NPU.

    Attributes:
        fresh: brings them in the state they have before anything ran.
        cold_ps: by network, the longest inference that finds nothing on chip.
        region_bytes: by network, the scratchpad that keeps weights; zero without residency.
    """

    fresh: Callable[[], Sequence[Device]]
    cold_ps: tuple[int, ...]
    region_bytes: tuple[int, ...]


def devices_for(
    args: argparse.Namespace,
    spec: AcceleratorSpec,
    workloads: Sequence[Workload],
    orders: Sequence[Order],
    count: int,
) -> Devices:
    """Devices that keep weights as --residency says, or none.

    Raises:
        InfeasiblePlanError: no blocking of some layer fits the scratchpad.
        UserError: options that contradict each other.
    """
    sharing = Sharing(args.sharing)
    if ResidencyPolicy(args.residency) is ResidencyPolicy.NONE:
        if sharing is Sharing.PARTITION:
            raise UserError("--sharing partition: of weights that stay on chip; needs --residency")
        return _stateless(args, spec, workloads, [islice(o.routes(), count) for o in orders])
    if Placement(args.placement) is not Placement.STREAM:
        raise UserError(f"--placement {args.placement}: weights stay by --residency; leave one out")
    return _keeping(args, spec, workloads, sharing)


def _stateless(
    args: argparse.Namespace,
    spec: AcceleratorSpec,
    workloads: Sequence[Workload],
    streams: Sequence[Iterator[Arms]],
) -> Devices:
    """The cases that routes stand for follow from the order in which a network's arrive."""
    choice, placement = policy_choice(args), Placement(args.placement)
    tables = []
    for workload, routes in zip(workloads, streams, strict=True):
        speculator = _speculator(workload, spec, choice)
        weights = Counter(routes if speculator is None else _cases(speculator, routes))
        tables.append(service_table(workload, spec, choice.policy, _weights(weights), placement))
    cold_ps = tuple(
        max(entry.latency_ps for entry in table.inferences.values())
        + (table.reload.latency_ps if table.reload else 0)
        for table in tables
    )

    def fresh() -> Sequence[Device]:
        return [
            StatelessDevice(table, _speculator(workload, spec, choice))
            for workload, table in zip(workloads, tables, strict=True)
        ]

    return Devices(fresh, cold_ps, (0,) * len(tables))


def _speculator(
    workload: Workload, spec: AcceleratorSpec, choice: PolicyChoice
) -> Speculator | None:
    return Speculator(workload, spec, choice) if choice.policy in SPECULATING else None


def _cases(speculator: Speculator, routes: Iterator[Arms]) -> Iterator[Case]:
    for arms in routes:
        yield speculator.case(arms)
        speculator.observe(arms)


def _weights(counts: Mapping[Arms, int]) -> dict[Arms, int]:
    """The counts in order, or where they are large their shares, none of them zero."""
    total = sum(counts.values())
    ordered = sorted(counts.items(), key=lambda item: _sort_key(item[0]))
    if total <= MOST_WEIGHT:
        return dict(ordered)
    return {arms: max(times * MOST_WEIGHT // total, 1) for arms, times in ordered}


def _sort_key(arms: Arms) -> tuple[object, ...]:
    """Orders routes, and the cases of one route."""
    return arms.sort_key if isinstance(arms, Case) else (arms,)


def _keeping(
    args: argparse.Namespace,
    spec: AcceleratorSpec,
    workloads: Sequence[Workload],
    sharing: Sharing,
) -> Devices:
    choice, size = policy_choice(args), region_size(args.region, spec)
    sizes = [
        largest_harmless_region(workload, spec, choice)[0] if size is None else size
        for workload in workloads
    ]
    if sharing is Sharing.PARTITION:
        sizes = [min(sizes) // len(sizes)] * len(sizes)
    devices: list[KeepingDevice] = []
    for workload, region_bytes in zip(workloads, sizes, strict=True):
        residency = Residency(
            policy=ResidencyPolicy(args.residency),
            granularity=Granularity(args.granularity),
            region_bytes=region_bytes,
            scope=Scope(args.scope),
            others_bytes=sum(sizes) - region_bytes if sharing is Sharing.PARTITION else 0,
        )
        devices.append(KeepingDevice(workload, spec, choice, residency))

    def fresh() -> Sequence[Device]:
        for device in devices:
            device.reset()
        return devices

    return Devices(fresh, tuple(_cold_ps(device) for device in devices), tuple(sizes))


def _cold_ps(device: KeepingDevice) -> int:
    longest_ps = 0
    for arms in device.itinerary.shares:
        device.reset()
        longest_ps = max(longest_ps, device.serve(arms).latency_ps)
    return longest_ps


@dataclass(frozen=True)
class Order:
    """How the inputs of a network follow one another.

    Attributes:
        routes: starts the stream of their routes, the same each time.
        leaves: every route there is.
        independent: whether each is drawn by itself.
        origin: in which order they come and from where, for people.
    """

    routes: Callable[[], Iterator[Arms]]
    leaves: tuple[Arms, ...]
    independent: bool
    origin: str


def order_of(
    args: argparse.Namespace,
    named: str,
    workload: Workload,
    spec: AcceleratorSpec,
    services: Services,
) -> Order:
    """The order that the options ask for; by itself that of real inputs, else independent draws.

    Raises:
        UserError: a number out of range, or an order that the inputs do not allow.
    """
    alone = argparse.Namespace(**{**vars(args), "workload": named})
    itinerary = itinerary_of(workload, MappingProblem(workload.program, spec).steps)
    population = chosen_population(alone, workload, itinerary, services)
    default = StreamKind.DATA_SET if population.ordered else StreamKind.INDEPENDENT
    kind = StreamKind(args.stream) if args.stream else default
    independent = kind is StreamKind.INDEPENDENT
    stream = stream_of(args, kind, population, ENDLESS)
    leaves = tuple(leaf_routes(workload.program))
    origin = f"{kind}, {population.origin}"
    if independent and not population.ordered:
        # Those that `run` draws from the same seed.
        routes = drawn_routes(leaves, workload.leaf_shares, args.seed)
        return Order(routes, leaves, True, origin)
    return Order(stream.routes, leaves, independent, origin)
