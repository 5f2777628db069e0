"""Options of the commands that evaluate many points, and what they mean."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simulator.activation_bits import ActivationBitsRule, check_activation_rules
from simulator.cli.interrupt import STARTS_OVER, goes_on
from simulator.cli.options import (
    add_simulation_options,
    parse_overrides,
    policy_choice,
    routes_for,
)
from simulator.cli.output import make_folder
from simulator.cli.progress import ProgressLine
from simulator.cli.resolve import (
    ROUTES_FILE,
    build_folder,
    resolve_spec,
    resolve_workload,
    shipped_workloads,
)
from simulator.cli.services import Services
from simulator.cli.stream_options import add_order_options
from simulator.cli.study_streams import streams_for
from simulator.errors import UserError
from simulator.ir import Workload
from simulator.policy import PARAMETER_FIELDS
from simulator.spec_file import Override
from simulator.study.area import area_of
from simulator.study.axis import GridAxis, parse_axis
from simulator.study.context import Context, count_routes
from simulator.study.store import Store
from simulator.study.tree_options import TREE_FIELDS, tree_names
from simulator.study.workers import Cluster, InProcess, LocalProcesses, Workers
from simulator.weight_bits import WeightBitsRule, check_rules

STORE_FILE = "results.sqlite"
MAX_WORKERS = 1024
OF_THE_SPEC = -math.inf
"""--iso-area without a number: the area of the spec as it is."""


def add_study_options(parser: argparse.ArgumentParser) -> None:
    """Declare what every study of many points takes."""
    add_simulation_options(parser)
    parser.add_argument(
        "--workload",
        required=True,
        metavar="W[,W2]",
        help="shipped workloads, program files or folders that build wrote; several are an axis",
    )
    parser.add_argument(
        "--vary",
        action="append",
        default=[],
        metavar="FIELD=VALUES",
        help="an axis: a list 16,32; steps 64:256:+64; factors 128:16384:x2; or drawn, "
        "128:16384:loglhs:16; of a field of the spec, policy, placement, workload, "
        "bits.PATTERN, activation_bits.PATTERN, tree.levels, tree.ties, residency or "
        "residency.region_kib; repeatable",
    )
    add_order_options(parser)
    parser.set_defaults(routes=None, outcomes=None)  # of a folder that build wrote, if anywhere
    parser.add_argument(
        "--iso-area",
        type=float,
        nargs="?",
        const=OF_THE_SPEC,
        metavar="MM2",
        help="give every point the largest scratchpad that this area (by default the spec's own) "
        "leaves room for beside its array",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes on this machine (default %(default)s)",
    )
    parser.add_argument(
        "--cluster", metavar="ADDRESS", help="a Dask scheduler, e.g. tcp://10.0.0.1:8786"
    )
    parser.add_argument(
        "--cluster-timeout",
        type=float,
        default=20.0,
        metavar="SECONDS",
        help="how long to wait for the scheduler's answer (default 20)",
    )


def context_for(args: argparse.Namespace, services: Services) -> tuple[Context, str]:
    """What all points have in common, and where the spec came from.

    Raises:
        UserError: any of the options is wrong.
    """
    _check_varied(args)
    spec, origin = resolve_spec(args.spec, parse_overrides(args), services)
    names = [name.strip() for name in args.workload.split(",") if name.strip()]
    workloads = [resolve_workload(name, services) for name in names]
    _check_names(args.workload, workloads)
    check_rules(workloads, [WeightBitsRule.parse(text) for text in args.bits])
    rules = [ActivationBitsRule.parse(text) for text in args.activation_bits]
    check_activation_rules(workloads, rules)
    listed = {}
    for name, workload in zip(names, workloads, strict=True):
        folder = build_folder(name, services)
        given = folder / ROUTES_FILE if folder is not None else None
        listed[workload.name] = routes_for(args, workload, given)[0]
    area_mm2 = args.iso_area
    if area_mm2 == OF_THE_SPEC:
        area = area_of(spec)
        if area is None:
            raise UserError("--iso-area: the spec's area is not known (energy.node_nm 22 to 45)")
        area_mm2 = area.total_mm2
    elif area_mm2 is not None and not 0 < area_mm2 < 1e6:
        raise UserError(f"--iso-area {area_mm2:g}: must be an area in mm^2")
    trees = _trees_for(args, workloads, services)
    for tree in trees:
        listed[tree.name] = routes_for(args, tree, None)[0]
    by_name = dict(zip(names, workloads, strict=True)) | {tree.name: tree for tree in trees}
    context = Context(
        spec=spec,
        workloads=tuple(workloads),
        routes={name: count_routes(routes) for name, routes in listed.items()},
        policy=policy_choice(args, varied_policies(args)),
        placement=args.placement,
        bits=tuple(args.bits),
        activation_bits=tuple(args.activation_bits),
        iso_area_mm2=area_mm2,
        trees=trees,
        streams=streams_for(args, spec, by_name, listed, services),
    )
    return context, origin


def _check_varied(args: argparse.Namespace) -> None:
    """Refuse a field that is both set and varied, where one would silently win."""
    varied = {axis.field for axis in map(parse_axis, args.vary)}
    for text in args.overrides:
        if Override.parse(text).field in varied:
            raise UserError(f"--set {text}: --vary sets this field at every point; leave one out")
    for name in PARAMETER_FIELDS:
        option = name.removeprefix("prefetch.")
        if name in varied and getattr(args, option) is not None:
            raise UserError(f"--{option.replace('_', '-')}: --vary {name} sets it; leave one out")
    for option, field in (("layout", "dram.weight_layout"), ("align", "dram.weight_alignment")):
        if getattr(args, option) and field in varied:
            raise UserError(f"--{option}: --vary {option} sets it at every point; leave one out")


def varied_policies(args: argparse.Namespace) -> list[object]:
    """The policies that --vary names."""
    return [
        value
        for axis in map(parse_axis, args.vary)
        if axis.field == "policy" and isinstance(axis, GridAxis)
        for value in axis.values
    ]


def _trees_for(
    args: argparse.Namespace, workloads: list[Workload], services: Services
) -> tuple[Workload, ...]:
    """The shipped programs that axes of tree options stand for."""
    axes = [axis for axis in map(parse_axis, args.vary) if axis.field in TREE_FIELDS]
    if not axes:
        return ()
    shipped = shipped_workloads(services)
    names = {name: None for each in workloads for name in tree_names(each, axes, shipped)}
    named = {workload.name for workload in workloads}
    return tuple(resolve_workload(name, services) for name in names if name not in named)


def _check_names(argument: str, workloads: list[Workload]) -> None:
    names = [workload.name for workload in workloads]
    if not names:
        raise UserError(f"--workload {argument}: names no workload")
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"--workload {argument}: {name} is named twice")


def check_workers(count: int) -> None:
    """Refuse a number of processes that no machine has.

    Raises:
        UserError: too few or too many.
    """
    if not 1 <= count <= MAX_WORKERS:
        raise UserError(f"--workers {count}: must be from 1 to {MAX_WORKERS}")


@contextmanager
def workers_for(args: argparse.Namespace) -> Iterator[Workers]:
    """Where points are evaluated.

    Raises:
        UserError: a bad number of workers, or a cluster that cannot be reached.
    """
    check_workers(args.workers)
    workers: Workers
    if args.cluster is not None:
        if not 0 < args.cluster_timeout < float("inf"):
            raise UserError(f"--cluster-timeout {args.cluster_timeout:g}: must be seconds above 0")
        workers = Cluster(args.cluster, args.cluster_timeout)
    else:
        workers = LocalProcesses(args.workers) if args.workers > 1 else InProcess()
    try:
        yield workers
    finally:
        workers.close()


@contextmanager
def store_in(folder: Path) -> Iterator[Store]:
    """The store of a folder, both made where they are missing.

    Raises:
        UserError: they cannot be made or read.
    """
    make_folder(folder)
    with Store(folder / STORE_FILE) as store:
        yield store


@contextmanager
def resumable(line: ProgressLine, store: Path) -> Iterator[None]:
    """Say how to go on after Ctrl-C."""

    def how() -> str:
        if line.latest is None:
            return STARTS_OVER
        return (
            f"{line.latest.finished:,} of {line.latest.total:,} points are kept in {store}; the "
            "same command goes on from there"
        )

    try:
        with goes_on(how):
            yield
    finally:
        line.close()
