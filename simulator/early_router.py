"""Puts an early guess of each decision into a network: a clone of its router, some blocks earlier.

The clone reads an earlier state of the network and says only which arm to speculate on; the
decision stays the router's. Its layers run, and cost, like any other.
"""

from __future__ import annotations

from math import prod

from simulator.errors import UserError
from simulator.ir import (
    ELEMENTWISE_OPS,
    Branch,
    Layer,
    Op,
    Program,
    Segment,
    Step,
    Tensor,
    TensorKind,
    WeightBlock,
)

PREFIX = "early."
"""Of the names of cloned segments, layers and weights."""


def is_early(segment: str) -> bool:
    """Whether a segment is the clone of a router."""
    return segment.startswith(PREFIX)


def with_early_routers(program: Program, blocks: int) -> Program:
    """The program with a clone of every router, that many blocks before the original.

    A block ends where one tensor is all that its segment still needs, but for what the branch
    needs anyway. Where the segment before a branch has fewer blocks, the clone comes after the
    first; a branch without a segment before it gets none.

    Raises:
        UserError: a router that cannot read an earlier state.
    """
    return program.model_copy(update={"steps": _with_early(program.steps, frozenset(), blocks)})


def _with_early(
    steps: tuple[Step, ...], read_after: frozenset[str], blocks: int
) -> tuple[Step, ...]:
    """The steps with clones; `read_after` are the tensors that what follows them reads."""
    found: list[Step] = []
    for step in reversed(steps):
        if isinstance(step, Segment):
            following = found[0] if found else None
            if isinstance(following, Branch):
                found[0:0] = _split(step, following.router, read_after, blocks)
            else:
                found.insert(0, step)
            read_after |= _reads(step.layers)
            continue
        arms = tuple(
            arm.model_copy(update={"steps": _with_early(arm.steps, read_after, blocks)})
            for arm in step.arms
        )
        found.insert(0, step.model_copy(update={"arms": arms}))
        for segment in (step.router, *(s for arm in step.arms for s in arm.segments())):
            read_after |= _reads(segment.layers)
    return tuple(found)


def _reads(layers: tuple[Layer, ...]) -> frozenset[str]:
    return frozenset(tensor.name for layer in layers for tensor in layer.ifmaps)


def _split(
    segment: Segment, router: Segment, read_after: frozenset[str], blocks: int
) -> list[Segment]:
    """The segment cut in two, the clone in between."""
    seen = router.layers[0].ifmaps[0]
    ends = [i for i in _block_ends(segment, read_after) if _is_like(segment.layers[i].ofmap, seen)]
    if not ends:
        return [segment]
    cut = ends[max(len(ends) - 1 - blocks, 0)] + 1
    parts = [
        segment.model_copy(update={"layers": segment.layers[:cut]}),
        _clone(router, seen, segment.layers[cut - 1].ofmap),
    ]
    if segment.layers[cut:]:
        parts.append(segment.model_copy(update={"layers": segment.layers[cut:]}))
    return parts


def _is_like(state: Tensor, seen: Tensor) -> bool:
    """Whether a router could read a tensor in place of another."""
    return state.kind is TensorKind.ACTIVATION and len(state.shape) == len(seen.shape)


def _block_ends(segment: Segment, read_after: frozenset[str]) -> list[int]:
    """Layers after which their output is all that the rest of the segment needs."""
    layers = segment.layers
    ends = []
    for i, layer in enumerate(layers):
        written = {before.ofmap.name for before in layers[:i]}
        if (_reads(layers[i + 1 :]) & written) - read_after - {layer.ofmap.name}:
            continue
        if i + 1 == len(layers) or layers[i + 1].op not in ELEMENTWISE_OPS:
            ends.append(i)
    return ends


def _clone(router: Segment, seen: Tensor, state: Tensor) -> Segment:
    """The router's layers, reading `state` where the original reads `seen`."""
    tensors = {seen.name: state}
    layers = []
    for layer in router.layers:
        ifmaps = tuple(tensors.get(tensor.name, tensor) for tensor in layer.ifmaps)
        clone = _resized(layer, ifmaps)
        tensors[layer.ofmap.name] = clone.ofmap
        layers.append(clone)
    return Segment(name=f"{PREFIX}{router.name}", layers=tuple(layers))


def _resized(layer: Layer, ifmaps: tuple[Tensor, ...]) -> Layer:
    """One cloned layer; pooling and projection follow the number of channels and pixels."""
    dims, shape = layer.dims, layer.ofmap.shape
    weights = tuple(
        block.model_copy(update={"name": PREFIX + block.name}) for block in layer.weights
    )
    if [t.shape for t in ifmaps] != [t.shape for t in layer.ifmaps]:
        if layer.op is Op.ADAPTIVE_AVG_POOL:
            n, channels, *pixels = ifmaps[0].shape
            dims = dims.model_copy(update={"k": channels, "c": channels, "r": prod(pixels)})
            shape = (n, channels, *shape[2:])
        elif layer.op is Op.LINEAR:
            matrix = dims.k * dims.c
            channels = ifmaps[0].elements // (dims.n * dims.p)
            dims = dims.model_copy(update={"c": channels})
            weights = _refitted(weights, dims.k * channels - matrix)
        else:
            raise UserError(
                f"--policy early_router: layer {layer.name} ({layer.op.value}) cannot read a "
                f"tensor of shape {ifmaps[0].shape}; choose fewer --early-blocks"
            )
    return Layer(
        name=PREFIX + layer.name,
        op=layer.op,
        dims=dims,
        ifmaps=ifmaps,
        ofmap=Tensor(
            name=PREFIX + layer.ofmap.name,
            shape=shape,
            kind=layer.ofmap.kind,
            bits=layer.ofmap.bits,
        ),
        weights=weights,
    )


def _refitted(weights: tuple[WeightBlock, ...], more: int) -> tuple[WeightBlock, ...]:
    """The block of the matrix, which is the largest, gets the size of its new input."""
    matrix = max(weights, key=lambda block: block.params)
    grown = matrix.model_copy(update={"params": matrix.params + more})
    return tuple(grown if block is matrix else block for block in weights)
