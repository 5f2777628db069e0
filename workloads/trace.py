"""Traces straight pieces of a model into program segments, without weights or arithmetic.

Every operator the framework dispatches while a piece runs on the meta device becomes a layer
of `simulator.ir`. Pieces are traced one by one, so that code on either side of a run-time
decision is seen whole: the router, and every arm.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self, TypeVar

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from simulator import ir
from simulator.errors import WorkloadError
from workloads.ops import ALIASES, NO_DATA, SLICES, TABLE, WEIGHT_LAYOUT, Call

Result = TypeVar("Result")
Model = TypeVar("Model", bound=nn.Module)
NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm)


def meta_copy(model: Model) -> Model:
    """The model on the meta device, in eval mode; shared parameters stay shared."""
    memo: dict[int, Any] = {}
    for tensor in (*model.parameters(), *model.buffers()):
        empty = torch.empty_like(tensor, device="meta")
        memo[id(tensor)] = nn.Parameter(empty) if isinstance(tensor, nn.Parameter) else empty
    return copy.deepcopy(model, memo).eval()


class Tracer(TorchDispatchMode):
    """Records the layers of one model, segment by segment.

    Use as a context manager around all segments. Layers are named by module path, a tensor by
    the layer that writes it, a weight block by its state-dict key; a normalisation's scale
    and shift form one block, named by their module.

    Args:
        model: on the meta device and in eval mode (see `meta_copy`).
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._model = model
        self._names = _NameBook(model)
        self._values: dict[int, list[ir.Tensor]] = {}
        self._blocks: dict[int, tuple[ir.WeightBlock, ...]] = {
            id(p): (b,) for p, b in _weight_blocks(model)
        }
        self._buffers = {id(b) for b in model.buffers()}
        self._alive: list[torch.Tensor] = []
        self._layers: list[ir.Layer] = []
        self._problems: list[str] = []
        self._recording = False

    def __enter__(self) -> Self:
        self._names.attach()
        super().__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        self._names.detach()

    def input(self, name: str, shape: Sequence[int]) -> tuple[torch.Tensor, ir.Tensor]:
        """A network input: the meta tensor to feed, and its name in the program."""
        tensor = torch.empty(tuple(shape), device="meta")
        named = ir.Tensor(name=name, shape=tuple(shape))
        self._bind(tensor, [named])
        return tensor, named

    def segment(self, name: str, piece: Callable[[], Result]) -> tuple[Result, ir.Segment | None]:
        """Run a straight piece of the model; returns its result and its layers, None if none.

        Raises:
            WorkloadError: the piece cannot run without values, or fails on its input.
        """
        self._layers = []
        self._names.enter(name)
        with torch.no_grad():
            self._recording = True
            try:
                result = piece()
            except (RuntimeError, NotImplementedError, ValueError, TypeError) as error:
                reason = str(error).splitlines()[0]
                raise WorkloadError(
                    f"segment {name}: cannot be traced at {self._names.where()}: {reason}"
                ) from error
            finally:
                self._recording = False
        return result, ir.Segment(name=name, layers=tuple(self._layers)) if self._layers else None

    def check(self) -> None:
        """Raise one WorkloadError listing every operator met that the table does not know."""
        if self._problems:
            listed = "; ".join(dict.fromkeys(self._problems))
            raise WorkloadError(
                f"{type(self._model).__name__}: {len(self._problems)} operator calls cannot be "
                f"traced: {listed}"
            )

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if not self._recording:
            return result
        outputs = [t for t in _flat(result) if isinstance(t, torch.Tensor)]
        self._alive += outputs
        name = func._schema.name
        if name not in ALIASES:
            name = name.rstrip("_")
        inputs = [t for t in _flat((args, kwargs or {})) if isinstance(t, torch.Tensor)]
        self._record(name, args, inputs, outputs)
        return result

    def _record(
        self,
        name: str,
        args: tuple[Any, ...],
        inputs: list[torch.Tensor],
        outputs: list[torch.Tensor],
    ) -> None:
        if name in NO_DATA:
            return
        values = [t for t in inputs if id(t) in self._values]
        weights = [t for t in inputs if id(t) in self._blocks]
        if len(values) + len(weights) + sum(id(t) in self._buffers for t in inputs) < len(inputs):
            self._report(name, "reads a tensor that is no input, parameter or buffer", outputs)
        elif not values and weights and name in WEIGHT_LAYOUT:
            blocks = dict.fromkeys(b for t in weights for b in self._blocks[id(t)])
            self._blocks |= {id(out): tuple(blocks) for out in outputs}
        elif not values:
            self._report(name, "computes on weights alone", outputs)
        elif name in ALIASES or (name in SLICES and outputs[0].numel() == values[0].numel()):
            self._bind(outputs[0], self._values[id(values[0])])
        elif name in SLICES:
            for part in outputs:
                self._add_layer("aten::clone", (part,), [values[0]], [], part)
        else:
            self._add_layer(name, args, values, weights, outputs[0])

    def _add_layer(
        self,
        name: str,
        args: tuple[Any, ...],
        values: list[torch.Tensor],
        weights: list[torch.Tensor],
        out: torch.Tensor,
    ) -> None:
        module = self._names.module()
        call = Call(args, out, module, frozenset(id(t) for t in weights))
        try:
            op, dims = TABLE[name](call)
        except LookupError:
            self._report(name, "is not in the table", [out])
            return
        layer_name = self._names.fresh(op)
        kind = ir.TensorKind.ACTIVATION if out.is_floating_point() else ir.TensorKind.INDEX
        ofmap = ir.Tensor(name=layer_name, shape=tuple(out.shape), kind=kind)
        blocks = dict.fromkeys(b for t in weights for b in self._blocks[id(t)])
        layer = ir.Layer(
            name=layer_name,
            op=op,
            dims=dims,
            ifmaps=tuple(self._values[id(t)][0] for t in values),
            ofmap=ofmap,
            weights=tuple(blocks),
        )
        self._layers.append(layer)
        if id(out) in self._values:
            self._values[id(out)][0] = ofmap
        else:
            self._bind(out, [ofmap])

    def _bind(self, tensor: torch.Tensor, cell: list[ir.Tensor]) -> None:
        """Name a tensor; views share the cell, so an in-place result renames them all."""
        self._alive.append(tensor)
        self._values[id(tensor)] = cell

    def _report(self, name: str, reason: str, outputs: list[torch.Tensor]) -> None:
        """Note what cannot be traced and go on, so that all of it is found at once."""
        self._problems.append(f"{name} at {self._names.where()} ({reason})")
        for out in outputs:
            placeholder = ir.Tensor(name="unknown", shape=tuple(out.shape) or (1,))
            self._bind(out, [placeholder])


