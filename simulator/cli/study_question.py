"""`study NAME` for the questions that simulation alone answers: no torch, any machine."""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial

from simulator.cli.output import check_folder, folder_path, make_folder
from simulator.cli.progress import ProgressLine
from simulator.cli.resolve import resolve_spec, resolve_workload
from simulator.cli.services import Services
from simulator.cli.study_options import STORE_FILE, check_workers, resumable
from simulator.study.questions.lab import Lab
from simulator.study.questions.provenance import provenance
from simulator.study.questions.question import Question
from simulator.study.store import Store
from simulator.study.workers import InProcess, LocalProcesses


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what every such study takes."""
    parser.add_argument(
        "--out",
        required=True,
        type=folder_path,
        metavar="DIR",
        help=f"NAME.csv, .json, .md and .png go here, and {STORE_FILE}; the same command resumes "
        "what was interrupted",
    )
    parser.add_argument(
        "--quick", action="store_true", help="a few of the rows, in seconds: to try it out"
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes on this machine (default %(default)s)",
    )


def execute(question: Question, args: argparse.Namespace, services: Services) -> None:
    """Simulate what is not known yet, then write table, provenance, page and figure.

    Raises:
        UserError: a bad number of workers, or a folder that cannot be written.
    """
    check_workers(args.workers)
    check_folder(args.out)
    make_folder(args.out)
    path = args.out / STORE_FILE
    line = ProgressLine(f"{question.name}:")
    workers = LocalProcesses(args.workers) if args.workers > 1 else InProcess()
    try:
        with Store(path) as store, resumable(line, path):
            lab = Lab(
                tuple(sorted(file.stem for file in services.specs_dir.glob("*.yaml"))),
                lambda name: resolve_spec(name, [], services)[0],
                partial(resolve_workload, services=services),
                store,
                workers,
                line,
            )
            rows = question.collect(lab, args.quick)
    finally:
        workers.close()
    made = provenance(question, lab, rows, args.quick)
    written = services.reports("studies.questions").write_question(question, rows, made, args.out)
    print(f"wrote {', '.join(file.name for file in written)} to {args.out}", file=sys.stderr)
    for claim in made["claims"]:
        print(claim)
