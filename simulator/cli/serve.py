"""`serve`: requests that arrive, wait, and are due, instead of one inference after the other."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from simulator.cli.options import parse_overrides
from simulator.cli.output import check_folder, folder_path, make_folder, write_text
from simulator.cli.progress import StepLine
from simulator.cli.resolve import resolve_spec
from simulator.cli.serve_options import add_serving_options, parse_loads, systems_for
from simulator.cli.services import Services
from simulator.errors import UserError
from simulator.serving.capacity import (
    USUAL_TRIES,
    Capacity,
    LoadPoint,
    Target,
    at_load,
    find_capacity,
)
from simulator.serving.result_data import load_to_data, run_to_data
from simulator.serving.system import System, simulate_serving
from simulator.spec import AcceleratorSpec

RESULT_FILE, RESPONSE_FIGURE, LOAD_FIGURE = "serve.json", "response.png", "load.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_serving_options(parser)
    parser.add_argument(
        "--load",
        metavar="L:H:STEP",
        help="run at several shares of the saturation rate, e.g. 0.1:0.95:0.05",
    )
    parser.add_argument(
        "--sustain",
        metavar="LIMIT",
        help="find the highest rate that meets a limit, e.g. 'p99 < 10ms' or 'missed < 1%%'",
    )
    parser.add_argument(
        "--each",
        action="store_true",
        help="with --load or --sustain: every workload has the NPU for itself, side by side",
    )
    parser.add_argument(
        "--out", type=folder_path, metavar="DIR", help=f"write {RESULT_FILE} and a figure here"
    )
    parser.add_argument(
        "--no-figures", action="store_true", help="with --out: write the data file only"
    )


def execute(args: argparse.Namespace, services: Services) -> None:
    """Simulate at one rate or at several, then print and write."""
    if args.out:
        check_folder(args.out)
    sweeps = args.load is not None or args.sustain is not None
    if args.each and not sweeps:
        raise UserError("--each: puts workloads side by side with --load or --sustain only")
    loads = parse_loads(args.load) if args.load is not None else []
    target = Target.parse(args.sustain) if args.sustain is not None else None
    if target and target.statistic == "missed" and args.deadline is None:
        raise UserError(f"--sustain {args.sustain!r}: needs a --deadline")
    spec, origin = resolve_spec(args.spec, parse_overrides(args), services)
    if sweeps and "trace:" in args.arrivals:
        raise UserError(f"--arrivals {args.arrivals}: recorded arrivals have their own rate")
    systems = systems_for(args, spec, services, needs_rate=not sweeps)
    if sweeps:
        _Sweep(args, services, spec, origin).run(systems, loads, target)
    else:
        _run_once(args, services, spec, origin, systems[0])


def _run_once(
    args: argparse.Namespace,
    services: Services,
    spec: AcceleratorSpec,
    origin: str,
    system: System,
) -> None:
    with StepLine("serve:", unit="requests") as line:
        result = simulate_serving(system, steps=line)
    data = run_to_data(result, spec, origin, settings(args))
    if args.json:
        print(f"spec: {origin}", file=sys.stderr)
        print(json.dumps(data["summary"], indent=1))
    else:
        from simulator.cli.serve_table import print_serving

        print_serving(data, result)
    if args.out:
        _write(args.out, data)
        if not args.no_figures:
            figures = services.reports("serving")
            figures.write_response_figure(data, args.out / RESPONSE_FIGURE)
        _say_written(args, RESPONSE_FIGURE)


@dataclass(frozen=True)
class _Sweep:
    """Rates of one or several systems, and what each sustains."""

    args: argparse.Namespace
    services: Services
    spec: AcceleratorSpec
    origin: str

    def run(self, systems: list[System], loads: list[Fraction], target: Target | None) -> None:
        """Simulate every system at every load, and search for what it sustains."""
        args = self.args
        points: list[list[LoadPoint]] = []
        found: list[Capacity | None] = []
        each = len(loads) + (USUAL_TRIES if target else 0)
        with StepLine("serve:", len(systems) * each) as line:
            for system in systems:
                saturation_hz = system.saturation_hz()
                points.append([])
                for load in loads:
                    line.begin(f"load {float(load):.3g}")
                    points[-1].append(at_load(system, saturation_hz, load))
                    line.advance()
                capacity = None
                if target:
                    line.begin("the highest rate")
                    capacity = find_capacity(system, target, line)
                    line.total -= max(0, USUAL_TRIES - capacity.simulated)
                found.append(capacity)
        data = load_to_data(
            list(zip(systems, points, found, strict=True)), self.spec, self.origin, settings(args)
        )
        if args.json:
            print(f"spec: {self.origin}", file=sys.stderr)
            print(json.dumps(data["systems"], indent=1))
        else:
            from simulator.cli.serve_table import print_loads

            print_loads(data, target)
        if args.out:
            _write(args.out, data)
            if not args.no_figures:
                self.services.reports("serving").write_load_figure(data, args.out / LOAD_FIGURE)
            _say_written(args, LOAD_FIGURE)


def settings(args: argparse.Namespace) -> dict[str, Any]:
    """The options that decide the result, for its provenance."""
    left_out = {"command", "out", "no_figures", "json", "spec"}
    return {
        name: str(value) if isinstance(value, Path) else value
        for name, value in sorted(vars(args).items())
        if name not in left_out
    }


def _write(folder: Path, data: dict[str, Any]) -> None:
    make_folder(folder)
    write_text(folder / RESULT_FILE, json.dumps(data, indent=1) + "\n")


def _say_written(args: argparse.Namespace, figure: str) -> None:
    written = RESULT_FILE if args.no_figures else f"{RESULT_FILE}, {figure}"
    print(f"wrote {written} to {args.out}", file=sys.stderr)
