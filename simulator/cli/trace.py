"""`trace`: a PyTorch network of the catalogue becomes a program file."""

from __future__ import annotations

import argparse
from pathlib import Path

from simulator.cli.output import write_text
from simulator.cli.services import Services
from simulator.errors import UserError
from simulator.ir import Workload
from simulator.program_file import workload_to_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--workload", required=True, metavar="NAME", help="a shipped workload")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="FILE", help="program file to write (.json)"
    )


def execute(args: argparse.Namespace, services: Services) -> None:
    """Trace the named workload on the meta device and write its program."""
    if args.out.suffix != ".json":
        raise UserError(f"--out {args.out}: must be a file name that ends in .json")
    workload: Workload = services.workloads("catalogue").trace_workload(args.workload)
    write_text(args.out, workload_to_json(workload))
    layers = sum(1 for _ in workload.program.layers())
    print(f"{args.out}: {workload.name}, {layers} layers")
