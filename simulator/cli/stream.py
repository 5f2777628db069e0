"""`stream`: carry the scratchpad's weights from input to input and say what that saves."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from simulator.cli.options import add_simulation_options, parse_overrides, with_chosen_bits
from simulator.cli.output import check_folder, make_folder, write_text
from simulator.cli.resolve import resolve_spec, resolve_workload
from simulator.cli.services import Services
from simulator.cli.stream_options import (
    add_stream_options,
    chosen_outcomes,
    chosen_policies,
    chosen_population,
    chosen_stream,
    region_size,
)
from simulator.errors import UserError
from simulator.ir import Workload
from simulator.mapping.placement import Placement
from simulator.policy import Policy
from simulator.runtime.comparison import StreamComparison
from simulator.runtime.device import Device
from simulator.runtime.granularity import Granularity
from simulator.runtime.locality import measure_locality
from simulator.runtime.region_size import TriedSize, largest_harmless_region
from simulator.runtime.residency import Residency, ResidencyPolicy, Scope
from simulator.runtime.run_stream import device_for, highest_hit_fraction, run_stream
from simulator.runtime.stream_file import stream_to_json, summarise_stream, windows_to_csv
from simulator.spec import AcceleratorSpec


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_simulation_options(parser)
    parser.add_argument(
        "--workload",
        required=True,
        metavar="W",
        help="a shipped workload, a program file, or a folder that build wrote",
    )
    add_stream_options(parser)
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write stream.json, windows.csv and figures here"
    )
    parser.add_argument(
        "--no-figures", action="store_true", help="with --out: write the data files only"
    )


def execute(args: argparse.Namespace, services: Services) -> None:
    """Run the stream once per way of keeping weights; print a table or JSON, write --out."""
    if args.out:
        check_folder(args.out)
    if args.placement != Placement.STREAM:
        raise UserError(
            f"--placement {args.placement}: stream keeps weights by --residency; leave it out"
        )
    spec, origin = resolve_spec(args.spec, parse_overrides(args), services)
    (workload,) = with_chosen_bits(args, [resolve_workload(args.workload, services)])
    comparison = _compare(args, workload, spec, services)
    if args.json:
        print(f"spec: {origin}", file=sys.stderr)
        print(json.dumps(summarise_stream(comparison), indent=1))
    else:
        from simulator.cli.stream_table import print_stream

        print_stream(comparison, origin)
    if args.out:
        written = _write(comparison, origin, args, services)
        print(f"wrote {', '.join(written)} to {args.out}", file=sys.stderr)


def _compare(
    args: argparse.Namespace, workload: Workload, spec: AcceleratorSpec, services: Services
) -> StreamComparison:
    policy, policies = Policy(args.policy), chosen_policies(args.residency)
    size, tried = _region(args.region, workload, spec, policy)
    base = Residency(
        granularity=Granularity(args.granularity), region_bytes=size, scope=Scope(args.scope)
    )
    idle = Device(workload, spec, policy, base)
    outcomes = chosen_outcomes(args, workload, services)
    population = chosen_population(args, workload, idle.itinerary, outcomes, services)
    stream = chosen_stream(args, population)
    node_bytes = tuple(cut.n_bytes for cut in idle.cuts)
    results = []
    for name in policies:
        kept = Residency() if name is ResidencyPolicy.NONE else replace(base, policy=name)
        results.append(run_stream(device_for(workload, spec, policy, kept, stream), stream))
    return StreamComparison(
        workload=workload,
        spec=spec,
        policy=policy,
        stream=stream,
        itinerary=idle.itinerary,
        node_bytes=node_bytes,
        locality=measure_locality(stream, idle.itinerary, node_bytes),
        tried_sizes=tried,
        results=tuple(results),
        most_hit_fraction=highest_hit_fraction(idle, stream),
    )


def _region(
    text: str, workload: Workload, spec: AcceleratorSpec, policy: Policy
) -> tuple[int, tuple[TriedSize, ...]]:
    size = region_size(text, spec)
    if size is None:
        return largest_harmless_region(workload, spec, policy)
    return size, ()


def _write(
    comparison: StreamComparison, origin: str, args: argparse.Namespace, services: Services
) -> list[str]:
    make_folder(args.out)
    write_text(args.out / "stream.json", stream_to_json(comparison, origin))
    write_text(args.out / "windows.csv", windows_to_csv(comparison))
    written = ["stream.json", "windows.csv"]
    if not args.no_figures:
        figures = services.reports("residency").write_stream_figures(comparison, args.out)
        written += [path.name for path in figures]
    return written
