"""A tree as a program: one branch per router, with every arm traced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from simulator import ir
from simulator.errors import WorkloadError
from workloads.sigma_branch.tree import SigmaBTree
from workloads.trace import Tracer, meta_copy


@dataclass(frozen=True)
class Origin:
    """Where a built tree comes from, for the workload's header.

    Attributes:
        description: what it is, for people.
        source: the command, data and seed that built it.
        leaf_shares: measured share of inputs per leaf; uniform is assumed where empty.
        leaf_shares_source: on which inputs they were measured.
    """

    description: str
    source: str
    leaf_shares: tuple[float, ...] = ()
    leaf_shares_source: str = ""


def trace_tree(tree: SigmaBTree, input_shape: Sequence[int]) -> ir.Program:
    """The program of hard inference: trunk, then router and arms, nested level by level.

    Raises:
        WorkloadError: an operator is unknown, or a part cannot run without values.
    """
    shadow = meta_copy(tree)
    with Tracer(shadow) as tracer:
        x, named = tracer.input("input", input_shape)
        state, trunk = tracer.segment("trunk", lambda: shadow.trunk(x))
        steps = (*_present(trunk), *_below(tracer, shadow, 0, 0, state))
    tracer.check()
    return ir.Program(inputs=(named,), steps=steps)


def _below(
    tracer: Tracer, tree: SigmaBTree, level: int, node: int, state: Any
) -> tuple[ir.Segment | ir.Branch, ...]:
    """The steps that follow a node: its decision with all arms, or its head."""
    if level == tree.shape.depth:
        _, head = tracer.segment(f"head.{node}", lambda: tree.head[node](state))
        return _present(head)
    router = tree.router(level, node)
    name = f"router{level + 1}.{node}"
    segment = None
    if router is not None:
        _, segment = tracer.segment(name, lambda: router.decide(state))
    arms = []
    for child in tree.shape.children(level, node):
        specializer = tree.specializer(level + 1, child)
        after, body = tracer.segment(f"level{level + 1}.{child}", partial(specializer, state))
        steps = (*_present(body), *_below(tracer, tree, level + 1, child, after))
        arms.append(ir.Program(steps=steps))
    if segment is None:
        return arms[0].steps
    branch = ir.Branch(name=f"branch{level + 1}.{node}", router=segment, arms=tuple(arms))
    return (branch,)


def _present(segment: ir.Segment | None) -> tuple[ir.Segment, ...]:
    return () if segment is None else (segment,)


def tree_workload(
    name: str,
    tree: SigmaBTree,
    input_shape: Sequence[int],
    origin: Origin,
) -> ir.Workload:
    """A built tree as a workload: tied weights are one block that both arms name.

    Args:
        name: of the workload.
        tree: as built or fine-tuned; only its structure is read.
        input_shape: of one input, with a batch dimension of 1.
        origin: what it is and how often each leaf is taken.

    Raises:
        WorkloadError: the tree cannot be traced, or the shares do not fit its leaves.
    """
    n_leaves = tree.shape.n_leaves
    shares = origin.leaf_shares or (1.0 / n_leaves,) * n_leaves
    if len(shares) != n_leaves:
        raise WorkloadError(f"workload {name}: {len(shares)} leaf shares for {n_leaves} leaves")
    source = origin.leaf_shares_source if origin.leaf_shares else "assumed: uniform"
    return ir.Workload(
        name=name,
        description=origin.description,
        source=origin.source,
        leaf_shares=shares,
        leaf_shares_source=source,
        program=trace_tree(tree, input_shape),
    )
