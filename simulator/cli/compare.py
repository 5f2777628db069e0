"""`compare`: several workloads on one accelerator, against the first."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

from simulator.cli.options import (
    add_simulation_options,
    parse_overrides,
    policy_choice,
    resolve_workloads,
    routes_for,
    with_chosen_bits,
)
from simulator.cli.output import check_folder, folder_path, make_folder, write_text
from simulator.cli.resolve import resolve_spec
from simulator.cli.services import Services
from simulator.comparison import compare_summaries
from simulator.mapping.placement import Placement
from simulator.result_file import provenance, summarise
from simulator.simulation import RunResult, run_workload


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_simulation_options(parser)
    parser.add_argument(
        "--workloads", required=True, metavar="W1,W2", help="the first is the baseline"
    )
    parser.add_argument(
        "--out", type=folder_path, metavar="DIR", help="write compare.json and compare.png here"
    )


def execute(args: argparse.Namespace, services: Services) -> None:
    """Simulate every workload and print values and savings."""
    if args.out:
        check_folder(args.out)
    spec, origin = resolve_spec(args.spec, parse_overrides(args), services)
    policy, runs = policy_choice(args), list[RunResult]()
    for workload in with_chosen_bits(args, resolve_workloads(args.workloads, services)):
        routes, seed = routes_for(args, workload, None)
        placement = Placement(args.placement)
        runs.append(run_workload(workload, spec, policy, routes, seed, placement))
    data = _as_data(runs, origin)
    if args.json:
        print(f"spec: {origin}", file=sys.stderr)
        print(json.dumps({"comparisons": data["comparisons"], "runs": data["runs"]}, indent=1))
    else:
        from simulator.cli.compare_table import print_comparison

        print_comparison(runs, origin)
    if args.out:
        make_folder(args.out)
        write_text(args.out / "compare.json", json.dumps(data, indent=1) + "\n")
        services.reports("figures").write_compare_figure(runs, args.out / "compare.png")
        print(f"wrote compare.json, compare.png to {args.out}", file=sys.stderr)


def _as_data(runs: list[RunResult], origin: str) -> dict[str, Any]:
    summaries = [summarise(run) for run in runs]
    return {
        "schema": "simulator.comparison",
        "schema_version": 1,
        "comparisons": [
            {
                "workload": summary["workload"],
                "against": summaries[0]["workload"],
                **asdict(compare_summaries(summaries[0], summary)),
            }
            for summary in summaries[1:]
        ],
        "runs": summaries,
        "provenance": [provenance(run, origin) for run in runs],
    }
