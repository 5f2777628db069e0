"""What `serve` simulates, from its options."""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice

from simulator.cli.options import (
    MAX_INFERENCES,
    add_simulation_options,
    policy_choice,
    with_chosen_bits,
)
from simulator.cli.resolve import resolve_workload
from simulator.cli.serve_devices import devices_for, order_of
from simulator.cli.services import Services
from simulator.cli.stream_options import add_region_and_order_options, fill_region_defaults
from simulator.cost.energy_table import energy_table
from simulator.errors import UserError
from simulator.ir import Workload
from simulator.mapping.placement import Placement
from simulator.policy import SPECULATING, Policy
from simulator.runtime.residency import ResidencyPolicy
from simulator.serving.arrivals import Arrivals, TracedArrivals, parse_arrivals
from simulator.serving.capacity import parse_duration_ps
from simulator.serving.npu import Sharing
from simulator.serving.request import Network, Source, Traffic
from simulator.serving.scheduling import Scheduling
from simulator.serving.system import MOST_LEAVES, System
from simulator.spec import AcceleratorSpec
from simulator.validation import nearest

DEFAULT_REQUESTS = 50_000


def add_serving_options(parser: argparse.ArgumentParser) -> None:
    """Declare what traffic there is and how it is served."""
    add_simulation_options(parser, DEFAULT_REQUESTS)
    add = parser.add_argument
    add(
        "--workload",
        required=True,
        metavar="W[,W2]",
        help="shipped workloads, program files or folders that build wrote; several share the NPU",
    )
    add(
        "--arrivals",
        default="poisson",
        metavar="A[,A2]",
        help="periodic:HZ, poisson:HZ or trace:FILE; one for all workloads, or one for each; "
        "with --load or --sustain without HZ (default poisson)",
    )
    add(
        "--shares",
        metavar="S,S2",
        help="share of each workload in the requests of one arrival process (default: equal)",
    )
    add(
        "--deadline",
        metavar="T[,T2]",
        help="from arrival to the end of the inference, e.g. 5ms; one for all or one for each",
    )
    add(
        "--scheduling",
        default=Scheduling.FIFO.value,
        metavar="S[,S2]",
        help=f"which waiting request is next: {', '.join(Scheduling)}; with --load or --sustain "
        "several, side by side (default %(default)s)",
    )
    add(
        "--leaf-accuracy",
        type=float,
        metavar="F",
        help="for leaf_batched: how often the leaf predicted at arrival is right, from 0 to 1; "
        "1 is an oracle of routes, an upper bound (default 1)",
    )
    add(
        "--residency",
        choices=[
            policy.value for policy in ResidencyPolicy if policy is not ResidencyPolicy.BELADY
        ],
        default=ResidencyPolicy.NONE.value,
        help="which weights stay on chip for the next inference (default %(default)s)",
    )
    add(
        "--sharing",
        choices=[choice.value for choice in Sharing],
        help="of several workloads with --residency: whether each loses its weights to the next, "
        "or has its part of --region (default turns)",
    )
    add_region_and_order_options(parser)
    add(
        "--skip",
        type=int,
        default=0,
        metavar="N",
        help="first requests that are served but not counted (default 0)",
    )


def systems_for(
    args: argparse.Namespace, spec: AcceleratorSpec, services: Services, needs_rate: bool
) -> list[System]:
    """The system that the options describe, or with --each one for every workload.

    Raises:
        UserError: options that contradict each other or hold senseless values.
    """
    schedulings = _schedulings(args)
    _check_numbers(args, schedulings)
    names = _listed(args.workload)
    if not names or len(set(names)) < len(names):
        raise UserError(f"--workload {args.workload}: name one or more different workloads")
    workloads = with_chosen_bits(args, [resolve_workload(name, services) for name in names])
    if (args.routes or args.outcomes) and len(names) > 1:
        raise UserError("--routes, --outcomes: are of one workload; name one, or build's folders")
    if len(names) > 1 and not args.each and Placement(args.placement) is Placement.KEEP_ALL:
        raise UserError("--placement keep_all: networks that share an NPU overwrite each other")
    deadlines = _each(_deadlines_ps(args), len(names), "--deadline")
    arrivals = [parse_arrivals(text, needs_rate) for text in _listed(args.arrivals)]
    if not needs_rate and args.arrivals.count(":"):
        raise UserError(f"--arrivals {args.arrivals}: --load and --sustain set the rate; give none")
    if args.each and len(arrivals) > 1:
        raise UserError(f"--arrivals {args.arrivals}: with --each, one for all workloads")
    parts = [_Part(*each) for each in zip(names, workloads, deadlines, strict=True)]
    groups = [[part] for part in parts] if args.each else [parts]
    systems = [_Builder(args, spec, services, group).system(arrivals) for group in groups]
    if len(schedulings) == 1:
        return [replace(system, scheduling=schedulings[0]) for system in systems]
    return [
        replace(system, scheduling=scheduling, label=scheduling.value)
        for system in systems
        for scheduling in schedulings
    ]


