"""Writes small networks layer by layer, for tests that need a program of a known shape."""

from __future__ import annotations

from math import prod

from simulator.ir import (
    Branch,
    Dims,
    Layer,
    Op,
    Program,
    Segment,
    Step,
    Tensor,
    TensorKind,
    WeightBlock,
    Workload,
)


def tensor(name: str, *shape: int, kind: TensorKind = TensorKind.ACTIVATION) -> Tensor:
    return Tensor(name=name, shape=shape, kind=kind)


class Net:
    """Straight-line code under one name; every method adds a layer and returns what it writes.

    `into` names the written tensor where the arms of a branch must write the same one.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.layers: list[Layer] = []

    def conv(
        self,
        x: Tensor,
        k: int,
        r: int = 1,
        stride: int = 1,
        groups: int = 1,
        pad: int | None = None,
    ) -> Tensor:
        n, c, height, width = x.shape
        pad = (r - 1) // 2 if pad is None else pad
        p, q = ((side + 2 * pad - r) // stride + 1 for side in (height, width))
        dims = Dims(n=n, k=k, c=c, p=p, q=q, r=r, s=r, groups=groups, stride=(stride, stride))
        return self._add(Op.CONV2D, dims, (x,), (n, k, p, q), params=k * (c // groups) * r * r)

    def linear(self, x: Tensor, k: int, bias: bool = True, into: str = "") -> Tensor:
        n, c = x.shape[0], prod(x.shape[1:])
        params = k * c + (k if bias else 0)
        return self._add(Op.LINEAR, Dims(n=n, k=k, c=c), (x,), (n, k), params=params, into=into)

    def tokens_linear(self, x: Tensor, k: int) -> Tensor:
        """The same matrix applied to every token of (batch, tokens, channels)."""
        n, p, c = x.shape
        return self._add(Op.LINEAR, Dims(n=n, k=k, c=c, p=p), (x,), (n, p, k), params=k * c)

    def batch_norm(self, x: Tensor) -> Tensor:
        return self._add(Op.BATCH_NORM, self._same(x), (x,), x.shape, params=2 * x.shape[1])

    def relu(self, x: Tensor, into: str = "") -> Tensor:
        return self._add(Op.RELU, self._same(x), (x,), x.shape, into=into)

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        return self._add(Op.ADD, self._same(x), (x, y), x.shape)

    def copy(self, x: Tensor, into: str = "") -> Tensor:
        return self._add(Op.COPY, self._same(x), (x,), x.shape, into=into)

    def max_pool(self, x: Tensor, r: int, stride: int) -> Tensor:
        n, c, height, width = x.shape
        p, q = ((side - r) // stride + 1 for side in (height, width))
        dims = Dims(n=n, k=c, c=c, p=p, q=q, r=r, s=r, stride=(stride, stride))
        return self._add(Op.MAX_POOL, dims, (x,), (n, c, p, q))

    def average(self, x: Tensor) -> Tensor:
        """Global average pooling to (batch, channels)."""
        n, c = x.shape[:2]
        dims = Dims(n=n, k=c, c=c, r=prod(x.shape[2:]))
        return self._add(Op.ADAPTIVE_AVG_POOL, dims, (x,), (n, c))

    def softmax(self, x: Tensor) -> Tensor:
        return self._add(Op.SOFTMAX, self._same(x), (x,), x.shape)

    def argmax(self, x: Tensor) -> Tensor:
        dims = Dims(r=prod(x.shape))
        return self._add(Op.ARGMAX, dims, (x,), (1,), kind=TensorKind.INDEX)

    def sample(self, points: Tensor, centroids: int) -> Tensor:
        """Farthest-point sampling of (batch, coordinates, points)."""
        n, c, r = points.shape
        dims = Dims(n=n, c=c, p=centroids, r=r)
        shape = (n, centroids)
        return self._add(Op.FARTHEST_POINT_SAMPLE, dims, (points,), shape, kind=TensorKind.INDEX)

    def gather(self, points: Tensor, index: Tensor) -> Tensor:
        n, c, _ = points.shape
        dims = Dims(n=n, k=c, c=c, p=index.elements)
        return self._add(Op.GATHER, dims, (points, index), (n, c, index.elements))

    def segment(self) -> Segment:
        return Segment(name=self.name, layers=tuple(self.layers))

    def _same(self, x: Tensor) -> Dims:
        n, c, *rest = (*x.shape, 1, 1)
        return Dims(n=n, k=c, c=c, p=rest[0], q=prod(rest[1:]))

    def _add(
        self,
        op: Op,
        dims: Dims,
        ifmaps: tuple[Tensor, ...],
        shape: tuple[int, ...],
        *,
        params: int = 0,
        into: str = "",
        kind: TensorKind = TensorKind.ACTIVATION,
    ) -> Tensor:
        name = f"{self.name}.{len(self.layers)}.{op.value}"
        weights = (WeightBlock(name=f"{name}.weight", params=params),) if params else ()
        ofmap = Tensor(name=into or name, shape=shape, kind=kind)
        self.layers.append(
            Layer(name=name, op=op, dims=dims, ifmaps=ifmaps, ofmap=ofmap, weights=weights)
        )
        return ofmap


def router(name: str, x: Tensor, n_arms: int) -> Segment:
    """Average, one linear layer, argmax."""
    net = Net(name)
    net.argmax(net.linear(net.average(x), n_arms))
    return net.segment()


def branch(name: str, x: Tensor, arms: list[Program]) -> Branch:
    return Branch(name=name, router=router(f"{name}.router", x, len(arms)), arms=tuple(arms))


def program(*steps: Step | Net, inputs: tuple[Tensor, ...] = ()) -> Program:
    done = tuple(step.segment() if isinstance(step, Net) else step for step in steps)
    return Program(inputs=inputs, steps=done)


def workload(prog: Program, *leaf_shares: float) -> Workload:
    return Workload(
        name="test",
        description="a test network",
        source="written by hand",
        leaf_shares=leaf_shares or (1.0,),
        program=prog,
    )
