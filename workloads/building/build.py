"""`build`: everything from a data set and a network's name to a folder the simulator replays."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import torch

from simulator.errors import WorkloadError
from simulator.ir import Workload
from simulator.outcomes_file import outcomes_to_json
from simulator.program_file import routes_to_json, workload_to_json
from workloads.building.figures_of_merit import dense_figures, tree_figures
from workloads.building.networks import make_network
from workloads.building.outcomes import tree_outcomes
from workloads.building.provenance import provenance
from workloads.building.request import BuildRequest
from workloads.building.stages import DenseStage, Setting, TreeStage, dense_stage, tree_stage
from workloads.data.dataset import Dataset
from workloads.data.registry import load_dataset
from workloads.sigma_branch.adapters import adapter_for
from workloads.sigma_branch.grow import TreeBuilder
from workloads.sigma_branch.tracing import Origin, tree_workload
from workloads.sigma_branch.tree_file import save_tree
from workloads.training.checkpoint import save_checkpoint, write_atomically
from workloads.training.compute import choose_compute
from workloads.training.history import times_path
from workloads.training.loop import CheckpointPolicy
from workloads.training.progress import TerminalProgress

SCHEMA = "sigma_branch.build"
VERSION = 1
REQUEST = "request.json"
DENSE_TRAINING = "dense_training.pt"
DENSE = "dense.pt"
PROGRAM = "program.json"
TREE_TRAINING = "tree_training.pt"


def build(request: BuildRequest, resume: bool, stream: TextIO) -> dict[str, Any]:
    """Build a tree and write its files; returns what metrics.json holds.

    A build is a function of its request on the same machine: killed anywhere and resumed, it
    ends in the same bytes as one that was not (`times.json` and its kind apart).

    Args:
        request: the options.
        resume: go on with a build of the same request in the folder.
        stream: told how far the trainings are, if it is a terminal.

    Raises:
        UserError: data or weights that are missing, damaged or do not fit, a folder that holds
            another build, or a training that diverges.
    """
    started_s = time.perf_counter()
    dataset = load_dataset(request.data, request.path, request.data_seed, request.size)
    compute = choose_compute(request.device)
    _check_tree(request, dataset)
    _claim(request, resume)
    setting = Setting(dataset, request.training(), request.seed, compute, TerminalProgress(stream))
    dense, tree = _train(request, setting, resume)
    workload = _workload(request, dataset, tree)
    of_dense = dense_figures(dense, dataset.input_shape)
    metrics = {
        "schema": SCHEMA,
        "schema_version": VERSION,
        "request": _plain(request),
        "recipe": {**asdict(setting.recipe), "schedule": repr(setting.recipe.schedule)},
        "provenance": provenance(dataset, compute),
        "dense": of_dense,
        "tree": tree_figures(tree, dense.model, workload.program, of_dense["params"]),
        "overlap": _overlap(tree),
    }
    out = request.out
    _write_data(out, dataset, dense, tree)
    _write(out / PROGRAM, workload_to_json(workload))
    _write(out / "routes.json", routes_to_json(list(tree.final.routes)))
    outcomes = tree_outcomes(tree.distribution.tree, workload, dataset, compute)
    _write(out / "outcomes.json", outcomes_to_json(outcomes))
    _write_json(out / "metrics.json", metrics)
    _write_times(out, time.perf_counter() - started_s)
    return metrics


def _train(request: BuildRequest, setting: Setting, resume: bool) -> tuple[DenseStage, TreeStage]:
    """Both trainings, each followed by its weights in a file."""
    out = request.out
    checkpoint = CheckpointPolicy(out / DENSE_TRAINING, resume)
    dense = dense_stage(setting, request.model, request.pretrained, checkpoint)
    save_checkpoint(out / DENSE, dense.model.state_dict())
    checkpoint = CheckpointPolicy(out / TREE_TRAINING, resume)
    config, weight = request.distribution(), request.lambda_resp
    tree = tree_stage(setting, dense.model, config, weight, checkpoint)
    distribution, family = tree.distribution, type(dense.model).__name__
    save_tree(out / "tree.pt", distribution.tree, distribution.plan, family)
    return dense, tree


def _check_tree(request: BuildRequest, dataset: Dataset) -> None:
    """Refuse a tree that the network cannot carry now, not after hours of dense training."""
    with torch.device("meta"):
        adapter = adapter_for(make_network(request.model, dataset, request.seed))
        config = request.distribution()
        TreeBuilder(adapter, config.rule.depth, config.fractions)


def _claim(request: BuildRequest, resume: bool) -> None:
    """Make the folder, or see that what it holds is to be gone on from and of this request."""
    path, wanted = request.out / REQUEST, _plain(request)
    if not any((request.out / name).exists() for name in (DENSE_TRAINING, DENSE, PROGRAM)):
        try:
            request.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkloadError(f"{request.out}: cannot be made: {error.strerror}") from None
        _write_json(path, wanted)
        return
    if not resume:
        raise WorkloadError(
            f"{request.out}: holds a build already; add --resume to go on with it, or name "
            "another folder"
        )
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        differing = [key for key in wanted if found.get(key) != wanted[key]]
    except (OSError, ValueError, AttributeError):
        raise WorkloadError(f"{path}: is damaged; remove {request.out} to build anew") from None
    if differing:
        key = differing[0]
        raise WorkloadError(
            f"{request.out}: was begun with {key} {found.get(key)!r}, now asked for with "
            f"{wanted[key]!r}; resume with the same options, or name another folder"
        )


def _plain(request: BuildRequest) -> dict[str, Any]:
    """What decides the result; a pretrained file counts by its content."""
    plain = request.as_plain()
    if request.pretrained is not None:
        try:
            digest = hashlib.sha256(request.pretrained.read_bytes()).hexdigest()
        except OSError as error:
            raise WorkloadError(
                f"--pretrained {request.pretrained}: cannot be read: {error.strerror}"
            ) from None
        plain["pretrained_sha256"] = digest
    return plain


def _workload(request: BuildRequest, dataset: Dataset, tree: TreeStage) -> Workload:
    """The tree as the simulator reads it, its leaves' shares as measured."""
    origin = Origin(
        description=f"SigmaB-Net of {request.model} for {dataset.name}",
        source=f"built from seed {request.seed} on {dataset.provenance}; arXiv 2606.09924v1",
        leaf_shares=tree.final.leaf_shares,
        leaf_shares_source=f"measured on the {len(dataset.test)} test inputs",
    )
    name = f"sigmab_{request.model}_{dataset.name}"
    return tree_workload(name, tree.distribution.tree, (1, *dataset.input_shape), origin)


