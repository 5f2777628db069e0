"""`describe`: what a workload holds, and what one input of each leaf runs."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from simulator.cli.resolve import resolve_workload
from simulator.cli.services import Services
from simulator.counts import RouteCounts, WorkloadCounts, count_program
from simulator.ir import Workload

BITS = (4, 6, 8, 16, 32)
FP32_BITS = 32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--workload", required=True, metavar="W", help="a shipped workload or a program file"
    )
    parser.add_argument(
        "--bits", type=int, choices=BITS, default=8, help="weight precision (default 8)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def execute(args: argparse.Namespace, services: Services) -> None:
    """Print parameters, MACs, FLOPs and weight bytes, in total, by segment and by leaf."""
    workload = resolve_workload(args.workload, services)
    counts = count_program(workload.program, args.bits)
    fp32 = count_program(workload.program, FP32_BITS)
    if args.json:
        print(json.dumps(_as_json(workload, args.bits, counts, fp32), indent=1))
    else:
        _print_tables(workload, args.bits, counts, fp32)


def _as_json(
    workload: Workload, bits: int, counts: WorkloadCounts, fp32: WorkloadCounts
) -> dict[str, Any]:
    return {
        "workload": workload.name,
        "description": workload.description,
        "source": workload.source,
        "params_total": counts.params_total,
        "params_in_common": counts.params_in_common,
        "params_active": _same([r.params_active for r in counts.routes]),
        "params_active_eq4": _same([r.params_active_eq4 for r in counts.routes]),
        "macs": _same([r.macs for r in counts.routes]),
        "flops_fvcore": _same([r.flops_fvcore for r in counts.routes]),
        "weight_bits": bits,
        "weight_bytes_total": counts.weight_bytes_total,
        "weight_bytes_active": _same([r.weight_bytes for r in counts.routes]),
        "weight_bytes_total_fp32": fp32.weight_bytes_total,
        "weight_bytes_active_fp32": _same([r.weight_bytes for r in fp32.routes]),
        "segments": [asdict(segment) for segment in counts.segments],
        "routes": [
            {**asdict(route), "share_fraction": share}
            for route, share in zip(counts.routes, workload.leaf_shares, strict=True)
        ],
        "leaf_shares_source": workload.leaf_shares_source,
    }


def _same(values: list[int]) -> int | None:
    """The value all leaves share; None where they differ (see the routes)."""
    return values[0] if len(set(values)) == 1 else None


def _print_tables(
    workload: Workload, bits: int, counts: WorkloadCounts, fp32: WorkloadCounts
) -> None:
    width = max(80, 24 + 18 * len(counts.routes))
    console = Console(highlight=False, markup=False, width=width)
    console.print(f"{workload.name}: {workload.description}")
    console.print(f"source: {workload.source}")
    console.print(_total_table(workload, bits, counts, fp32))
    console.print(_segment_table(counts, bits))
    if counts.params_in_common:
        console.print(f"held in common by several segments: {counts.params_in_common:,} params")
    shares = ", ".join(f"{100 * share:.1f}" for share in workload.leaf_shares)
    console.print(f"leaf shares %: {shares} ({workload.leaf_shares_source})")


def _total_table(
    workload: Workload, bits: int, counts: WorkloadCounts, fp32: WorkloadCounts
) -> Table:
    """What is stored, and what one input runs: one column per leaf, or one where all agree."""
    rows = [
        _route_cells(route, wide) for route, wide in zip(counts.routes, fp32.routes, strict=True)
    ]
    headings = [
        f"arms {' '.join(map(str, route.arms))}, {100 * share:.1f} %"
        for route, share in zip(counts.routes, workload.leaf_shares, strict=True)
    ]
    if len({tuple(row) for row in rows}) == 1:
        rows, headings = rows[:1], [f"active, each of {len(rows)} leaves" if rows[1:] else "active"]
    total = [f"{counts.params_total:,}", "", "", "", f"{counts.weight_bytes_total:,}"]
    total.append(f"{fp32.weight_bytes_total / 1e6:.1f}")
    table = Table()
    table.add_column("")
    for heading in ("total", *headings):
        table.add_column(heading, justify="right")
    labels = ("params", "params, eq. 4", "macs", "flops_fvcore", f"weight bytes, {bits} bit")
    for label, *cells in zip((*labels, "weight MB, FP32"), total, *rows, strict=True):
        table.add_row(label, *cells)
    return table


def _route_cells(route: RouteCounts, wide: RouteCounts) -> list[str]:
    numbers = (
        route.params_active,
        route.params_active_eq4,
        route.macs,
        route.flops_fvcore,
        route.weight_bytes,
    )
    return [*(f"{number:,}" for number in numbers), f"{wide.weight_bytes / 1e6:.1f}"]


def _segment_table(counts: WorkloadCounts, bits: int) -> Table:
    table = Table()
    table.add_column("segment")
    for heading in ("params", f"weight bytes, {bits} bit", "macs"):
        table.add_column(heading, justify="right")
    for segment in counts.segments:
        name = f"{segment.name} (router)" if segment.is_router else segment.name
        table.add_row(name, f"{segment.params:,}", f"{segment.weight_bytes:,}", f"{segment.macs:,}")
    return table
