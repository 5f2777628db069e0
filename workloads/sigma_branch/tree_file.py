"""A tree in a file: its plan and its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from simulator.errors import WorkloadError
from workloads.sigma_branch.adapters.base import Adapter, Chosen
from workloads.sigma_branch.channels import Channels
from workloads.sigma_branch.plan import TreePlan, rebuild
from workloads.sigma_branch.shape import TreeShape
from workloads.sigma_branch.ties import Tie
from workloads.sigma_branch.tree import SigmaBTree
from workloads.training.checkpoint import load_checkpoint, save_checkpoint

FORMAT = "sigma_branch.tree"
VERSION = 1


def save_tree(path: Path, tree: SigmaBTree, plan: TreePlan, family: str) -> None:
    """Write a tree; `family` names the dense network's class, as a check when loading.

    Raises:
        TrainingError: the path cannot be written.
    """
    chosen = [
        [{group: _channels_out(channels) for group, channels in node.items()} for node in level]
        for level in plan.chosen
    ]
    content = {
        "format": FORMAT,
        "version": VERSION,
        "family": family,
        "arities": [list(row) for row in plan.shape.arities],
        "fractions": list(plan.fractions),
        "tie": plan.tie.value,
        "chosen": chosen,
        "weights": tree.state_dict(),
    }
    save_checkpoint(path, content)


def load_tree(path: Path, adapter: Adapter[Any]) -> tuple[SigmaBTree, TreePlan]:
    """Read a tree rebuilt from a network like the adapter's; its weights are not used.

    Raises:
        TrainingError: unreadable or damaged.
        WorkloadError: of another format or version, incomplete, or rebuilt from a network of
            another family, size or number of classes.
    """
    content = load_checkpoint(path)
    if content.get("format") != FORMAT or content.get("version") != VERSION:
        found = f"{content.get('format')!r} version {content.get('version')!r}"
        raise WorkloadError(f"{path}: format: is {found}, expected {FORMAT!r} version {VERSION}")
    family = type(adapter.dense).__name__
    if content.get("family") != family:
        raise WorkloadError(f"{path}: family: is {content.get('family')!r}, expected {family!r}")
    try:
        plan = _plan_in(content, adapter.device)
        tree = rebuild(adapter, plan)
        weights = content["weights"]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RuntimeError) as error:
        raise WorkloadError(f"{path}: the tree's plan is incomplete or damaged: {error}") from None
    _load_weights(tree, weights, path)
    return tree.eval(), plan


def _plan_in(content: dict[str, Any], device: torch.device) -> TreePlan:
    chosen: tuple[tuple[Chosen, ...], ...] = tuple(
        tuple({g: _channels_in(c, device) for g, c in node.items()} for node in level)
        for level in content["chosen"]
    )
    return TreePlan(
        shape=TreeShape(tuple(tuple(row) for row in content["arities"])),
        fractions=tuple(content["fractions"]),
        tie=Tie(content["tie"]),
        chosen=chosen,
    )


def _channels_out(channels: Channels) -> dict[str, Tensor]:
    return {"index": channels.index.cpu(), "shared": channels.shared}


def _channels_in(stored: dict[str, Tensor], device: torch.device) -> Channels:
    """Chosen channels are by branch always; planes are not stored."""
    return Channels(stored["index"].to(device), stored["shared"], by_branch=True)


def _load_weights(tree: SigmaBTree, weights: dict[str, Tensor], path: Path) -> None:
    """Put the weights into the tree, all of them or none."""
    for key, tensor in tree.state_dict().items():
        given = weights.get(key)
        if given is None or given.shape != tensor.shape:
            found = "missing" if given is None else f"of shape {tuple(given.shape)}"
            raise WorkloadError(
                f"{path}: weights: {key} is {found}, this network's tree needs "
                f"{tuple(tensor.shape)}; was it rebuilt from a network of another size or "
                "number of classes?"
            )
        if given.is_floating_point() and not torch.isfinite(given).all():
            raise WorkloadError(f"{path}: weights: {key} holds values that are not finite")
    unknown = set(weights) - set(tree.state_dict())
    if unknown:
        raise WorkloadError(f"{path}: weights: {min(unknown)} belongs to no part of the tree")
    tree.load_state_dict(weights)
