"""Options that several commands share, and what they mean."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from simulator.activation_bits import (
    ActivationBitsRule,
    check_activation_rules,
    with_activation_bits,
)
from simulator.cli.resolve import resolve_workload
from simulator.cli.services import Services
from simulator.errors import UserError
from simulator.ir import Route, Workload
from simulator.mapping.placement import Placement
from simulator.policy import (
    PARAMETER_POLICIES,
    MeasuredAccuracy,
    Policy,
    PolicyChoice,
    PredictorName,
)
from simulator.probes_file import probes_from_file
from simulator.program_file import routes_from_file
from simulator.routes import check_routes, draw_routes
from simulator.spec_dram import Alignment, Layout
from simulator.spec_file import Override, energy_node_overrides
from simulator.weight_bits import WeightBitsRule, check_rules, with_weight_bits

DEFAULT_INFERENCES = 1000
MAX_INFERENCES = 10_000_000
ENERGY_NODES_NM = (45, 22, 7)


def add_simulation_options(
    parser: argparse.ArgumentParser, default_inferences: int = DEFAULT_INFERENCES
) -> None:
    """Declare what every simulating command takes."""
    parser.add_argument(
        "--spec", required=True, metavar="S", help="accelerator: a YAML file, or a shipped name"
    )
    parser.add_argument(
        "--policy",
        choices=[policy.value for policy in Policy],
        default=Policy.ON_DEMAND.value,
        help="when weights behind a routing decision are fetched (default %(default)s)",
    )
    parser.add_argument(
        "--predictor",
        choices=[name.value for name in PredictorName],
        help="what tells a speculating policy how likely an arm is (default prior)",
    )
    parser.add_argument(
        "--top-p",
        type=float,
        metavar="P",
        help="probability that the arms of policy top_p reach together (default 0.9)",
    )
    parser.add_argument(
        "--early-blocks",
        type=int,
        metavar="K",
        help="blocks between an early router and the real one, or the earliest place there is "
        "(default 1)",
    )
    parser.add_argument(
        "--early-accuracy",
        metavar="A",
        help="how often an early router is right, or a file that probe wrote (default 0.9)",
    )
    parser.add_argument(
        "--placement",
        choices=[placement.value for placement in Placement],
        default=Placement.STREAM.value,
        help="which weights stay on chip between inferences (default %(default)s)",
    )
    parser.add_argument(
        "--layout",
        choices=[layout.value for layout in Layout],
        help="order of the weights in DRAM, dram.weight_layout (the spec's, or layer_major)",
    )
    parser.add_argument(
        "--align",
        choices=[alignment.value for alignment in Alignment],
        help="where a layer's weights begin, dram.weight_alignment (the spec's, or row)",
    )
    parser.add_argument(
        "--inferences",
        type=int,
        metavar="N",
        help=f"how many inputs, routes drawn from the leaf shares (default {default_inferences})",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of the drawn routes (default 0)"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        dest="overrides",
        help="override one field of the spec, e.g. scratchpad.capacity_kib=512; repeatable",
    )
    parser.add_argument(
        "--energy-node",
        type=int,
        choices=ENERGY_NODES_NM,
        help="take MAC, vector and scratchpad energy of this node in nm; DRAM's stays",
    )
    parser.add_argument(
        "--bits",
        action="append",
        default=[],
        metavar="PATTERN=BITS",
        help="width of the weights of matching segments or layers, e.g. 'level2.*=4'; repeatable",
    )
    parser.add_argument(
        "--activation-bits",
        action="append",
        default=[],
        metavar="PATTERN=BITS",
        help="width of what matching segments or layers write, or of an input; repeatable",
    )
    parser.add_argument("--json", action="store_true", help="print the summary as JSON, alone")


def _measured(path: Path) -> MeasuredAccuracy:
    """What probes were measured to foresee, by branch and blocks.

    Raises:
        ProbesError: the file cannot be read.
    """
    return tuple(
        (branch.branch, probe.blocks_earlier, probe.accuracy_fraction)
        for branch in probes_from_file(path).branches
        for probe in branch.probes
    )


def policy_choice(args: argparse.Namespace, varied: Collection[object] = ()) -> PolicyChoice:
    """The policy with its parameters.

    Args:
        args: the command line.
        varied: other policies that the command runs, which may use a parameter instead.

    Raises:
        UserError: a parameter out of range, or one that no policy run has.
    """
    choice = PolicyChoice(Policy(args.policy))
    for name, policies in PARAMETER_POLICIES.items():
        option = f"--{name.removeprefix('prefetch.').replace('_', '-')}"
        value = getattr(args, name.removeprefix("prefetch."))
        if value is None:
            continue
        if choice.policy not in policies and not any(policy in varied for policy in policies):
            raise UserError(
                f"{option} {value}: not used by --policy {args.policy}, only by "
                f"{', '.join(policy.value for policy in policies)}"
            )
        if option == "--early-accuracy":
            try:
                value = float(value)
            except ValueError:
                choice = replace(choice, early_accuracy=_measured(Path(value)))
                continue
        try:
            choice = choice.with_parameter(name, value)
        except ValueError as error:
            raise UserError(f"{option} {value}: {error}") from None
    return choice


def parse_overrides(args: argparse.Namespace) -> list[Override]:
    """--energy-node, --layout and --align, then the --set options in order: these win."""
    node = energy_node_overrides(args.energy_node) if args.energy_node else []
    if args.layout:
        node.append(Override("dram.weight_layout", args.layout))
    if args.align:
        node.append(Override("dram.weight_alignment", args.align))
    return [*node, *(Override.parse(text) for text in args.overrides)]


def with_chosen_bits(args: argparse.Namespace, workloads: list[Workload]) -> list[Workload]:
    """The workloads with the widths of --bits and --activation-bits.

    A rule must hold for one of them at least.

    Raises:
        UserError: a malformed rule, or one that matches nothing.
    """
    of_weights = [WeightBitsRule.parse(text) for text in args.bits]
    check_rules(workloads, of_weights)
    of_activations = [ActivationBitsRule.parse(text) for text in args.activation_bits]
    check_activation_rules(workloads, of_activations)
    return [
        with_activation_bits(with_weight_bits(workload, of_weights), of_activations)
        for workload in workloads
    ]


def routes_for(
    args: argparse.Namespace, workload: Workload, routes_file: Path | None
) -> tuple[list[Route], int | None]:
    """The routes to replay and the seed they were drawn with (None if they were given).

    Raises:
        RouteError: a given route does not fit the workload.
        UserError: a count or seed out of range.
    """
    if args.seed < 0:
        raise UserError(f"--seed {args.seed}: must be zero or more")
    if args.inferences is not None and not 1 <= args.inferences <= MAX_INFERENCES:
        raise UserError(f"--inferences {args.inferences}: must be from 1 to {MAX_INFERENCES}")
    if routes_file is None:
        return draw_routes(workload, args.inferences or DEFAULT_INFERENCES, args.seed), args.seed
    routes = routes_from_file(routes_file)
    check_routes(workload.program, routes, str(routes_file))
    if args.inferences is not None and args.inferences > len(routes):
        raise UserError(f"--inferences {args.inferences}: {routes_file} holds {len(routes)} routes")
    return routes[: args.inferences], None


def resolve_workloads(names: str, services: Services) -> list[Workload]:
    """A comma-separated list of workloads.

    Raises:
        UserError: fewer than two, or one twice.
    """
    listed = [name.strip() for name in names.split(",") if name.strip()]
    if len(listed) < 2 or len(set(listed)) < len(listed):
        raise UserError(f"--workloads {names}: name at least two different workloads")
    return [resolve_workload(name, services) for name in listed]
