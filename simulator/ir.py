"""The intermediate representation of a network whose control flow depends on its input.

A `Program` is a sequence of steps; a step is a straight-line `Segment` or a `Branch`, whose
router decides at run time which arm (itself a program) runs. A dense network is one segment.
Everything the cost models need is here; weights' values and arithmetic are not.

All types are frozen and valid by construction: an inconsistent layer, a tensor read before it
is written or a repeated layer name cannot be built.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from functools import cached_property
from math import prod
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

Count = Annotated[int, Field(ge=1, le=2**40, strict=True)]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_.:/\-]+$")]


class Op(StrEnum):
    """What a layer computes. The tracer maps every framework operator to one of these."""

    CONV2D = "conv2d"
    LINEAR = "linear"
    MATMUL = "matmul"
    BATCH_NORM = "batch_norm"
    LAYER_NORM = "layer_norm"
    RELU = "relu"
    GELU = "gelu"
    ADD = "add"
    SUBTRACT = "subtract"
    SCALE = "scale"
    MAX_POOL = "max_pool"
    AVG_POOL = "avg_pool"
    ADAPTIVE_AVG_POOL = "adaptive_avg_pool"
    MAX_REDUCE = "max_reduce"
    MEAN_REDUCE = "mean_reduce"
    SOFTMAX = "softmax"
    ARGMAX = "argmax"
    CONCAT = "concat"
    COPY = "copy"
    GATHER = "gather"
    FARTHEST_POINT_SAMPLE = "farthest_point_sample"
    BALL_QUERY = "ball_query"


MAC_OPS = frozenset({Op.CONV2D, Op.LINEAR, Op.MATMUL})
"""Ops that run on the PE array; all others run on the vector unit."""

ELEMENTWISE_OPS = frozenset({Op.BATCH_NORM, Op.RELU, Op.GELU, Op.ADD, Op.SUBTRACT, Op.SCALE})
"""Ops whose output element depends on one element of each input: fusable after a MAC layer."""


POOLING_OPS = frozenset({Op.MAX_POOL, Op.AVG_POOL, Op.ADAPTIVE_AVG_POOL})
"""Ops that reduce a window of each channel to one value."""


class Frozen(BaseModel):
    """Immutable value with no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TensorKind(StrEnum):
    """What the values are, which decides their width: activations or indices of points."""

    ACTIVATION = "activation"
    INDEX = "index"


def _check_format(name: str, bits: int | None, floating: bool) -> None:
    if floating and bits not in (16, 32):
        raise ValueError(f"{name}: floating point with bits {bits}: must be 16 or 32")


class Tensor(Frozen):
    """A named activation (or index) array; shape in elements, batch first, NCHW for images.

    `bits` overrides the accelerator's precision for its kind, and `floating` says that these are
    16 or 32 bits of floating point; a file leaves out what overrides nothing.
    """

    name: Name
    shape: tuple[Count, ...]
    kind: TensorKind = TensorKind.ACTIVATION
    bits: Literal[4, 6, 8, 16, 32] | None = None
    floating: bool = False

    @cached_property
    def elements(self) -> int:
        """Number of values."""
        return prod(self.shape)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _check_format(self.name, self.bits, self.floating)
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = fields(self)
        if self.bits is None:
            data.pop("bits", None)
        if not self.floating:
            data.pop("floating", None)
        return data


class WeightBlock(Frozen):
    """Parameters stored and moved as one unit: of placement, DRAM layout and prefetch.

    Blocks are identified by name: two layers naming the same block share its storage, which
    must then have the same size. `bits` overrides the accelerator's weight precision; `floating`
    says that these are 16 or 32 bits of floating point.
    """

    name: Name
    params: Count
    bits: Literal[4, 6, 8, 16, 32] | None = None
    floating: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _check_format(self.name, self.bits, self.floating)
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = fields(self)
        if not self.floating:
            data.pop("floating", None)
        return data


