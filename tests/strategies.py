"""Random accelerators, straight-line networks and trees of branches, for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from simulator.ir import Program, Tensor, check_program
from simulator.spec import AcceleratorSpec, Dataflow
from simulator.spec_dram import DramStandard
from tests.devices import device
from tests.networks import Net, branch, program, tensor

CLOCKS_HZ = (10**9, 333 * 10**6, 7 * 10**8, 123_456_789)


@st.composite
def devices(draw: st.DrawFn, **fixed: Any) -> AcceleratorSpec:
    """Small, odd accelerators: most scratchpads are too small to keep activations on chip."""
    fields: dict[str, Any] = {
        "pe_array__rows": draw(st.sampled_from((1, 3, 8, 16, 64))),
        "pe_array__cols": draw(st.sampled_from((1, 5, 8, 16, 32))),
        "pe_array__dataflow": draw(st.sampled_from(list(Dataflow))).value,
        "pe_array__clock_hz": draw(st.sampled_from(CLOCKS_HZ)),
        "vector_unit__lanes": draw(st.sampled_from((1, 7, 16, 64))),
        "vector_unit__clock_hz": draw(st.sampled_from(CLOCKS_HZ)),
        "sequencer__branch_latency_ns": draw(st.sampled_from((0, 33.3, 100, 5000))),
        "scratchpad__capacity_kib": draw(st.sampled_from((1, 2, 3, 5, 8, 13, 32, 100, 1024))),
        "scratchpad__banks": draw(st.sampled_from((1, 2, 16))),
        "scratchpad__bank_bytes_per_cycle": draw(st.sampled_from((1, 16, 256))),
        "dma__channels": draw(st.integers(1, 4)),
        "dma__descriptor_latency_ns": draw(st.sampled_from((0, 0.5, 50, 700))),
        "dma__outstanding_requests": draw(st.sampled_from((1, 4, 64, 65536))),
        "dram__peak_bytes_per_s": draw(st.sampled_from((10**8, 10**9, 6_400_000_000, 10**11))),
        "dram__efficiency_fraction": draw(st.sampled_from((1, 0.942, 0.33))),
        "dram__burst_bytes": draw(st.sampled_from((1, 32, 64, 1000))),
        "dram__read_latency_ns": draw(st.sampled_from((0, 100, 1234.5))),
        "dram__write_latency_ns": draw(st.sampled_from((0, 100, 777))),
        "io__input_location": draw(st.sampled_from(("dram", "scratchpad"))),
        "io__output_location": draw(st.sampled_from(("dram", "scratchpad"))),
        "toolchain__layer_setup_ns": draw(st.sampled_from((0, 0, 0, 321.5))),
        "toolchain__keeps_streamed_weights": draw(st.sampled_from((True, True, False))),
        "toolchain__overlaps_transfers": draw(st.sampled_from((True, True, True, False))),
        "toolchain__tile_pixels": draw(st.sampled_from((None, None, 20))),
        "precision__weight_bits": draw(st.sampled_from((4, 8, 32))),
        "precision__activation_bits": draw(st.sampled_from((8, 16))),
    }
    standard = draw(st.sampled_from((None, None, *DramStandard)))
    if standard is not None:
        fields |= {"dram__device": standard.value, "dram__burst_bytes": None}
        fields["dram__channels"] = draw(st.sampled_from((1, 4)))
    fields |= fixed
    # With one bank a second port must be there for the DMA.
    fields["scratchpad__ports"] = (
        draw(st.sampled_from((1, 2))) if fields["scratchpad__banks"] > 1 else 2
    )
    return device(**fields)


def extend(draw: st.DrawFn, net: Net, x: Tensor, scope: list[Tensor], n_layers: int) -> Tensor:
    """Add layers that read `x` and, for residuals, anything of its shape in scope."""
    for _ in range(n_layers):
        x = _one_layer(draw, net, x, scope)
        scope.append(x)
    return x


def _one_layer(draw: st.DrawFn, net: Net, x: Tensor, scope: list[Tensor]) -> Tensor:
    residuals = [t for t in scope if t.shape == x.shape and t.name != x.name]
    choices = ["batch_norm", "relu", "softmax"] + ["add"] * (2 if residuals else 0)
    if len(x.shape) == 4:
        choices += ["conv"] * 5 + ["depthwise", "average"]
        if min(x.shape[2:]) >= 2:
            choices.append("max_pool")
    else:
        choices += ["linear"] * 3
    kind = draw(st.sampled_from(choices))
    if kind == "add":
        return net.add(x, draw(st.sampled_from(residuals)))
    if kind == "conv":
        return _conv(draw, net, x)
    if kind == "depthwise":
        return net.conv(x, x.shape[1], r=3, groups=x.shape[1])
    if kind == "max_pool":
        return net.max_pool(x, 2, draw(st.integers(1, 2)))
    if kind == "linear":
        return net.linear(x, draw(st.integers(1, 70)), bias=draw(st.booleans()))
    simple = {
        "batch_norm": net.batch_norm,
        "relu": net.relu,
        "softmax": net.softmax,
        "average": net.average,
    }
    return simple[kind](x)


def _conv(draw: st.DrawFn, net: Net, x: Tensor) -> Tensor:
    """1x1 or 3x3, padded or not, any stride, often of the width that allows a residual."""
    smallest = min(x.shape[2:])
    r = draw(st.sampled_from((1, 3) if smallest >= 3 else (1,)))
    pad = draw(st.sampled_from((0, (r - 1) // 2)))
    k = draw(st.sampled_from((x.shape[1], x.shape[1], 1, 17, 40)))
    return net.conv(x, k, r=r, stride=draw(st.integers(1, 3)), pad=pad)


def images(draw: st.DrawFn) -> Tensor:
    channels = draw(st.sampled_from((1, 3, 16, 33)))
    height, width = draw(st.integers(1, 14)), draw(st.integers(1, 14))
    return tensor("input", 1, channels, height, width)


@st.composite
def straight_programs(draw: st.DrawFn, most_layers: int = 8) -> Program:
    """One segment of convolutions, linear layers, pooling and residual additions."""
    x = images(draw)
    net = Net("net")
    extend(draw, net, x, [x], draw(st.integers(1, most_layers)))
    return _checked(program(net, inputs=(x,)))


@st.composite
def tree_programs(draw: st.DrawFn, deepest: int = 3) -> Program:
    """A trunk and nested branches whose arms differ in length; some arms join again."""
    x = images(draw)
    steps = _steps(draw, "t", x, [x], draw(st.integers(1, deepest)))
    return _checked(program(*steps, inputs=(x,)))


def _steps(draw: st.DrawFn, name: str, x: Tensor, scope: list[Tensor], depth: int) -> list[Any]:
    scope = list(scope)
    net = Net(f"{name}.trunk")
    x = extend(draw, net, x, scope, draw(st.integers(1, 4)))
    if depth == 0:
        return [net]
    joins = draw(st.booleans())
    n_arms = draw(st.integers(2, 3))
    arms = []
    for arm in range(n_arms):
        below = 0 if joins else draw(st.integers(0, depth - 1))
        steps = _steps(draw, f"{name}.{arm}", x, scope, below)
        if joins:
            steps[-1].linear(steps[-1].layers[-1].ofmap, 24, into=f"{name}.join")
        arms.append(program(*steps))
    steps = [net, branch(f"{name}.branch", x, arms)]
    if joins:
        joined = tensor(f"{name}.join", 1, 24)
        steps += _steps(draw, f"{name}.after", joined, [*scope, joined], depth - 1)
    return steps


def _checked(made: Program) -> Program:
    check_program(made)
    return made
