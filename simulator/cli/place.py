"""`place`: bits and tier of every node of a tree, at least cost within an accuracy budget."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from simulator.bits_rule import WIDTHS
from simulator.cli.options import (
    DEFAULT_INFERENCES,
    ENERGY_NODES_NM,
    parse_overrides,
    routes_for,
)
from simulator.cli.output import check_folder, folder_path, make_folder, write_text
from simulator.cli.place_table import print_placements
from simulator.cli.progress import StepLine
from simulator.cli.resolve import ROUTES_FILE, build_folder, resolve_spec, resolve_workload
from simulator.cli.services import Services
from simulator.placement.parts import Objective
from simulator.placement.run import PlaceRequest, place, placements_to_data
from simulator.placement.stages import PlacementError, Tier
from simulator.spec_dram import Alignment, Layout
from simulator.study.accuracy import Accuracies

DEFAULT_WIDTHS = "16,8,6,4"
SUMMARY_FILE = "placements.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--spec", required=True, metavar="S", help="accelerator: a YAML file, or a shipped name"
    )
    parser.add_argument(
        "--workload", required=True, metavar="W", help="a tree: a name, a program, a build's folder"
    )
    parser.add_argument(
        "--accuracy",
        type=Path,
        metavar="FILE",
        help="measured accuracies of this tree, as `quantise` writes them; needed unless --widths "
        "names a single width",
    )
    parser.add_argument(
        "--accuracy-budget",
        default="1%",
        metavar="X,Y",
        help="what may be lost against the tree as trained, e.g. 0.5%% or 0,1%%,2%% (default 1%%)",
    )
    parser.add_argument(
        "--objective",
        choices=[objective.value for objective in Objective],
        default=Objective.LATENCY.value,
        help="what is least: expected latency or energy (default %(default)s)",
    )
    parser.add_argument(
        "--widths", default=DEFAULT_WIDTHS, metavar="W,W", help="bits a node may have (%(default)s)"
    )
    parser.add_argument(
        "--tiers",
        default="pinned,dram",
        metavar="T,T",
        help="where a node may be: pinned, managed (evicted when least recently used) or dram "
        "(default %(default)s)",
    )
    parser.add_argument(
        "--persistence",
        type=float,
        default=0.0,
        metavar="P",
        help="for managed nodes: how likely an inference repeats the route before it (default 0)",
    )
    parser.add_argument("--routes", type=Path, metavar="FILE", help="how often paths are taken")
    parser.add_argument(
        "--inferences",
        type=int,
        metavar="N",
        help=f"routes to draw from the leaf shares (default {DEFAULT_INFERENCES}) or to read",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of drawn routes")
    parser.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", dest="overrides",
        help="override one field of the spec; repeatable",
    )  # fmt: skip
    parser.add_argument("--energy-node", type=int, choices=ENERGY_NODES_NM, help="node in nm")
    parser.add_argument(
        "--layout",
        choices=[layout.value for layout in Layout],
        help="order of the weights in DRAM (the spec's, or layer_major)",
    )
    parser.add_argument(
        "--align",
        choices=[alignment.value for alignment in Alignment],
        help="where a layer's weights begin in DRAM (the spec's, or row)",
    )
    parser.add_argument(
        "--out",
        type=folder_path,
        metavar="DIR",
        help="write placements.json, a placement per budget",
    )
    parser.add_argument("--no-figures", action="store_true", help="write the data files only")
    parser.add_argument("--json", action="store_true", help="print what placements.json holds")


def execute(args: argparse.Namespace, services: Services) -> None:
    """Cost the tree, choose, re-simulate, print, and write what --out asks for."""
    if args.out:
        check_folder(args.out)
    widths, tiers, budgets = _widths(args), _tiers(args), _budgets(args.accuracy_budget)
    spec, origin = resolve_spec(args.spec, parse_overrides(args), services)
    workload = resolve_workload(args.workload, services)
    if args.accuracy is None and len(widths) > 1:
        raise PlacementError(
            f"--accuracy: needed to trade bits for accuracy: nothing is known of {workload.name} "
            "in few bits; give a file that `quantise` wrote, or one width, as --widths 8"
        )
    accuracies = Accuracies.read(args.accuracy) if args.accuracy else None
    folder = build_folder(args.workload, services)
    routes_file = args.routes or (folder / ROUTES_FILE if folder is not None else None)
    routes, _ = routes_for(args, workload, routes_file)
    weights = dict(sorted(Counter(route.arms for route in routes).items()))
    if not 0 <= args.persistence < 1:
        raise PlacementError(f"--persistence {args.persistence}: must be from 0 to below 1")
    request = PlaceRequest(
        workload,
        spec,
        weights,
        accuracies,
        widths,
        tiers,
        Objective(args.objective),
        budgets,
        args.persistence,
    )
    with StepLine("place:") as line:
        found = place(request, line)
    data = placements_to_data(request, found)
    if args.json:
        print(json.dumps(data, indent=1))
    else:
        print_placements(request, found, origin)
    if args.out:
        make_folder(args.out)
        write_text(args.out / SUMMARY_FILE, json.dumps(data, indent=1) + "\n")
        written = [SUMMARY_FILE]
        for name, content in found.files(request).items():
            write_text(args.out / name, json.dumps(content, indent=1) + "\n")
            written.append(name)
        if not args.no_figures and accuracies is not None:
            services.reports("placement").write_placement_figure(data, args.out / "placements.png")
            written.append("placements.png")
        print(f"wrote {', '.join(written)} to {args.out}", file=sys.stderr)


def _widths(args: argparse.Namespace) -> tuple[int, ...]:
    words = args.widths.split(",")
    if not all(word in map(str, WIDTHS) for word in words) or len(set(words)) < len(words):
        listed = ", ".join(map(str, WIDTHS))
        raise PlacementError(f"--widths {args.widths}: must be different ones of {listed}")
    return tuple(sorted(map(int, words), reverse=True))


def _tiers(args: argparse.Namespace) -> tuple[Tier, ...]:
    words = args.tiers.split(",")
    if not set(words) <= set(Tier) or len(set(words)) < len(words):
        raise PlacementError(f"--tiers {args.tiers}: must be different ones of {', '.join(Tier)}")
    return tuple(Tier(word) for word in words)


def _budgets(text: str) -> tuple[float, ...]:
    found = []
    for word in text.split(","):
        number, is_percent = word.strip().removesuffix("%"), word.strip().endswith("%")
        try:
            fraction = float(number) / (100 if is_percent else 1)
        except ValueError:
            fraction = -1.0
        if not 0 <= fraction < 1:
            raise PlacementError(
                f"--accuracy-budget {text}: {word}: must be a share of the inputs, e.g. 1% or 0.01"
            )
        found.append(fraction)
    return tuple(sorted(set(found)))
