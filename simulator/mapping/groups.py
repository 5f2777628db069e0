"""Fuses each layer with the element-wise layers after it, and knows which tensors are live.

A `LayerGroup` is the unit of mapping: a main layer whose output passes through its epilogue
(batch norm, addition, activation) on the vector unit before it is written once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property

from simulator.early_router import is_early
from simulator.ir import (
    ELEMENTWISE_OPS,
    Branch,
    Layer,
    Op,
    Program,
    Segment,
    Step,
    Tensor,
    WeightBlock,
)


@dataclass(frozen=True)
class LayerGroup:
    """A main layer and its fused epilogue.

    Attributes:
        segment: name of the segment the group belongs to.
        main: the layer that sets the loop nest.
        epilogue: element-wise layers applied to the main layer's output, in order.
        is_decision: the group ends a router: its output steers the sequencer.
        is_guess: the group ends the clone of a router: its output steers what is fetched.
        ahead: of a decision, what each arm is sure to run: its groups up to its own decision.
    """

    segment: str
    main: Layer
    epilogue: tuple[Layer, ...] = ()
    is_decision: bool = False
    is_guess: bool = False
    ahead: tuple[tuple[LayerGroup, ...], ...] = ()

    @cached_property
    def name(self) -> str:
        """The main layer's name."""
        return self.main.name

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Main layer, then epilogue."""
        return (self.main, *self.epilogue)

    @cached_property
    def ofmap(self) -> Tensor:
        """What the group writes."""
        return self.layers[-1].ofmap

    @cached_property
    def operands(self) -> tuple[Tensor, ...]:
        """Tensors the epilogue reads besides the running value, e.g. a residual."""
        internal = {layer.ofmap.name for layer in self.layers}
        return tuple(t for e in self.epilogue for t in e.ifmaps if t.name not in internal)

    @cached_property
    def inputs(self) -> tuple[Tensor, ...]:
        """Every distinct tensor the group reads."""
        distinct = {t.name: t for t in (*self.main.ifmaps, *self.operands)}
        return tuple(distinct.values())

    @cached_property
    def weights(self) -> tuple[WeightBlock, ...]:
        """Weight blocks of all its layers."""
        return tuple(w for layer in self.layers for w in layer.weights)


@dataclass(frozen=True)
class GroupedBranch:
    """A branch whose router and arms are grouped."""

    name: str
    router: tuple[LayerGroup, ...]
    arms: tuple[tuple[GroupedStep, ...], ...]


GroupedStep = LayerGroup | GroupedBranch


@dataclass(frozen=True)
class _Fusion:
    """What decides fusing: how often each tensor is read, and whether additions fuse."""

    readers: Counter[str]
    additions: bool


def group_program(program: Program, fuses_additions: bool = True) -> tuple[GroupedStep, ...]:
    """Fuse every segment of the tree; a tensor read more than once is never fused away.

    Without `fuses_additions` an addition starts a group of its own.
    """
    readers = Counter(t.name for layer in program.layers() for t in layer.ifmaps)
    return _group_steps(program.steps, _Fusion(readers, fuses_additions))


def _group_steps(steps: tuple[Step, ...], fusion: _Fusion) -> tuple[GroupedStep, ...]:
    grouped: list[GroupedStep] = []
    for step in steps:
        if isinstance(step, Segment):
            grouped += _group_segment(step, fusion)
        else:
            grouped.append(_group_branch(step, fusion))
    return tuple(grouped)


def _group_branch(branch: Branch, fusion: _Fusion) -> GroupedBranch:
    router = _group_segment(branch.router, fusion)
    arms = tuple(_group_steps(arm.steps, fusion) for arm in branch.arms)
    ahead = tuple(_until_decision(arm) for arm in arms)
    last = router[-1]
    router[-1] = replace(last, is_decision=True, ahead=ahead)
    return GroupedBranch(branch.name, tuple(router), arms)


def _until_decision(steps: tuple[GroupedStep, ...]) -> tuple[LayerGroup, ...]:
    """The groups that run whatever is decided within the steps; a router's are the last."""
    groups: list[LayerGroup] = []
    for step in steps:
        if isinstance(step, GroupedBranch):
            return (*groups, *step.router)
        groups.append(step)
    return tuple(groups)


