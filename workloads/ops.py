"""The table from framework operators to layers: one small function per kind of operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from torch import Tensor, nn

from simulator.ir import Dims, Op

ADAPTIVE_POOLS = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)


@dataclass(frozen=True)
class Call:
    """One operator call seen by the tracer.

    Attributes:
        args: positional arguments of the operator.
        out: its result; the first where it returns several.
        module: the module whose forward issued it, if any.
        weights: the arguments (by identity) that hold parameters only.
    """

    args: Sequence[Any]
    out: Tensor
    module: nn.Module | None
    weights: frozenset[int]


Draft = tuple[Op, Dims]
Handler = Callable[[Call], Draft]

ALIASES = frozenset(
    f"aten::{name}"
    for name in (
        "_reshape_alias", "_unsafe_view", "alias", "detach", "expand", "flatten", "permute",
        "reshape", "squeeze", "t", "transpose", "unflatten", "unsqueeze", "view",
    )
)  # fmt: skip
"""Operators that only rename or reindex a tensor: they cost nothing."""

SLICES = frozenset(
    f"aten::{name}"
    for name in ("chunk", "narrow", "select", "slice", "split", "split_with_sizes", "unbind")
)
"""Operators that keep a part of a tensor; the part is copied out as a layer of its own."""

WEIGHT_LAYOUT = ALIASES | SLICES | {"aten::cat", "aten::index_select", "aten::clone"}
"""Operators that assemble a weight from stored parameters: done when stored, not when run."""

NO_DATA = frozenset({"aten::empty"})
"""Operators that reserve memory and compute nothing."""


def vector_dims(out: Tensor, r: int = 1, s: int = 1, stride: tuple[int, int] = (1, 1)) -> Dims:
    """Dims of a vector layer from its output: batch, channels, rows, and all else as columns."""
    n, k, p, *rest = (*out.shape, 1, 1, 1)
    return Dims(n=n, k=k, c=k, p=p, q=prod(rest), r=r, s=s, stride=stride)


def _convolution(call: Call) -> Draft:
    x, weight, _, stride, _, _, transposed, _, groups = call.args
    if transposed or x.dim() not in (3, 4):
        raise LookupError
    out = (*call.out.shape, 1)[:4]
    r, s = (*weight.shape[2:], 1)[:2]
    dims = Dims(
        n=out[0], k=out[1], c=x.shape[1], p=out[2], q=out[3], r=r, s=s,
        groups=groups, stride=(stride[0], stride[-1]),
    )  # fmt: skip
    return Op.CONV2D, dims


def _product(left: Tensor, right: Tensor, call: Call) -> Draft:
    batch = left.shape[0] if left.dim() == 3 else 1
    op = Op.LINEAR if id(right) in call.weights else Op.MATMUL
    return op, Dims(n=batch, k=right.shape[-1], c=left.shape[-1], p=left.shape[-2])


def _matrix_product(call: Call) -> Draft:
    return _product(call.args[0], call.args[1], call)


def _matrix_product_with_bias(call: Call) -> Draft:
    return _product(call.args[1], call.args[2], call)


def _elementwise(op: Op) -> Handler:
    return lambda call: (op, vector_dims(call.out))


def _window(op: Op) -> Handler:
    def handler(call: Call) -> Draft:
        _, kernel, *rest = call.args
        stride = rest[0] if rest and rest[0] else kernel
        return op, vector_dims(call.out, kernel[0], kernel[-1], (stride[0], stride[-1]))

    return handler


def _reduction(op: Op) -> Handler:
    """A reduction: r is the number of values behind each output."""

    def handler(call: Call) -> Draft:
        pools = op is Op.MEAN_REDUCE and isinstance(call.module, ADAPTIVE_POOLS)
        behind = call.args[0].numel() // call.out.numel()
        return Op.ADAPTIVE_AVG_POOL if pools else op, vector_dims(call.out, r=behind)

    return handler


def _adaptive_pool(call: Call) -> Draft:
    x = call.args[0]
    if any(i % o for i, o in zip(x.shape[2:], call.out.shape[2:], strict=True)):
        raise LookupError
    r, s = (i // o for i, o in zip(x.shape[2:], call.out.shape[2:], strict=True))
    return Op.ADAPTIVE_AVG_POOL, vector_dims(call.out, r=r, s=s)


def _farthest_point_sample(call: Call) -> Draft:
    xyz, n_samples = call.args
    batch, coordinates, n_points = xyz.shape
    return Op.FARTHEST_POINT_SAMPLE, Dims(n=batch, c=coordinates, p=n_samples, r=n_points)


def _ball_query(call: Call) -> Draft:
    xyz, centroids, _, n_neighbours = call.args
    batch, coordinates, n_points = xyz.shape
    return Op.BALL_QUERY, Dims(
        n=batch, k=n_neighbours, c=coordinates, p=centroids.shape[2], r=n_points
    )


TABLE: dict[str, Handler] = {
    "aten::convolution": _convolution,
    "aten::addmm": _matrix_product_with_bias,
    "aten::mm": _matrix_product,
    "aten::bmm": _matrix_product,
    "aten::native_batch_norm": _elementwise(Op.BATCH_NORM),
    "aten::native_layer_norm": _elementwise(Op.LAYER_NORM),
    "aten::relu": _elementwise(Op.RELU),
    "aten::gelu": _elementwise(Op.GELU),
    "aten::add": _elementwise(Op.ADD),
    "aten::sub": _elementwise(Op.SUBTRACT),
    "aten::mul": _elementwise(Op.SCALE),
    "aten::div": _elementwise(Op.SCALE),
    "aten::_softmax": _elementwise(Op.SOFTMAX),
    "aten::_safe_softmax": _elementwise(Op.SOFTMAX),
    "aten::clone": _elementwise(Op.COPY),
    "aten::cat": _elementwise(Op.CONCAT),
    "aten::gather": _elementwise(Op.GATHER),
    "aten::index_select": _elementwise(Op.GATHER),
    "aten::max_pool2d_with_indices": _window(Op.MAX_POOL),
    "aten::avg_pool2d": _window(Op.AVG_POOL),
    "aten::_adaptive_avg_pool2d": _adaptive_pool,
    "aten::mean": _reduction(Op.MEAN_REDUCE),
    "aten::amax": _reduction(Op.MAX_REDUCE),
    "aten::max": _reduction(Op.MAX_REDUCE),
    "aten::argmax": _reduction(Op.ARGMAX),
    "points::farthest_point_sample": _farthest_point_sample,
    "points::ball_query": _ball_query,
}
"""Operator name (in-place variants without their underscore) to the layer it becomes.

A handler raises LookupError for a variant it cannot describe; the tracer reports it.
"""
