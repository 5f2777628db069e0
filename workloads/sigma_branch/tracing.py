"""A tree as a program: one branch per router, with every arm traced."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from simulator import ir
from workloads.sigma_branch.tree import SigmaBTree
from workloads.trace import Tracer, meta_copy


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
