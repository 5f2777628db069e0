"""Composition root: `python -m simulator COMMAND`. Only here meet simulator, workloads, reports."""

from __future__ import annotations

import argparse
import importlib
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

from simulator.cli.interrupt import STARTS_OVER, plain_interrupts
from simulator.cli.services import Services
from simulator.errors import UserError
from simulator.version import __version__

COMMANDS = {
    "run": "replay a workload on an accelerator and say what it costs and why",
    "stream": "carry the scratchpad's weights from input to input and say what that saves",
    "compare": "put several workloads side by side on one accelerator",
    "serve": "let requests arrive, queue and meet deadlines, or find how many a second it sustains",
    "sensitivity": "show which constants energy and latency hang on",
    "sweep": "evaluate a design space point by point, resumably, here or on a cluster",
    "explore": "search a design space for the points worth choosing",
    "inverse": "find the smallest scratchpad or bandwidth that meets a target",
    "describe": "count a workload's parameters, MACs and weight bytes",
    "build": "train a network, rebuild it as a tree, fine-tune it and keep its real routes",
    "quantise": "measure what a built tree gets right with weights of few bits",
    "probe": "measure how early a built tree's decisions can be foreseen",
    "place": "choose bits and tier of every node of a tree within an accuracy budget",
    "study": "answer one question with many runs",
    "validate": "hold predictions against published measurements and peers",
    "trace": "trace a PyTorch model into a program file",
}


class _Parser(argparse.ArgumentParser):
    """Argument errors as one line, like every other user error."""

    def error(self, message: str) -> Any:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def services() -> Services:
    """The packages beside the simulator, each imported when a command asks for it."""
    return Services(
        specs_dir=Path(str(files("accelerator_specs").joinpath(""))),
        programs_dir=Path(str(files("workloads").joinpath("programs"))),
        workloads=lambda name: importlib.import_module(f"workloads.{name}"),
        reports=lambda name: importlib.import_module(f"reports.{name}"),
    )


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the process's exit code (2 for a user's error)."""
    try:
        with plain_interrupts():
            module, args = _parsed(sys.argv[1:] if argv is None else argv)
            module.execute(args, services())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as error:
        print(f"interrupted: {error if error.args else STARTS_OVER}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    return 0


def _parsed(words: list[str]) -> tuple[Any, argparse.Namespace]:
    """The module of the command that is asked for, and its options."""
    parser = _Parser(prog="python -m simulator", description=__import__("simulator").__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chosen = next((word for word in words if not word.startswith("-")), None)
    module: Any = None
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=purpose)
        if name == chosen:  # only the command that runs is imported
            module = importlib.import_module(f"simulator.cli.{name}")
            module.add_arguments(command)
    return module, parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