def _group_segment(segment: Segment, fusion: _Fusion) -> list[LayerGroup]:
    groups: list[LayerGroup] = []
    for layer in segment.layers:
        if groups and _fusable(layer, groups[-1], fusion):
            last = groups[-1]
            groups[-1] = LayerGroup(segment.name, last.main, (*last.epilogue, layer))
        else:
            groups.append(LayerGroup(segment.name, layer))
    if is_early(segment.name):
        groups[-1] = replace(groups[-1], is_guess=True)
    return groups


def _fusable(layer: Layer, group: LayerGroup, fusion: _Fusion) -> bool:
    running = group.ofmap
    return (
        layer.op in ELEMENTWISE_OPS
        and layer.op is not Op.SUBTRACT
        and (fusion.additions or layer.op is not Op.ADD)
        and running.name in {t.name for t in layer.ifmaps}
        and fusion.readers[running.name] == 1
        and layer.ofmap.elements == running.elements
    )


@dataclass(frozen=True)
class Liveness:
    """Which tensors occupy memory while a group runs, and how they may share it.

    Attributes:
        group: the group.
        through: tensors needed later that the group neither reads nor writes.
        inputs: tensors the group reads.
        ofmap: what it writes; None for a decision or guess, which goes to the sequencer alone.
        overwrites: an input the ofmap may take the place of: its last reader is this group's
            epilogue, element by element.
        is_network_output: nothing on chip reads the ofmap.
    """

    group: LayerGroup
    through: tuple[Tensor, ...]
    inputs: tuple[Tensor, ...]
    ofmap: Tensor | None
    overwrites: Tensor | None
    is_network_output: bool

    @cached_property
    def tensor_names(self) -> frozenset[str]:
        """Names of the tensors the group reads or writes."""
        return frozenset(t.name for t in (*self.inputs, self.group.ofmap))


def analyse_liveness(
    steps: tuple[GroupedStep, ...], inputs: tuple[Tensor, ...]
) -> dict[str, Liveness]:
    """Liveness of every group of the tree, by group name, in execution order.

    A tensor is live while any path from here may still read it; network inputs are live from
    the start.
    """
    found: dict[str, Liveness] = {}
    tensors = {t.name: t for t in inputs}
    groups = all_groups(steps)
    for group in groups:
        tensors.update({t.name: t for t in (*group.inputs, group.ofmap)})
    _walk_back(steps, frozenset(), tensors, found)
    return {group.name: found[group.name] for group in groups}


def all_groups(steps: tuple[GroupedStep, ...]) -> list[LayerGroup]:
    """Every group of the tree, depth first, routers before their arms."""
    groups: list[LayerGroup] = []
    for step in steps:
        if isinstance(step, LayerGroup):
            groups.append(step)
        else:
            groups += step.router
            for arm in step.arms:
                groups += all_groups(arm)
    return groups


def path_groups(steps: tuple[GroupedStep, ...], arms: list[int]) -> list[LayerGroup]:
    """The groups that run when the branches met take the given arms, which are used up."""
    path: list[LayerGroup] = []
    for step in steps:
        if isinstance(step, LayerGroup):
            path.append(step)
        else:
            path += step.router
            path += path_groups(step.arms[arms.pop(0)], arms)
    return path


def _walk_back(
    steps: tuple[GroupedStep, ...],
    live: frozenset[str],
    tensors: dict[str, Tensor],
    found: dict[str, Liveness],
) -> frozenset[str]:
    """From what is live after the steps to what is live before them."""
    for step in reversed(steps):
        if isinstance(step, GroupedBranch):
            live = frozenset().union(*(_walk_back(arm, live, tensors, found) for arm in step.arms))
            live = _walk_back(step.router, live, tensors, found)
            continue
        reads = {t.name for t in step.inputs}
        through = live - reads - {step.ofmap.name}
        steers = step.is_decision or step.is_guess
        only_decides = steers and step.ofmap.name not in live
        found[step.name] = Liveness(
            group=step,
            through=tuple(tensors[name] for name in sorted(through)),
            inputs=step.inputs,
            ofmap=None if only_decides else step.ofmap,
            overwrites=_overwritten(step, live),
            is_network_output=not steers and step.ofmap.name not in live,
        )
        live = through | reads
    return live


def _overwritten(group: LayerGroup, live_after: frozenset[str]) -> Tensor | None:
    """An input that dies here and is read element by element as the ofmap is written."""
    reread = {t.name for t in group.main.ifmaps if group.main.op not in ELEMENTWISE_OPS}
    for tensor in group.inputs:
        old, new = ((t.elements, t.kind, t.bits, t.floating) for t in (tensor, group.ofmap))
        if old == new and tensor.name not in live_after | reread:
            return tensor
    return None
