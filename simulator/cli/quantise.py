"""`quantise`: measure a built tree with weights of few bits, node by node and together."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.table import Table

from simulator.cli.format import make_console
from simulator.cli.output import check_folder, folder_path, make_folder
from simulator.cli.progress import StepLine
from simulator.cli.services import Services

WIDTHS = (16, 8, 6, 4)
DEFAULT_BITS = "precision.weight_bits"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options; what the values may be is the workloads' business."""
    parser.add_argument(
        "--tree", required=True, type=Path, metavar="DIR", help="a folder that `build` wrote"
    )
    parser.add_argument(
        "--out",
        required=True,
        type=folder_path,
        metavar="DIR",
        help="accuracies.json and outcomes_{16,8,6,4}bit.json go here; may be the tree's folder",
    )
    parser.add_argument(
        "--bits",
        action="append",
        default=[],
        metavar="PATTERN=W,W",
        help="measure these nodes in these widths, in all combinations with the other --bits; "
        "repeatable (default: the trunk and each level's specialisers in 16, 8, 6 and 4 bits)",
    )
    parser.add_argument(
        "--base-bits",
        type=int,
        default=8,
        metavar="N",
        help="width of what no --bits names (default %(default)s, the shipped specs' width)",
    )
    parser.add_argument(
        "--scale", default="max_abs", help="of the weights: max_abs or mse (default %(default)s)"
    )
    parser.add_argument(
        "--activation-bits", type=int, metavar="N", help="round what layers read as well"
    )
    parser.add_argument(
        "--placement",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="measure the widths of a file that `place` wrote too; repeatable",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print what accuracies.json holds")


def execute(args: argparse.Namespace, services: Services) -> None:
    """Measure, write the files, and print what every node loses alone."""
    check_folder(args.out)
    request = services.workloads("quantisation.request").QuantiseRequest(
        tree=args.tree,
        bits=tuple(args.bits),
        base_bits=args.base_bits,
        scale=args.scale,
        activation_bits=args.activation_bits,
        device=args.device,
        placements=tuple(args.placement),
    )
    make_folder(args.out)
    module = services.workloads("quantisation.quantise")
    with StepLine("quantise:", unit="evaluations") as line:
        data = module.quantise(request, args.out, line)
    if args.json:
        print(json.dumps(data, indent=1))
    else:
        _print_table(data)
        _print_placements(args.placement, data)
    outcomes = ", ".join(f"outcomes_{bits}bit.json" for bits in WIDTHS)
    print(f"wrote accuracies.json, {outcomes} to {args.out}", file=sys.stderr)


def _print_table(data: dict[str, Any]) -> None:
    right = _right_by_choices(data)
    reference = right[frozenset({(DEFAULT_BITS, 32)})]
    total = data["inputs"]
    console = make_console()
    console.print(data["source"], soft_wrap=True)
    console.print(f"as trained {100 * reference / total:.2f} % right; change in points:")
    table = Table(box=None, pad_edge=False)
    table.add_column("\nnode alone", no_wrap=True)
    for bits in WIDTHS:
        table.add_column(f"\n{bits} bits", justify="right")
    for group in data["nodes"]:
        row = []
        for bits in WIDTHS:
            key = frozenset({(DEFAULT_BITS, 32), *((f"bits.{name}", bits) for name in group)})
            row.append(_points(right[key] - reference, total))
        table.add_row(" + ".join(group), *row)
    whole = [right[frozenset({(DEFAULT_BITS, bits)})] - reference for bits in WIDTHS]
    table.add_row("[bold]all[/]", *(_points(change, total) for change in whole))
    console.print(table)


def _print_placements(placements: list[Path], data: dict[str, Any]) -> None:
    """The last entries are those of the placements, in order, unless two are alike."""
    for path in placements:
        nodes = json.loads(path.read_text(encoding="utf-8"))["nodes"]
        chosen = {(f"bits.{name}", node["bits"]) for name, node in nodes.items()}
        count = _right_by_choices(data)[frozenset({(DEFAULT_BITS, 32), *chosen})]
        share = 100 * count / data["inputs"]
        print(f"{path}: {share:.2f} % right ({count} of {data['inputs']})")


def _right_by_choices(data: dict[str, Any]) -> dict[frozenset[tuple[str, int]], int]:
    return {frozenset(entry["choices"].items()): entry["right"] for entry in data["entries"]}


def _points(change: int, total: int) -> str:
    return f"{100 * change / total:+.2f}" if change else "0"
