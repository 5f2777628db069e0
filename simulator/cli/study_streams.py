"""The order of a study's inputs, where its points depend on it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from simulator.cli.services import Services
from simulator.cli.stream_options import chosen_population, chosen_stream
from simulator.errors import UserError
from simulator.ir import Route, Workload
from simulator.mapping.plan import MappingProblem
from simulator.policy import PredictorName
from simulator.runtime.itinerary import Arms, itinerary_of
from simulator.runtime.streams import StreamKind
from simulator.spec import AcceleratorSpec
from simulator.study.axis import parse_axis
from simulator.study.keeping import RESIDENCY, RESIDENCY_FIELDS

MAX_ORDERED = 20_000
REAL = (StreamKind.DATA_SET, StreamKind.SHUFFLED)
ORDER_OPTIONS = ("stream", "persistence", "burst")


def streams_for(
    args: argparse.Namespace,
    spec: AcceleratorSpec,
    workloads: Mapping[str, Workload],
    listed: Mapping[str, Sequence[Route]],
    services: Services,
) -> dict[str, list[Arms]]:
    """By workload, its routes in the order of the inputs: of a stream, where weights are kept.

    Where a predictor may learn from it, otherwise, that in which the routes are listed.

    Args:
        args: the command line.
        spec: the accelerator.
        workloads: by what the command line calls them.
        listed: by workload, the routes of its inferences.
        services: for the real inputs of a folder that build wrote.

    Raises:
        UserError: an order the inputs do not allow, or more of them than a task can carry.
    """
    varied = {axis.field for axis in map(parse_axis, args.vary)}
    found: dict[str, list[Arms]] = {}
    if varied & set(RESIDENCY_FIELDS):
        for name, workload in workloads.items():
            found[workload.name] = _stream(args, spec, name, workload, services)
    else:
        for option in ORDER_OPTIONS:
            if getattr(args, option) is not None:
                raise UserError(
                    f"--{option} {getattr(args, option)}: the order of inputs matters only where "
                    f"weights are kept: add --vary {RESIDENCY}=none,lru"
                )
        learns = args.predictor not in (None, PredictorName.PRIOR.value)
        if learns or "prefetch.predictor" in varied:
            found = {name: [route.arms for route in routes] for name, routes in listed.items()}
    longest = max(map(len, found.values()), default=0)
    if longest > MAX_ORDERED:
        raise UserError(
            f"--inferences {longest}: a study that keeps the order of inputs takes at most "
            f"{MAX_ORDERED}"
        )
    return found


def _stream(
    args: argparse.Namespace,
    spec: AcceleratorSpec,
    name: str,
    workload: Workload,
    services: Services,
) -> list[Arms]:
    """The stream that `stream` serves with the same options."""
    itinerary = itinerary_of(workload, MappingProblem(workload.program, spec).steps)
    alone = argparse.Namespace(**{**vars(args), "workload": name})
    population = chosen_population(alone, workload, itinerary, services)
    if (args.stream in REAL and not population.ordered) or (
        args.stream == StreamKind.CLASS_BURSTS and population.labels is None
    ):
        raise UserError(
            f"--stream {args.stream}: needs real inputs: name a folder that build wrote; of {name} "
            "only the leaf shares are known"
        )
    return list(chosen_stream(alone, population).routes())
