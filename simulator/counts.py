"""What a workload holds and what one input runs: parameters, MACs, FLOPs, weight bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from simulator.errors import RouteError
from simulator.ir import MAC_OPS, Branch, Layer, Op, Program, Segment, WeightBlock, leaf_routes
from simulator.units import bits_to_bytes

FVCORE_PER_OUTPUT = {Op.BATCH_NORM: 2, Op.LAYER_NORM: 5}
"""FLOPs per element that fvcore's normalisation counters charge in eval mode."""


@dataclass(frozen=True)
class SegmentCounts:
    """One segment: parameters of the distinct blocks it reads, and the bytes they occupy."""

    name: str
    is_router: bool
    params: int
    weight_bytes: int
    macs: int


@dataclass(frozen=True)
class RouteCounts:
    """What one path runs.

    Attributes:
        arms: the arm taken at each branch met.
        params_active: parameters of the distinct blocks read, routers included, as
            arXiv 2606.09924 table III counts.
        params_active_eq4: the same without the routers, as its equation 4 is written.
        macs: multiply-accumulates on the PE array.
        flops_fvcore: the paper's FLOPs (see `flops_fvcore`).
        weight_bytes: bytes of the distinct blocks read.
    """

    arms: tuple[int, ...]
    params_active: int
    params_active_eq4: int
    macs: int
    flops_fvcore: int
    weight_bytes: int


@dataclass(frozen=True)
class WorkloadCounts:
    """All counts of a program at one weight precision.

    Attributes:
        params_total: parameters of the distinct blocks of the whole tree.
        params_in_common: those of blocks that several segments read; stored once, they count
            in each of these segments.
        weight_bytes_total: bytes of the distinct blocks.
        segments: one entry per segment, depth first.
        routes: one entry per leaf, depth first.
    """

    params_total: int
    params_in_common: int
    weight_bytes_total: int
    segments: tuple[SegmentCounts, ...]
    routes: tuple[RouteCounts, ...]


def count_program(program: Program, bits: int) -> WorkloadCounts:
    """Count a program with weights of `bits` bits where a block does not say otherwise."""
    blocks = _distinct(program.layers())
    routers = {id(branch.router) for branch in _branches(program)}
    segments = []
    readers: Counter[WeightBlock] = Counter()
    for segment in program.segments():
        own = _distinct(segment.layers)
        readers.update(own)
        segments.append(
            SegmentCounts(
                name=segment.name,
                is_router=id(segment) in routers,
                params=_params(own),
                weight_bytes=_weight_bytes(own, bits),
                macs=sum(layer.macs for layer in segment.layers),
            )
        )
    return WorkloadCounts(
        params_total=_params(blocks),
        params_in_common=_params(block for block, count in readers.items() if count > 1),
        weight_bytes_total=_weight_bytes(blocks, bits),
        segments=tuple(segments),
        routes=tuple(count_route(program, arms, bits) for arms in leaf_routes(program)),
    )


def count_route(program: Program, arms: tuple[int, ...], bits: int) -> RouteCounts:
    """Count the path that takes the given arms, one per branch met.

    Raises:
        RouteError: too few or too many arms, or an arm a branch does not have.
    """
    path = list(segments_on_route(program, arms))
    layers = [layer for segment, _ in path for layer in segment.layers]
    without_routers = [
        layer for segment, is_router in path if not is_router for layer in segment.layers
    ]
    blocks = _distinct(layers)
    return RouteCounts(
        arms=arms,
        params_active=_params(blocks),
        params_active_eq4=_params(_distinct(without_routers)),
        macs=sum(layer.macs for layer in layers),
        flops_fvcore=sum(flops_fvcore(layer) for layer in layers),
        weight_bytes=_weight_bytes(blocks, bits),
    )


def segments_on_route(program: Program, arms: tuple[int, ...]) -> Iterator[tuple[Segment, bool]]:
    """The segments a route executes, in order, each with whether it is a router.

    Raises:
        RouteError: too few or too many arms, or an arm a branch does not have.
    """
    remaining = list(reversed(arms))
    yield from _follow(program, remaining)
    if remaining:
        raise RouteError(f"route {arms}: has {len(remaining)} arms more than branches are met")


def flops_fvcore(layer: Layer) -> int:
    """Operations as fvcore counts them in eval mode, a multiply-accumulate being one.

    Convolution, linear and matrix products count their MACs (not the bias), batch norm 2 and
    layer norm 5 per element, adaptive average pooling 1 per input element, all else nothing.
    """
    if layer.op in MAC_OPS:
        return layer.macs
    if layer.op is Op.ADAPTIVE_AVG_POOL:
        return layer.ifmaps[0].elements
    return FVCORE_PER_OUTPUT.get(layer.op, 0) * layer.ofmap.elements


def _follow(program: Program, remaining: list[int]) -> Iterator[tuple[Segment, bool]]:
    for step in program.steps:
        if isinstance(step, Segment):
            yield step, False
            continue
        yield step.router, True
        arm = remaining.pop() if remaining else None
        if arm is None or not 0 <= arm < len(step.arms):
            raise RouteError(
                f"route: arm {arm} at {step.name}, which has arms 0 to {len(step.arms) - 1}"
            )
        yield from _follow(step.arms[arm], remaining)


def _branches(program: Program) -> Iterator[Branch]:
    for step in program.steps:
        if isinstance(step, Branch):
            yield step
            for arm in step.arms:
                yield from _branches(arm)


def _distinct(layers: Iterable[Layer]) -> list[WeightBlock]:
    """Every block once, however many layers name it."""
    return list({block.name: block for layer in layers for block in layer.weights}.values())


def _params(blocks: Iterable[WeightBlock]) -> int:
    return sum(block.params for block in blocks)


def _weight_bytes(blocks: Iterable[WeightBlock], bits: int) -> int:
    return sum(bits_to_bytes(block.params, block.bits or bits) for block in blocks)