def _overlap(stage: TreeStage) -> list[dict[str, Any]]:
    """What siblings chose in common, node by node, without the channels themselves."""
    nodes = stage.distribution.report.as_dict()["nodes"]
    lists = ("means", "channels", "shared")
    for node in nodes:
        node["groups"] = [
            {key: value for key, value in group.items() if key not in lists}
            for group in node["groups"]
        ]
    return list(nodes)


def _write_data(out: Path, dataset: Dataset, dense: DenseStage, tree: TreeStage) -> None:
    """What the figures are drawn from."""
    shape = tree.distribution.plan.shape
    _write_json(out / "channels.json", tree.distribution.report.as_dict())
    _write_json(
        out / "class_by_leaf.json",
        {
            "class_names": list(dataset.class_names),
            "superclasses": list(dataset.superclasses),
            "leaf_names": [shape.leaf_name(leaf) for leaf in range(shape.n_leaves)],
            "counts": tree.final.class_by_leaf.tolist(),
        },
    )
    history = {
        "dense": [record.to_plain() for record in dense.history],
        "finetune": [record.to_plain() for record in tree.history],
    }
    _write_json(out / "history.json", history)


def _write_times(out: Path, last_call_s: float) -> None:
    """Epoch by epoch over all calls, and the last call's whole time; no two builds agree on it."""
    times: dict[str, Any] = {"last_call_s": round(last_call_s, 3)}
    for name in (DENSE_TRAINING, TREE_TRAINING):
        path = times_path(out / name)
        if path.exists():
            times[name.removesuffix("_training.pt")] = json.loads(path.read_text(encoding="utf-8"))[
                "epochs"
            ]
    _write_json(out / "times.json", times)


def _write_json(path: Path, content: Any) -> None:
    _write(path, json.dumps(content, indent=1) + "\n")


def _write(path: Path, text: str) -> None:
    write_atomically(path, text.encode())
