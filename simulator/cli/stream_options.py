"""Options of `stream`: what is kept, in which order inputs come, and from where."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from simulator.cli.options import DEFAULT_INFERENCES, MAX_INFERENCES
from simulator.cli.resolve import ROUTES_FILE, build_folder
from simulator.cli.services import Services
from simulator.errors import UserError
from simulator.ir import Workload
from simulator.outcomes_file import Outcomes, check_outcomes, outcomes_from_file
from simulator.program_file import routes_from_file
from simulator.routes import check_routes
from simulator.runtime.granularity import Granularity
from simulator.runtime.itinerary import Itinerary
from simulator.runtime.residency import ResidencyPolicy, Scope
from simulator.runtime.routed_stream import Answers
from simulator.runtime.streams import (
    Population,
    Stream,
    StreamKind,
    population_of_outcomes,
    population_of_routes,
    population_of_shares,
)
from simulator.spec import AcceleratorSpec
from simulator.validation import nearest

OUTCOMES_FILE = "outcomes.json"
ALL = "all"
AUTO = "auto"
DEFAULT_BIT_SLICES = 2
DEFAULT_PERSISTENCE_FRACTION = 0.5
DEFAULT_BURST = 16
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(B|KiB|MiB|%)?")
_UNITS = {None: 1, "B": 1, "KiB": 2**10, "MiB": 2**20}


def add_stream_options(parser: argparse.ArgumentParser) -> None:
    """Declare what only `stream` takes."""
    parser.add_argument(
        "--residency",
        default=ALL,
        metavar="P1,P2",
        help=f"what stays on chip: {', '.join(ResidencyPolicy)}, or {ALL} of them (default)",
    )
    add_region_and_order_options(parser)
    parser.add_argument(
        "--optimum",
        action="store_true",
        help="try every choice there is, to tell how far belady is from the best (a few dozen "
        "inputs in a few large units)",
    )
    parser.add_argument(
        "--bit-slices",
        type=int,
        metavar="N",
        help="of granularity bit_slice: equal slices of a weight's bits (default 2)",
    )
    parser.add_argument(
        "--standin",
        action="store_true",
        help="run an arm whose high bit slices are on chip on these alone, beside doing without",
    )
    parser.add_argument(
        "--standin-outcomes",
        type=Path,
        metavar="FILE",
        help="the tree's outcomes in fewer bits, as quantise writes them: accuracy of stand-ins",
    )
    parser.add_argument(
        "--margins",
        metavar="M1,M2",
        help="residency-aware routing: take the most resident arm less than this much less "
        "probable than the best, e.g. 0,0.1,0.2; needs outcomes",
    )


def add_region_and_order_options(parser: argparse.ArgumentParser) -> None:
    """Declare where weights stay and how inputs follow one another."""
    parser.add_argument(
        "--region",
        metavar="SIZE",
        help="scratchpad managed for weights: 512KiB, 25%%, a number of bytes, or auto: the "
        "largest sixteenths that slow the plan by no more than 1 %% (default)",
    )
    parser.add_argument(
        "--granularity",
        choices=[granularity.value for granularity in Granularity],
        help="in which units weights stay (default tile)",
    )
    parser.add_argument(
        "--scope",
        choices=[scope.value for scope in Scope],
        help="which weights may stay: all, or those behind branches (default all)",
    )
    add_order_options(parser)
    parser.add_argument("--routes", type=Path, metavar="FILE", help="real inputs' routes")
    parser.add_argument(
        "--outcomes",
        type=Path,
        metavar="FILE",
        help="real inputs' outcomes, as build writes them (default those of a build's folder)",
    )


def add_order_options(parser: argparse.ArgumentParser) -> None:
    """Declare how inputs follow one another."""
    parser.add_argument(
        "--stream",
        choices=[kind.value for kind in StreamKind],
        help="in which order inputs come (default data_set where there are real ones, else "
        "independent)",
    )
    parser.add_argument(
        "--persistence",
        type=float,
        metavar="P",
        help="of a markov stream: how likely the next input takes the same leaf (default 0.5)",
    )
    parser.add_argument(
        "--burst",
        type=int,
        metavar="N",
        help="of class bursts: inputs of one class in a row (default 16)",
    )


def fill_region_defaults(args: argparse.Namespace) -> None:
    """What --region, --granularity and --scope are where they are left out."""
    defaults = {"region": AUTO, "granularity": Granularity.TILE.value, "scope": Scope.ALL.value}
    for name, value in defaults.items():
        if getattr(args, name) is None:
            setattr(args, name, value)


def chosen_policies(text: str) -> list[ResidencyPolicy]:
    """The policies of --residency, in the order given.

    Raises:
        UserError: an unknown one, one twice, or none.
    """
    if text == ALL:
        return list(ResidencyPolicy)
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in set(ResidencyPolicy):
            raise UserError(
                f"--residency {name!r}: no such policy{nearest(name, list(ResidencyPolicy))}; "
                f"there are {', '.join(ResidencyPolicy)}, {ALL}"
            )
    if not names or len(set(names)) < len(names):
        raise UserError(f"--residency {text!r}: name one or more different policies")
    return [ResidencyPolicy(name) for name in names]


def region_size(text: str, spec: AcceleratorSpec) -> int | None:
    """Bytes of --region; None for auto.

    Raises:
        UserError: not a size, or more than the scratchpad.
    """
    if text == AUTO:
        return None
    match = _SIZE.fullmatch(text.strip())
    capacity = spec.scratchpad.capacity_bytes
    if match is None:
        raise UserError(f"--region {text!r}: expected e.g. 512KiB, 1.5MiB, 25%, bytes or {AUTO}")
    number, unit = float(match[1]), match[2]
    size = int(number / 100 * capacity) if unit == "%" else int(number * _UNITS[unit])
    if size >= capacity:
        raise UserError(f"--region {text}: the scratchpad has {capacity} B, and plans need some")
    return size


def chosen_outcomes(
    args: argparse.Namespace, workload: Workload, services: Services
) -> tuple[Outcomes, str] | None:
    """The outcomes of --outcomes or of a build's folder, checked, and where they came from.

    Raises:
        OutcomesError: unreadable, or of another tree.
    """
    path: Path | None = args.outcomes
    folder = build_folder(args.workload, services)
    if path is None and args.routes is None and folder and (folder / OUTCOMES_FILE).is_file():
        path = folder / OUTCOMES_FILE
    if path is None:
        return None
    outcomes = outcomes_from_file(path)
    check_outcomes(outcomes, workload.program, str(path))
    return outcomes, str(path)


def chosen_answers(
    args: argparse.Namespace, workload: Workload, services: Services
) -> Answers | None:
    """The outcomes to route and judge by, where they are named or lie in the build's folder.

    Raises:
        OutcomesError: unreadable, or of another tree.
        UserError: an option that needs outcomes without any.
    """
    outcomes = chosen_outcomes(args, workload, services)
    if outcomes is None:
        for option in ("margins", "standin_outcomes"):
            if getattr(args, option) is not None:
                raise UserError(f"--{option.replace('_', '-')}: needs --outcomes too")
        return None
    standin: Path | None = args.standin_outcomes
    if standin is None:
        return Answers(outcomes[0])
    if not args.standin:
        raise UserError("--standin-outcomes: says how right stand-ins are; give --standin too")
    fewer = outcomes_from_file(standin)
    check_outcomes(fewer, workload.program, str(standin))
    return Answers(outcomes[0], fewer)


def chosen_margins(text: str | None) -> list[float]:
    """The margins of --margins.

    Raises:
        UserError: not numbers from 0 to 1.
    """
    found = []
    for word in (text or "").split(","):
        if not word.strip():
            continue
        try:
            margin = float(word)
        except ValueError:
            margin = -1.0
        if not 0 <= margin <= 1:
            raise UserError(f"--margins {word.strip()!r}: expected numbers from 0 to 1")
        found.append(margin)
    if text is not None and (not found or len(set(found)) < len(found)):
        raise UserError(f"--margins {text!r}: name one or more different numbers from 0 to 1")
    return found


def chosen_slices(args: argparse.Namespace) -> int:
    """Slices of a weight's bits.

    Raises:
        UserError: --bit-slices with another granularity.
    """
    if args.bit_slices is None:
        return DEFAULT_BIT_SLICES
    if args.granularity != Granularity.BIT_SLICE:
        raise UserError(
            f"--bit-slices {args.bit_slices}: only of --granularity {Granularity.BIT_SLICE}"
        )
    return int(args.bit_slices)


def chosen_population(
    args: argparse.Namespace,
    workload: Workload,
    itinerary: Itinerary,
    services: Services,
) -> Population:
    """Real inputs where they are named or lie in the build's folder, else the leaf shares."""
    outcomes = chosen_outcomes(args, workload, services)
    if outcomes is not None:
        return population_of_outcomes(*outcomes)
    folder = build_folder(args.workload, services)
    path: Path | None = args.routes or (folder / ROUTES_FILE if folder else None)
    if path is None:
        return population_of_shares(itinerary, workload.leaf_shares_source)
    routes = routes_from_file(path)
    check_routes(workload.program, routes, str(path))
    return population_of_routes(itinerary, routes, str(path))


