"""`study`: answer one question with many runs, and keep its data, table and figure."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from simulator.cli import study_accuracy, study_question
from simulator.cli.services import Services
from simulator.study.questions.registry import QUESTIONS


@dataclass(frozen=True)
class Study:
    """One question: what it asks, its options, and what answers it."""

    question: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    execute: Callable[[argparse.Namespace, Services], None]


STUDIES: dict[str, Study] = {
    **{
        name: Study(
            question.asks,
            study_question.add_arguments,
            partial(study_question.execute, question),
        )
        for name, question in QUESTIONS.items()
    },
    "accuracy": Study(
        study_accuracy.QUESTION, study_accuracy.add_arguments, study_accuracy.execute
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the studies and their options."""
    studies = parser.add_subparsers(dest="study", required=True, metavar="STUDY")
    for name, study in STUDIES.items():
        study.add_arguments(studies.add_parser(name, help=study.question))


def execute(args: argparse.Namespace, services: Services) -> None:
    """Run the chosen study."""
    STUDIES[args.study].execute(args, services)
