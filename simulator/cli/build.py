"""`build`: train or load a dense network, rebuild it as a tree, fine-tune it, keep its routes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from simulator.cli.interrupt import WITH_RESUME, goes_on
from simulator.cli.output import check_folder, folder_path
from simulator.cli.services import Services
from simulator.errors import UserError

DEFAULT_MAX_CHILDREN = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options; what the values may be is the workloads' business."""
    parser.add_argument("--model", required=True, metavar="MODEL", help="a dense network by name")
    parser.add_argument("--data", required=True, metavar="DATASET", help="a data set by name")
    parser.add_argument(
        "--out", required=True, type=folder_path, metavar="DIR", help="where everything is written"
    )
    parser.add_argument("--resume", action="store_true", help="go on with a build that was killed")
    parser.add_argument("--path", type=Path, metavar="DIR", help="the data set's files")
    parser.add_argument("--size", default="full", help="of a procedural set: full, small or tiny")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the build (default 0)")
    parser.add_argument(
        "--data-seed", type=int, default=0, metavar="N", help="makes or splits a bundled set"
    )
    parser.add_argument("--recipe", metavar="NAME", help="of both trainings (default: the set's)")
    parser.add_argument(
        "--epochs", metavar="DENSE,FINETUNE", help="lengths other than the recipe's"
    )
    parser.add_argument(
        "--pretrained", type=Path, metavar="FILE", help="state dict to use instead of training"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default %(default)s)")
    _add_tree_options(parser.add_argument_group("the tree"))


def _add_tree_options(group: Any) -> None:
    group.add_argument("--depth", type=int, default=2, metavar="L", help="levels (default 2)")
    group.add_argument(
        "--fractions", metavar="F,F", help="width of each level as a share of the dense stage's"
    )
    group.add_argument(
        "--ties",
        default="none",
        help="what siblings hold in common: none, shared_channels or planes_and_shared",
    )
    group.add_argument(
        "--partition", default="kmeans", help="of a node's samples: kmeans or random"
    )
    group.add_argument(
        "--lambda-resp", type=float, default=0.3, metavar="X", help="weight of L_resp (default 0.3)"
    )
    group.add_argument(
        "--recalibrate-batch-norm",
        action="store_true",
        help="measure batch-norm statistics anew, level by level, before fine-tuning",
    )
    group.add_argument(
        "--shape-from-data",
        metavar="CRITERION",
        help="choose each node's children by silhouette or gap instead of always two",
    )
    group.add_argument(
        "--max-children", type=int, metavar="N", help="with --shape-from-data (default 3)"
    )
    group.add_argument(
        "--max-params", type=int, metavar="N", help="with --shape-from-data: most parameters"
    )


def execute(args: argparse.Namespace, services: Services) -> None:
    """Build, draw the figures, and say in a few lines what was reached."""
    check_folder(args.out)
    if args.max_children is None:
        args.max_children = DEFAULT_MAX_CHILDREN
    elif args.shape_from_data is None:
        raise UserError(f"--max-children {args.max_children}: needs --shape-from-data")
    options = {key: value for key, value in vars(args).items() if key not in ("command", "resume")}
    request = services.workloads("building.request").BuildRequest(**options)
    module = services.workloads("building.build")
    with goes_on(lambda: WITH_RESUME):
        metrics = module.build(request, args.resume, sys.stderr)
    figures = services.reports("sigma_branch").write_build_figures(args.out)
    _print_summary(metrics)
    names = ", ".join(path.name for path in figures)
    print(
        f"wrote program.json, routes.json, metrics.json and {names} to {args.out}", file=sys.stderr
    )
    print(f"next: python -m simulator run --spec edge_npu --workload {args.out}", file=sys.stderr)


def _print_summary(metrics: dict[str, Any]) -> None:
    dense, tree = metrics["dense"], metrics["tree"]
    shares = ", ".join(
        f"{name} {100 * share:.1f} %"
        for name, share in zip(tree["leaf_names"], tree["leaf_shares"], strict=True)
    )
    saved = tree["ties"]["bytes_saved"]["int8"]
    rows = (
        ("top-1", f"{_percent(tree['top1_fraction'])}, dense {_percent(dense['top1_fraction'])}"),
        ("top-5", f"{_percent(tree['top5_fraction'])}, dense {_percent(dense['top5_fraction'])}"),
        ("P_active", f"{tree['p_active']:,} of dense {dense['params']:,}"),
        (
            "",
            f"{_percent(tree['active_cut_fraction'])} fewer; without routers "
            f"{tree['p_active_eq4']:,} (eq. 4)",
        ),
        (
            "P_total",
            f"{tree['p_total']:,}; ties {tree['ties']['degree']}, save {saved:,} B of int8",
        ),
        ("FLOPs", f"{tree['flops_fvcore']:,}, dense {dense['flops_fvcore']:,}"),
        ("leaf use", f"{shares}; balance {tree['balance_fraction']:.3f}"),
    )
    for name, text in rows:
        print(f"{name:<9} {text}")


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.2f} %"