class Dims(Frozen):
    """Loop bounds of a layer, in the field's letters.

    n batch, k output channels, c input channels, p x q output rows x columns, r x s filter
    rows x columns, groups, stride (rows, columns). MAC layers perform n*k*(c/groups)*p*q*r*s
    multiply-accumulates. For LINEAR and MATMUL, p counts the tokens (rows of the left matrix).
    For pooling, r x s is the window. For FARTHEST_POINT_SAMPLE and BALL_QUERY, p counts the
    centroids, r the points scanned for each, c the coordinates, k the neighbours kept.
    """

    n: Count = 1
    k: Count = 1
    c: Count = 1
    p: Count = 1
    q: Count = 1
    r: Count = 1
    s: Count = 1
    groups: Count = 1
    stride: tuple[Count, Count] = (1, 1)


class Layer(Frozen):
    """One operator: what it computes, on which tensors, with which weights."""

    name: Name
    op: Op
    dims: Dims
    ifmaps: tuple[Tensor, ...] = Field(min_length=1)
    ofmap: Tensor
    weights: tuple[WeightBlock, ...] = ()

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates on the PE array; 0 for vector layers."""
        if self.op not in MAC_OPS:
            return 0
        d = self.dims
        return d.n * d.k * (d.c // d.groups) * d.p * d.q * d.r * d.s

    @cached_property
    def params(self) -> int:
        """Parameters the layer reads (shared blocks count in every layer that reads them)."""
        return sum(w.params for w in self.weights)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        d = self.dims
        if d.c % d.groups or d.k % d.groups:
            raise ValueError(
                f"layer {self.name}: groups {d.groups} must divide c {d.c} and k {d.k}"
            )
        if self.op in MAC_OPS:
            outputs = d.n * d.k * d.p * d.q
            if self.ofmap.elements != outputs:
                raise ValueError(
                    f"layer {self.name}: ofmap has {self.ofmap.elements} elements, its dims say "
                    f"n*k*p*q = {outputs}"
                )
            least = d.k * (d.c // d.groups) * d.r * d.s
            if self.op is not Op.MATMUL and self.params < least:
                raise ValueError(
                    f"layer {self.name}: weights hold {self.params} parameters, its dims need "
                    f"at least k*(c/groups)*r*s = {least}"
                )
        elif self.op in ELEMENTWISE_OPS and self.op is not Op.SUBTRACT:
            for ifmap in self.ifmaps:
                if ifmap.elements > self.ofmap.elements:
                    raise ValueError(
                        f"layer {self.name}: element-wise, but ifmap {ifmap.name} has "
                        f"{ifmap.elements} elements and the ofmap {self.ofmap.elements}"
                    )
        return self


class Segment(Frozen):
    """Straight-line code: layers in execution order."""

    type: Literal["segment"] = "segment"
    name: Name
    layers: tuple[Layer, ...] = Field(min_length=1)


class Branch(Frozen):
    """A run-time decision: the router runs, its argmax picks one arm, only that arm runs."""

    type: Literal["branch"] = "branch"
    name: Name
    router: Segment
    arms: tuple[Program, ...] = Field(min_length=2)


Step = Annotated[Segment | Branch, Field(discriminator="type")]


class Program(Frozen):
    """A network: steps in execution order, reading the named input tensors."""

    inputs: tuple[Tensor, ...] = ()
    steps: tuple[Step, ...] = Field(min_length=1)

    def segments(self) -> Iterator[Segment]:
        """Every segment of the whole tree, depth first, routers before their arms."""
        for step in self.steps:
            if isinstance(step, Segment):
                yield step
            else:
                yield step.router
                for arm in step.arms:
                    yield from arm.segments()

    def layers(self) -> Iterator[Layer]:
        """Every layer of the whole tree, depth first."""
        for segment in self.segments():
            yield from segment.layers


class Route(Frozen):
    """The arm taken at each branch met, in execution order, and what the router said.

    `probabilities`, where known, holds one distribution over the arms per branch met.
    """

    arms: tuple[Annotated[int, Field(ge=0, strict=True)], ...]
    probabilities: tuple[tuple[float, ...], ...] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.probabilities is None:
            return self
        if len(self.probabilities) != len(self.arms):
            raise ValueError(
                f"{len(self.arms)} arms but {len(self.probabilities)} router distributions"
            )
        for arm, distribution in zip(self.arms, self.probabilities, strict=True):
            if arm >= len(distribution) or any(not 0.0 <= p <= 1.0 for p in distribution):
                raise ValueError(f"router distribution {distribution} does not cover arm {arm}")
            if abs(sum(distribution) - 1.0) > 1e-3:
                raise ValueError(f"router distribution {distribution} does not sum to 1")
        return self


class Workload(Frozen):
    """A program with what is needed to use it: its name, its leaves' shares and its origin.

    `leaf_shares` gives the fraction of inputs that end in each leaf, leaves in depth-first
    order, with `leaf_shares_source` saying where the numbers come from.
    """

    name: Name
    description: str
    source: str
    leaf_shares: tuple[Annotated[float, Field(ge=0, le=1)], ...] = (1.0,)
    leaf_shares_source: str = "a single path"
    program: Program

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_program(self.program)
        n_leaves = len(leaf_routes(self.program))
        if len(self.leaf_shares) != n_leaves:
            raise ValueError(f"{len(self.leaf_shares)} leaf_shares for {n_leaves} leaves")
        if abs(sum(self.leaf_shares) - 1.0) > 0.01:
            raise ValueError(f"leaf_shares sum to {sum(self.leaf_shares):g}, not 1")
        return self


def leaf_routes(program: Program) -> list[tuple[int, ...]]:
    """Every possible route as its arms, in depth-first order: one per leaf of the tree."""
    routes: list[tuple[int, ...]] = [()]
    for step in program.steps:
        if isinstance(step, Branch):
            tails = [
                (index, *tail) for index, arm in enumerate(step.arms) for tail in leaf_routes(arm)
            ]
            routes = [head + tail for head in routes for tail in tails]
    return routes


def check_program(program: Program) -> None:
    """Raise ValueError unless every path reads only tensors written before, consistently.

    Layer names are unique over the tree; a weight block has one size wherever it is named;
    on each path a tensor is written once and read with the shape it was written with.
    """
    seen_layers: set[str] = set()
    block_params: dict[str, tuple[int, int | None, bool]] = {}
    for layer in program.layers():
        if layer.name in seen_layers:
            raise ValueError(f"layer name {layer.name} is used twice")
        seen_layers.add(layer.name)
        for block in layer.weights:
            mine = (block.params, block.bits, block.floating)
            if block_params.setdefault(block.name, mine) != mine:
                raise ValueError(f"weight block {block.name} is named with two sizes or widths")
    _check_steps(program.steps, {t.name: t for t in program.inputs})


def _check_steps(steps: tuple[Step, ...], written: dict[str, Tensor]) -> dict[str, Tensor]:
    """Walk the steps from the tensors written so far; return those written on every path."""
    written = dict(written)
    for step in steps:
        if isinstance(step, Segment):
            _check_layers(step, written)
            continue
        _check_layers(step.router, written)
        after = [_check_steps(arm.steps, written) for arm in step.arms]
        shared = set.intersection(*(set(tensors) for tensors in after))
        for name in sorted(shared - set(written)):
            written_as = [tensors[name] for tensors in after]
            if len({(tensor.shape, tensor.bits, tensor.floating) for tensor in written_as}) > 1:
                raise ValueError(
                    f"the arms of {step.name} write {name} with different shapes or widths"
                )
            written[name] = after[0][name]
    return written


def _check_layers(segment: Segment, written: dict[str, Tensor]) -> None:
    for layer in segment.layers:
        for ifmap in layer.ifmaps:
            source = written.get(ifmap.name)
            if source is None:
                raise ValueError(f"layer {layer.name} reads {ifmap.name}, which nothing wrote")
            if source.elements != ifmap.elements:
                raise ValueError(
                    f"layer {layer.name} reads {ifmap.name} as {ifmap.shape}, it was written "
                    f"as {source.shape}"
                )
            if (source.bits, source.floating) != (ifmap.bits, ifmap.floating):
                raise ValueError(
                    f"layer {layer.name} reads {ifmap.name} with bits {ifmap.bits}, it was written "
                    f"with bits {source.bits}, or the one as floating point and not the other"
                )
        if layer.ofmap.name in written:
            raise ValueError(f"layer {layer.name} writes {layer.ofmap.name} a second time")
        written[layer.ofmap.name] = layer.ofmap


Branch.model_rebuild()
Program.model_rebuild()