@dataclass(frozen=True)
class _Part:
    """A network of a system: as the command line names it, what it is, and its deadline."""

    named: str
    workload: Workload
    deadline_ps: int | None


class _Builder:
    """Puts one system together."""

    def __init__(
        self,
        args: argparse.Namespace,
        spec: AcceleratorSpec,
        services: Services,
        parts: Sequence[_Part],
    ) -> None:
        self.args, self.spec, self.services, self.parts = args, spec, services, parts
        self.workloads = tuple(part.workload for part in parts)

    def system(self, arrivals: Sequence[Arrivals]) -> System:
        """The system with its traffic and devices."""
        args, names = self.args, [workload.name for workload in self.workloads]
        sources = self._sources(arrivals, names)
        count = self._count([source.arrivals for source in sources])
        if args.skip >= count:
            raise UserError(f"--skip {args.skip}: there are {count} requests")
        orders = [
            order_of(args, part.named, part.workload, self.spec, self.services)
            for part in self.parts
        ]
        counts = [Counter(islice(order.routes(), count)) for order in orders]
        devices = devices_for(args, self.spec, self.workloads, orders, count)
        networks = tuple(
            Network(part.workload.name, order.routes, order.leaves, part.deadline_ps)
            for part, order in zip(self.parts, orders, strict=True)
        )
        remembers = any(devices.region_bytes) or Policy(args.policy) in SPECULATING
        keeps = remembers or Placement(args.placement) is not Placement.STREAM
        accuracy = 1.0 if args.leaf_accuracy is None else args.leaf_accuracy
        frequent = sorted(
            ((-times, number, arms) for number, c in enumerate(counts) for arms, times in c.items())
        )[:MOST_LEAVES]
        return System(
            workloads=self.workloads,
            traffic=Traffic(networks, sources, count, args.seed, accuracy),
            policy=policy_choice(args).text,
            devices=devices.fresh,
            cold_ps=devices.cold_ps,
            region_bytes=devices.region_bytes,
            sharing=Sharing(args.sharing),
            orders=tuple(order.origin for order in orders),
            scheduling=Scheduling.FIFO,
            skip=args.skip,
            static_w=energy_table(self.spec).static_w,
            leaves=tuple(sorted((number, arms) for _, number, arms in frequent)),
            independent=all(order.independent for order in orders) and not keeps,
        )

    def _sources(self, arrivals: Sequence[Arrivals], names: list[str]) -> tuple[Source, ...]:
        everyone = tuple(range(len(names)))
        if len(arrivals) not in (1, len(names)):
            raise UserError(
                f"--arrivals {self.args.arrivals}: give one for all workloads or {len(names)}"
            )
        if len(arrivals) > 1:
            if self.args.shares:
                raise UserError("--shares: every workload has arrivals of its own")
            return tuple(Source(each, (n,)) for n, each in enumerate(arrivals))
        (only,) = arrivals
        if isinstance(only, TracedArrivals) and only.trace.workloads is not None:
            unknown = set(only.trace.workloads) - set(names)
            if unknown:
                raise UserError(
                    f"{only.trace.origin}: workload {min(unknown)}: is not in --workload"
                )
            return tuple(
                Source(TracedArrivals(only.trace.of(name)), (n,)) for n, name in enumerate(names)
            )
        return (Source(only, everyone, self._shares(len(names))),)

    def _shares(self, count: int) -> tuple[float, ...]:
        text = self.args.shares
        if text is None:
            return (1 / count,) * count
        try:
            shares = [float(part) for part in _listed(text)]
        except ValueError:
            shares = []
        if len(shares) != count or not all(0 < share < math.inf for share in shares):
            raise UserError(f"--shares {text}: expected {count} positive numbers")
        return tuple(share / sum(shares) for share in shares)

    def _count(self, arrivals: Sequence[Arrivals]) -> int:
        traced = [len(a.trace.times_ps) for a in arrivals if isinstance(a, TracedArrivals)]
        wanted: int | None = self.args.inferences
        if len(traced) < len(arrivals):
            return wanted or DEFAULT_REQUESTS
        if wanted is not None and wanted > sum(traced):
            raise UserError(f"--inferences {wanted}: the trace holds {sum(traced)} arrivals")
        return wanted or sum(traced)