class _NameBook:
    """Knows which module is running, and gives each layer a name nobody has."""

    def __init__(self, model: nn.Module) -> None:
        self._paths: dict[int, list[str]] = {}
        self._modules = dict(model.named_modules(remove_duplicate=False))
        for path, module in self._modules.items():
            self._paths.setdefault(id(module), []).append(path)
        self._stack: list[tuple[str, nn.Module | None]] = []
        self._taken: set[str] = set()
        self._hooks: list[Any] = []

    def attach(self) -> None:
        for module in {id(m): m for m in self._modules.values()}.values():
            self._hooks.append(module.register_forward_pre_hook(self._push))
            self._hooks.append(module.register_forward_hook(self._pop))

    def detach(self) -> None:
        while self._hooks:
            self._hooks.pop().remove()

    def enter(self, segment: str) -> None:
        self._stack = [(segment, None)]

    def where(self) -> str:
        """The path of the running module, or the segment's name outside all modules."""
        return self._stack[-1][0] or "the model itself"

    def module(self) -> nn.Module | None:
        return self._stack[-1][1]

    def fresh(self, op: ir.Op) -> str:
        """A leaf module's path; elsewhere path and operator; numbered from the second on."""
        path, module = self._stack[-1]
        leaf = module is not None and next(module.children(), None) is None
        base = path if leaf and path else f"{path}.{op.value}".lstrip(".")
        name, count = base, 1
        while name in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name)
        return name

    def _push(self, module: nn.Module, _args: Any) -> None:
        """Enter a module; one that stands at several paths is named below the running one."""
        paths = self._paths[id(module)]
        running = self._stack[-1][0] if self._stack else ""
        path = next((p for p in paths if p.startswith(f"{running}.")), paths[0])
        self._stack.append((path, module))

    def _pop(self, _module: nn.Module, _args: Any, _output: Any) -> None:
        self._stack.pop()


def _weight_blocks(model: nn.Module) -> Iterator[tuple[nn.Parameter, ir.WeightBlock]]:
    """Every parameter with the block it is stored in."""
    for key, parameter in model.named_parameters():
        owner, _, _ = key.rpartition(".")
        module = model.get_submodule(owner)
        if isinstance(module, NORMS):
            params = sum(p.numel() for p in module.parameters(recurse=False))
            yield parameter, ir.WeightBlock(name=owner or key, params=params)
        else:
            yield parameter, ir.WeightBlock(name=key, params=parameter.numel())


def _flat(value: Any) -> Iterator[Any]:
    """The leaves of nested tuples, lists and dictionaries, in order."""
    if isinstance(value, tuple | list):
        for item in value:
            yield from _flat(item)
    elif isinstance(value, dict):
        yield from _flat(list(value.values()))
    else:
        yield value


def trace_dense(model: nn.Module, input_shape: Sequence[int]) -> ir.Program:
    """The program of a network without decisions: one segment.

    Raises:
        WorkloadError: an operator is unknown, or the model cannot run without values.
    """
    shadow = meta_copy(model)
    with Tracer(shadow) as tracer:
        x, named = tracer.input("input", input_shape)
        _, segment = tracer.segment("network", lambda: shadow(x))
    tracer.check()
    if segment is None:
        raise WorkloadError(f"{type(model).__name__}: computes nothing, there is no layer to trace")
    return ir.Program(inputs=(named,), steps=(segment,))
