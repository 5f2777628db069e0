"""`study accuracy`: dense against trees, ablations and ties, over several seeds."""

from __future__ import annotations

import argparse
import sys

from simulator.cli.interrupt import WITH_RESUME, goes_on
from simulator.cli.output import check_folder, folder_path, make_folder
from simulator.cli.services import Services

QUESTION = "what does the tree cost in accuracy, and what does each part of the method bring"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the study's options."""
    parser.add_argument("--data", required=True, metavar="DATASET", help="shapes or solids")
    parser.add_argument(
        "--preset",
        default="cpu",
        metavar="NAME",
        help="cpu (within 20 CPU minutes), gpu (the paper's networks and recipes), or tiny",
    )
    parser.add_argument(
        "--out",
        required=True,
        type=folder_path,
        metavar="DIR",
        help="where results and checkpoints go",
    )
    parser.add_argument("--resume", action="store_true", help="go on with a study that was killed")


def execute(args: argparse.Namespace, services: Services) -> None:
    """Train what is left to train, then write data, table and figure."""
    check_folder(args.out)
    make_folder(args.out)
    study = services.workloads("studies.accuracy").study_accuracy
    with goes_on(lambda: WITH_RESUME):
        results = study(args.data, args.preset, args.out, args.resume, sys.stderr)
    written = services.reports("studies.accuracy").write_accuracy_study(results, args.out)
    names = ", ".join(path.name for path in written)
    print(f"wrote {names} to {args.out}", file=sys.stderr)
