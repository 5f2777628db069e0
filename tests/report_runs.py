"""Runs for the tests of reports, simulated once: a shipped workload and small hand-made ones."""

from functools import cache
from math import prod
from pathlib import Path

from simulator.ir import (
    Branch,
    Dims,
    Layer,
    Op,
    Program,
    Route,
    Segment,
    Tensor,
    TensorKind,
    WeightBlock,
    Workload,
)
from simulator.mapping.placement import Placement
from simulator.policy import Policy
from simulator.program_file import workload_from_json
from simulator.simulation import RunResult, run_workload
from simulator.spec import AcceleratorSpec
from simulator.spec_file import Override, load_spec

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("sigmab", "tree", "oracle", "pinned", "dense")


def small_npu(capacity_kib: int = 64, clock_hz: int = 10**9, **dram: float) -> AcceleratorSpec:
    """The shipped edge NPU, smaller and with round numbers."""
    fields: dict[str, float | None] = {
        "dram.device": None,
        "pe_array.rows": 16,
        "pe_array.cols": 16,
        "pe_array.clock_hz": clock_hz,
        "vector_unit.lanes": 16,
        "scratchpad.capacity_kib": capacity_kib,
        "scratchpad.banks": 4,
        "scratchpad.bank_bytes_per_cycle": 64,
        "dma.outstanding_requests": 1024,
        "dram.peak_bytes_per_s": 8 * 10**9,
        "dram.efficiency_fraction": 1,
        "dram.burst_bytes": 32,
        "energy.dram_read_pj_per_byte": 64,
        "energy.dram_write_pj_per_byte": 64,
        "energy.dram_static_w": 0.036,
        **{f"dram.{name}": value for name, value in dram.items()},
    }
    overrides = [Override(name, value) for name, value in fields.items()]
    return load_spec(ROOT / "accelerator_specs" / "edge_npu.yaml", overrides)


@cache
def run_named(name: str) -> RunResult:
    """One of NAMES: each exercises a different part of the figures."""
    three = [(0,), (1,), (1,)]
    match name:
        case "tree":
            return _run(tree_workload(), three, small_npu(8))
        case "oracle":
            return _run(tree_workload(), three, small_npu(32), policy=Policy.ORACLE)
        case "pinned":
            return _run(tree_workload(), three, small_npu(64), placement=Placement.KEEP_ALL)
        case "dense":
            # A clock whose cycles are no whole number of nanoseconds.
            return _run(dense_workload(), [()], small_npu(12, clock_hz=7 * 10**8))
        case _:
            return _run(sigmab_workload(), [(0, 1)], small_npu(512))


def _run(
    workload: Workload,
    routes: list[tuple[int, ...]],
    spec: AcceleratorSpec,
    policy: Policy = Policy.ON_DEMAND,
    placement: Placement = Placement.STREAM,
) -> RunResult:
    taken = [Route(arms=arms) for arms in routes]
    return run_workload(workload, spec, policy, taken, None, placement)


def sigmab_workload() -> Workload:
    """The smallest SigmaB-Net that is shipped."""
    path = ROOT / "workloads" / "programs" / "sigmab_pointnet2.json"
    return workload_from_json(path.read_text(encoding="utf-8"), str(path))


def tree_workload() -> Workload:
    """Two convolutions, then one of two classifiers of different width."""
    image = Tensor(name="input", shape=(1, 8, 16, 16))
    trunk = [_conv("trunk.conv1", image, 16)]
    trunk.append(_conv("trunk.conv2", trunk[-1].ofmap, 32, stride=2))
    trunk.append(_pool("trunk.pool", trunk[-1].ofmap))
    features = trunk[-1].ofmap
    scores = _linear("router.linear", features, 2)
    arms = []
    for index, width in enumerate((64, 256)):
        wide = _linear(f"arm{index}.wide", features, width)
        narrow = _linear(f"arm{index}.narrow", wide.ofmap, 10)
        arms.append(Program(steps=(Segment(name=f"arm{index}", layers=(wide, narrow)),)))
    router = Segment(name="router", layers=(scores, _argmax("router.argmax", scores.ofmap)))
    steps = (
        Segment(name="trunk", layers=tuple(trunk)),
        Branch(name="gate", router=router, arms=tuple(arms)),
    )
    return _workload("tree", Program(inputs=(image,), steps=steps), (0.5, 0.5))


def dense_workload() -> Workload:
    """Convolutions whose activations do not fit a small scratchpad."""
    image = Tensor(name="input", shape=(1, 8, 16, 16))
    layers = [_conv("conv1", image, 32)]
    layers.append(_conv("conv2", layers[-1].ofmap, 32))
    layers.append(_pool("pool", layers[-1].ofmap))
    layers.append(_linear("fc", layers[-1].ofmap, 10))
    segment = Segment(name="network", layers=tuple(layers))
    return _workload("dense", Program(inputs=(image,), steps=(segment,)), (1.0,))


def _workload(name: str, program: Program, leaf_shares: tuple[float, ...]) -> Workload:
    return Workload(
        name=name,
        description="a test network",
        source="written by hand",
        leaf_shares=leaf_shares,
        program=program,
    )


def _conv(name: str, x: Tensor, k: int, stride: int = 1) -> Layer:
    """3 x 3, padded."""
    n, c, height, width = x.shape
    p, q = -(-height // stride), -(-width // stride)
    return Layer(
        name=name,
        op=Op.CONV2D,
        dims=Dims(n=n, k=k, c=c, p=p, q=q, r=3, s=3, stride=(stride, stride)),
        ifmaps=(x,),
        ofmap=Tensor(name=name, shape=(n, k, p, q)),
        weights=(WeightBlock(name=f"{name}.weight", params=9 * k * c),),
    )


def _pool(name: str, x: Tensor) -> Layer:
    c = x.shape[1]
    return Layer(
        name=name,
        op=Op.ADAPTIVE_AVG_POOL,
        dims=Dims(k=c, c=c, r=prod(x.shape[2:])),
        ifmaps=(x,),
        ofmap=Tensor(name=name, shape=(1, c)),
    )


def _linear(name: str, x: Tensor, k: int) -> Layer:
    c = prod(x.shape[1:])
    return Layer(
        name=name,
        op=Op.LINEAR,
        dims=Dims(k=k, c=c),
        ifmaps=(x,),
        ofmap=Tensor(name=name, shape=(1, k)),
        weights=(WeightBlock(name=f"{name}.weight", params=k * c),),
    )


def _argmax(name: str, x: Tensor) -> Layer:
    return Layer(
        name=name,
        op=Op.ARGMAX,
        dims=Dims(r=x.elements),
        ifmaps=(x,),
        ofmap=Tensor(name=name, shape=(1,), kind=TensorKind.INDEX),
    )