def chosen_stream(args: argparse.Namespace, population: Population) -> Stream:
    """The stream of the options.

    Raises:
        UserError: a number out of range, or an order that the inputs do not allow.
    """
    if args.seed < 0:
        raise UserError(f"--seed {args.seed}: must be zero or more")
    count = args.inferences
    if count is None:
        count = len(population.leaf_of) if population.ordered else DEFAULT_INFERENCES
    if not 1 <= count <= MAX_INFERENCES:
        raise UserError(f"--inferences {count}: must be from 1 to {MAX_INFERENCES}")
    default = StreamKind.DATA_SET if population.ordered else StreamKind.INDEPENDENT
    kind = StreamKind(args.stream) if args.stream else default
    return stream_of(args, kind, population, count)


def stream_of(
    args: argparse.Namespace, kind: StreamKind, population: Population, count: int
) -> Stream:
    """The stream of that kind, with --persistence and --burst.

    Raises:
        UserError: one of them with another kind, or out of range.
    """
    for option, owner in (("persistence", StreamKind.MARKOV), ("burst", StreamKind.CLASS_BURSTS)):
        value = getattr(args, option)
        if value is not None and kind is not owner:
            raise UserError(f"--{option} {value}: only of --stream {owner}, this one is {kind}")
    persistence = DEFAULT_PERSISTENCE_FRACTION if args.persistence is None else args.persistence
    burst = DEFAULT_BURST if args.burst is None else args.burst
    return Stream(kind, population, count, args.seed, persistence, burst)
