"""What a build reaches, as plain numbers: accuracy, size, work, and use of the leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from simulator.counts import WorkloadCounts, count_program
from simulator.ir import Program
from workloads.building.stages import DenseStage, TreeStage
from workloads.sigma_branch.adapters import adapter_for
from workloads.sigma_branch.evaluate import HardEvaluation
from workloads.sigma_branch.grow import build_tree
from workloads.trace import trace_dense

_BITS = 8
"""The paper's FLOPs and parameters do not depend on it; bytes are given per precision."""
_BYTES = {"fp32": 4, "int8": 1}


def dense_figures(stage: DenseStage, input_shape: Sequence[int]) -> dict[str, Any]:
    """Accuracy, parameters and work of the dense network."""
    counts = count_program(trace_dense(stage.model, (1, *input_shape)), _BITS)
    (route,) = counts.routes
    return {
        "top1_fraction": stage.accuracy.top1_fraction,
        "top5_fraction": stage.accuracy.top5_fraction,
        "params": counts.params_total,
        "macs": route.macs,
        "flops_fvcore": route.flops_fvcore,
    }


def tree_figures(
    stage: TreeStage, dense: nn.Module, program: Program, dense_params: int
) -> dict[str, Any]:
    """Accuracy, parameters, work, ties and use of the leaves of a fine-tuned tree.

    The active parameters are those of the largest path; in a binary tree all are alike.
    """
    counts = count_program(program, _BITS)
    largest = max(counts.routes, key=lambda route: route.params_active)
    plan = stage.distribution.plan
    return {
        "initial": routing_figures(stage.initial),
        **routing_figures(stage.final),
        "leaf_names": [plan.shape.leaf_name(leaf) for leaf in range(plan.shape.n_leaves)],
        "arities": [list(row) for row in plan.shape.arities],
        "fractions": list(plan.fractions),
        "p_total": counts.params_total,
        "p_active": largest.params_active,
        "p_active_eq4": largest.params_active_eq4,
        "active_cut_fraction": 1 - largest.params_active / dense_params,
        "macs": max(route.macs for route in counts.routes),
        "flops_fvcore": max(route.flops_fvcore for route in counts.routes),
        "ties": tie_figures(stage, dense, counts),
        "nodes": [
            {"name": segment.name, "is_router": segment.is_router, "params": segment.params}
            for segment in counts.segments
        ],
    }


def routing_figures(found: HardEvaluation) -> dict[str, Any]:
    """What hard routing gives on the test set."""
    return {
        "top1_fraction": found.top1_fraction,
        "top5_fraction": found.top5_fraction,
        "leaf_shares": list(found.leaf_shares),
        "balance_fraction": found.balance,
    }


def tie_figures(stage: TreeStage, dense: nn.Module, counts: WorkloadCounts) -> dict[str, Any]:
    """What the siblings hold in common and how much less is stored for it."""
    plan = stage.distribution.plan
    with torch.device("meta"):
        untied = build_tree(adapter_for(dense).on_meta(), plan.shape, plan.fractions)
    saved = sum(p.numel() for p in untied.parameters()) - counts.params_total
    return {
        "degree": plan.tie.value,
        "params_tied": stage.distribution.report.n_tied,
        "params_saved": saved,
        "bytes_saved": {name: saved * size for name, size in _BYTES.items()},
    }