def _schedulings(args: argparse.Namespace) -> list[Scheduling]:
    names = _listed(args.scheduling)
    for name in names:
        if name not in set(Scheduling):
            raise UserError(
                f"--scheduling {name!r}: no such order{nearest(name, list(Scheduling))}; "
                f"there are {', '.join(Scheduling)}"
            )
    if not names or len(set(names)) < len(names):
        raise UserError(f"--scheduling {args.scheduling!r}: name one or more different orders")
    if len(names) > 1 and args.load is None and args.sustain is None:
        raise UserError(f"--scheduling {args.scheduling}: several only with --load or --sustain")
    return [Scheduling(name) for name in names]


def _check_numbers(args: argparse.Namespace, schedulings: Sequence[Scheduling]) -> None:
    if args.seed < 0:
        raise UserError(f"--seed {args.seed}: must be zero or more")
    if args.inferences is not None and not 1 <= args.inferences <= MAX_INFERENCES:
        raise UserError(f"--inferences {args.inferences}: must be from 1 to {MAX_INFERENCES}")
    if args.skip < 0:
        raise UserError(f"--skip {args.skip}: must be zero or more")
    if args.leaf_accuracy is not None:
        if not 0 <= args.leaf_accuracy <= 1:
            raise UserError(f"--leaf-accuracy {args.leaf_accuracy}: must be from 0 to 1")
        if Scheduling.LEAF_BATCHED not in schedulings:
            raise UserError("--leaf-accuracy: only --scheduling leaf_batched predicts leaves")
    learns = policy_choice(args).learns
    keeps = args.residency != ResidencyPolicy.NONE.value
    for option in () if keeps else ("region", "granularity", "scope", "sharing"):
        if getattr(args, option) is not None:
            raise UserError(f"--{option} {getattr(args, option)}: needs a --residency")
    fill_region_defaults(args)
    args.sharing = args.sharing or Sharing.TURNS.value
    if learns and not keeps and Scheduling.LEAF_BATCHED in schedulings:
        raise UserError(
            f"--predictor {args.predictor}: learns from inputs in their order, which leaf_batched "
            "changes; use prior, or --residency"
        )
    if args.deadline is None and set(schedulings) != {Scheduling.FIFO}:
        raise UserError(f"--scheduling {args.scheduling}: needs a --deadline")


def _deadlines_ps(args: argparse.Namespace) -> list[int | None]:
    if args.deadline is None:
        return [None]
    return [parse_duration_ps(text, "--deadline") for text in _listed(args.deadline)]


def _each(values: list[int | None], count: int, option: str) -> list[int | None]:
    if len(values) not in (1, count):
        raise UserError(f"{option}: give one for all workloads or {count}")
    return values * count if len(values) == 1 else values


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def parse_loads(text: str) -> list[Fraction]:
    """Read ``LOW:HIGH:STEP`` or ``A,B,C``, shares of the saturation rate.

    Raises:
        UserError: no such list, or one that is too long.
    """
    try:
        if ":" in text:
            low, high, step = (Fraction(part) for part in text.split(":"))
            if step <= 0 or not 0 < low <= high or (high - low) / step > 200:
                raise ValueError
            loads = [low + step * index for index in range(int((high - low) / step) + 1)]
        else:
            loads = [Fraction(part) for part in _listed(text)]
    except (ValueError, ZeroDivisionError):
        loads = []
    if not loads or not all(0 < load <= 10 for load in loads):
        raise UserError(
            f"--load {text!r}: expected LOW:HIGH:STEP or a list, shares of the saturation rate, "
            "e.g. 0.1:0.95:0.05"
        )
    return sorted(set(loads))
