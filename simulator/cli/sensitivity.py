"""`sensitivity`: which constants the energy and latency of a workload hang on."""

from __future__ import annotations

import argparse
import json
import sys

from rich.table import Table

from simulator.cli.format import make_console, quantity
from simulator.cli.options import (
    add_simulation_options,
    parse_overrides,
    policy_choice,
    routes_for,
    with_chosen_bits,
)
from simulator.cli.output import check_folder, folder_path, make_folder, write_text
from simulator.cli.progress import StepLine
from simulator.cli.resolve import resolve_spec, resolve_workload
from simulator.cli.services import Services
from simulator.mapping.placement import Placement
from simulator.sensitivity import Sensitivity, analyse_sensitivity, sensitivity_to_data
from simulator.simulation import run_workload


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_simulation_options(parser)
    parser.add_argument(
        "--workload", required=True, metavar="W", help="a shipped workload or a program file"
    )
    parser.add_argument(
        "--out", type=folder_path, metavar="DIR", help="write sensitivity.json and tornado.png here"
    )


def execute(args: argparse.Namespace, services: Services) -> None:
    """Vary every constant over its range; print a table or JSON, and write what --out asks for."""
    if args.out:
        check_folder(args.out)
    spec, origin = resolve_spec(args.spec, parse_overrides(args), services)
    (workload,) = with_chosen_bits(args, [resolve_workload(args.workload, services)])
    routes, seed = routes_for(args, workload, None)
    run = run_workload(workload, spec, policy_choice(args), routes, seed, Placement(args.placement))
    with StepLine("sensitivity:") as line:
        found = analyse_sensitivity(run, line)
    text = json.dumps(sensitivity_to_data(found), indent=1)
    if args.json:
        print(f"spec: {origin}", file=sys.stderr)
        print(text)
    else:
        _print_table(found, origin)
    if args.out:
        make_folder(args.out)
        write_text(args.out / "sensitivity.json", text + "\n")
        services.reports("figures").write_tornado_figure(found, args.out / "tornado.png")
        print(f"wrote sensitivity.json, tornado.png to {args.out}", file=sys.stderr)


def _print_table(found: Sensitivity, origin: str) -> None:
    console = make_console()
    run = found.run
    console.print(f"[bold]{run.workload.name}[/] on [bold]{run.spec.name}[/]: {origin}")
    console.print(
        f"{quantity(found.energy_j, 'J')} and {quantity(found.latency_s, 's')} per inference; "
        "each constant varied alone, all else as it is",
        soft_wrap=True,
    )
    table = Table(box=None, pad_edge=False)
    for heading in ("\nconstant", "field", "from", "to", "energy", "", "latency", ""):
        right = heading not in ("\nconstant", "field")
        table.add_column(heading, justify="right" if right else "left", no_wrap=True)
    for effect in found.effects:
        low, high = effect.low, effect.high
        table.add_row(
            effect.uncertainty.name,
            effect.uncertainty.field,
            f"{low.value:.4g}",
            f"{high.value:.4g}",
            _change(low.energy_j, found.energy_j),
            _change(high.energy_j, found.energy_j),
            _change(low.latency_s, found.latency_s),
            _change(high.latency_s, found.latency_s),
        )
    console.print(table)
    console.print("\n[bold]Where the ranges come from[/]")
    for effect in found.effects:
        console.print(f"  {effect.uncertainty.name}: {effect.uncertainty.source}", soft_wrap=True)


def _change(value: float, base: float) -> str:
    change = 100 * (value / base - 1)
    return "-" if abs(change) < 5e-4 else f"{change:+.2f} %"
