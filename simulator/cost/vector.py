"""Vector unit work of a layer: lane-operations for time, elementary operations for energy."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from simulator.ir import ELEMENTWISE_OPS, Layer, Op


def _per_output(ops: int) -> Callable[[Layer], int]:
    return lambda layer: ops * layer.ofmap.elements


def _per_input(ops: int) -> Callable[[Layer], int]:
    return lambda layer: ops * layer.ifmaps[0].elements


def _window(layer: Layer) -> int:
    return layer.ofmap.elements * layer.dims.r * layer.dims.s


def _sampling(layer: Layer) -> int:
    """Distances to every scanned point, and two comparisons each.

    Per centroid and point: c subtractions, c multiplications, c - 1 additions; then the
    nearest-distance update and running maximum, or the radius test and count.
    """
    d = layer.dims
    return d.n * d.p * d.r * (3 * d.c + 1)


OPERATIONS: dict[Op, Callable[[Layer], int]] = {
    Op.BATCH_NORM: _per_output(2),
    Op.LAYER_NORM: _per_output(5),
    Op.RELU: _per_output(1),
    Op.GELU: _per_output(4),
    Op.ADD: _per_output(1),
    Op.SUBTRACT: _per_output(1),
    Op.SCALE: _per_output(1),
    Op.MAX_POOL: _window,
    Op.AVG_POOL: _window,
    Op.ADAPTIVE_AVG_POOL: _per_input(1),
    Op.MAX_REDUCE: _per_input(1),
    Op.MEAN_REDUCE: _per_input(1),
    Op.SOFTMAX: _per_input(4),
    Op.ARGMAX: _per_input(1),
    Op.CONCAT: _per_output(1),
    Op.COPY: _per_output(1),
    Op.GATHER: _per_output(1),
    Op.FARTHEST_POINT_SAMPLE: _sampling,
    Op.BALL_QUERY: _sampling,
}
"""Elementary operations (add, multiply, compare, move; a table look-up for GELU and exp) per
layer. Layer norm: sum, sum of squares, subtract, scale, shift. Softmax: maximum, exponential,
sum, scale. GELU: look-up, difference, multiply, add (piecewise linear)."""


@lru_cache(maxsize=4096)
def operations(layer: Layer) -> int:
    """Elementary vector operations of a layer; 0 for a layer of the PE array."""
    counter = OPERATIONS.get(layer.op)
    return counter(layer) if counter else 0


def lane_operations(layers: tuple[Layer, ...]) -> int:
    """Lane-cycles of a chain of layers on the vector unit.

    A chain of element-wise layers is one pass: scale, add and activation are stages of one
    pipeline, one element per lane and cycle (NVDLA's SDP works this way). Any other layer
    takes one lane-cycle per elementary operation.
    """
    total = 0
    in_chain = False
    for layer in layers:
        if layer.op in ELEMENTWISE_OPS:
            if not in_chain:
                total += layer.ofmap.elements
            in_chain = True
        else:
            total += operations(layer)
            in_chain = False
    return total
