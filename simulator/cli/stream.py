"""`stream`: carry the scratchpad's weights from input to input and say what that saves."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from simulator.cli.options import (
    add_simulation_options,
    parse_overrides,
    policy_choice,
    with_chosen_bits,
)
from simulator.cli.output import check_folder, folder_path, make_folder, write_text
from simulator.cli.progress import StepLine
from simulator.cli.resolve import resolve_spec, resolve_workload
from simulator.cli.services import Services
from simulator.cli.stream_options import (
    add_stream_options,
    chosen_answers,
    chosen_margins,
    chosen_policies,
    chosen_population,
    chosen_slices,
    chosen_stream,
    fill_region_defaults,
    region_size,
)
from simulator.errors import UserError
from simulator.ir import Workload
from simulator.mapping.placement import Placement
from simulator.policy import PolicyChoice
from simulator.runtime.comparison import StreamComparison
from simulator.runtime.device import Device
from simulator.runtime.granularity import Granularity
from simulator.runtime.locality import measure_locality
from simulator.runtime.region_size import TriedSize, largest_harmless_region
from simulator.runtime.residency import ONLINE, Residency, ResidencyPolicy, Scope
from simulator.runtime.routed_stream import Answers, run_routed
from simulator.runtime.run_stream import (
    device_for,
    highest_hit_fraction,
    optimum_hit_fraction,
    run_stream,
)
from simulator.runtime.stream_file import stream_to_json, summarise_stream, windows_to_csv
from simulator.runtime.stream_result import StreamResult
from simulator.runtime.streams import Stream
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
        "--out",
        type=folder_path,
        metavar="DIR",
        help="write stream.json, windows.csv and figures here",
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
    fill_region_defaults(args)
    if args.optimum and args.granularity == Granularity.BYTE:
        raise UserError("--optimum: is for larger units; the bound by bytes is printed without it")
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
    choice, policies = policy_choice(args), chosen_policies(args.residency)
    margins = chosen_margins(args.margins)
    answers = chosen_answers(args, workload, services)
    size, tried = _region(args.region, workload, spec, choice)
    base = Residency(
        granularity=Granularity(args.granularity),
        region_bytes=size,
        bit_slices=chosen_slices(args),
        scope=Scope(args.scope),
    )
    device = Device(workload, spec, choice, base)
    stream = chosen_stream(args, chosen_population(args, workload, device.itinerary, services))
    results, routed = [], []
    ways = list(_ways(policies, base, args.standin))
    with StepLine("stream:", len(ways)) as line:
        for kept in ways:
            line.begin(f"{kept.policy} with stand-ins" if kept.standin else kept.policy)
            mine = device_for(device, kept, stream)
            results.append(_run(mine, stream, answers))
            if answers is not None and kept.policy in ONLINE:
                routed += [run_routed(mine, stream, answers, margin) for margin in margins]
            line.advance()
    node_bytes = tuple(cut.n_bytes for cut in device.cuts)
    return StreamComparison(
        workload=workload,
        spec=spec,
        choice=choice,
        stream=stream,
        itinerary=device.itinerary,
        node_bytes=node_bytes,
        locality=measure_locality(stream, device.itinerary, node_bytes),
        tried_sizes=tried,
        results=tuple(results),
        most_hit_fraction=highest_hit_fraction(device, stream),
        optimum_hit_fraction=optimum_hit_fraction(device, stream) if args.optimum else None,
        margins=tuple(routed),
    )


def _ways(
    policies: Sequence[ResidencyPolicy], base: Residency, standin: bool
) -> Iterator[Residency]:
    """Every policy, without a region if it keeps nothing; online ones with stand-ins as well."""
    for policy in policies:
        if policy is ResidencyPolicy.NONE:
            yield Residency()
            continue
        yield replace(base, policy=policy)
        if standin and policy in ONLINE:
            yield replace(base, policy=policy, standin=True)


def _run(device: Device, stream: Stream, answers: Answers | None) -> StreamResult:
    if answers is None:
        return run_stream(device, stream)
    return run_routed(device, stream, answers)


def _region(
    text: str, workload: Workload, spec: AcceleratorSpec, choice: PolicyChoice
) -> tuple[int, tuple[TriedSize, ...]]:
    size = region_size(text, spec)
    if size is None:
        return largest_harmless_region(workload, spec, choice)
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
