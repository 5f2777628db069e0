"""One ResNet-50 inference of ours against peers, in one run on equal layers, by CPU seconds.

    python -m benchmarks.peers --vela PYTHON --scalesim PYTHON --zigzag PYTHON

Each peer runs in an interpreter of its own that has its package: ethos-u-vela 5.2.0 and this one's
requirements; scalesim 3.0.0 with numpy<2.4; zigzag-dse 3.9.1 with six. Times are CPU seconds of
work alone: interpreters start and import before the clock does, in ours, SCALE-Sim's and ZigZag's;
Vela is a command, of which an empty call's time is taken off.

Vela compiles the whole network for an Ethos-U65-256, which we simulate. ZigZag maps every layer
that has weights on the accelerator it ships that resembles an Edge TPU (1,024 MACs, 2 MiB for
activations, 8 bytes of DRAM a cycle); we run the whole network on edge_npu, ours of like size.
SCALE-Sim would take the better part of an hour for the network, so it runs one layer, as we do.

| | models |
|---|---|
| ours | tiling, residency, DMA and DRAM timing, compute, every stall, energy |
| Vela | tiling, scheduling and allocation; encodes weights and commands; cycles by layer |
| ZigZag | the best loop order and memory levels of each layer by a cost model, alone |
| SCALE-Sim | every operand address of a systolic array, cycle by cycle; scratchpad demand |

Ours is timed three times: by the event engine, which `run` uses; by the recurrence in its place,
which yields the same result; and in a sweep of 400 designs that differ in bandwidth and capacity,
per design, everything included but the compiling of kernels. Peers start anew for every design.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from simulator.compile import compile_program
from simulator.derive import derive_result
from simulator.fast.recurrence import replay_with_peak
from simulator.ir import MAC_OPS, Layer, Op, Program, Segment, Workload
from simulator.mapping.allocator import allocate
from simulator.policy import Policy, PolicyChoice
from simulator.program_file import workload_from_json
from simulator.result import InferenceResult
from simulator.routes import draw_routes
from simulator.simulation import run_workload
from simulator.spec import AcceleratorSpec
from simulator.spec_file import load_spec
from simulator.study.context import Context, count_routes
from simulator.study.outcome import Outcome
from simulator.study.vector import evaluate_together

ROOT = Path(__file__).parent.parent
SOME_LAYERS = ("layer4.1.conv1",)
"""What SCALE-Sim runs: the 1x1 convolution from 2048 to 512 channels, about a minute of it."""
REPEATS = 9
SIDE = 20
HEADLINE = "gaussian"
"""Of `vela_networks.Weights`, the ones that are distributed as a trained network's are."""

ZIGZAG = """
import json, logging, sys, time
from importlib.resources import files
from zigzag.api import get_hardware_performance_zigzag
logging.disable(logging.CRITICAL)
inputs = files("zigzag") / "inputs"
began = time.process_time()
get_hardware_performance_zigzag(
    json.loads(sys.argv[1]),
    str(inputs / "hardware/edge_tpu_like.yaml"),
    str(inputs / "mapping/edge_tpu_like.yaml"),
    dump_folder=sys.argv[2],
    loma_show_progress_bar=False,
)
print(time.process_time() - began)
"""
SCALESIM = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from scalesim_peer import peer_cycles
import scalesim.scale_sim
began = time.process_time()
print(peer_cycles(Path(sys.argv[2]), 32, 32, "ws"), file=sys.stderr)
print(time.process_time() - began)
"""


Inference = Callable[[Workload, AcceleratorSpec], InferenceResult]


def by_events(workload: Workload, spec: AcceleratorSpec) -> InferenceResult:
    """Plan, schedule, replay event by event and derive the result."""
    routes = draw_routes(workload, 1, 0)
    return run_workload(workload, spec, Policy.ON_DEMAND, routes).typical


def by_recurrence(workload: Workload, spec: AcceleratorSpec) -> InferenceResult:
    """The same without events, on a network that does not branch."""
    compiled = compile_program(workload.program, spec, Policy.ON_DEMAND, {(): 1})
    schedule = compiled.schedules[()]
    allocate(schedule, compiled.plans[()].residency.in_dram, spec)
    timeline, peak_bytes = replay_with_peak(schedule)
    return derive_result(timeline, (), spec, peak_bytes or 0, event_count=0)


def ours_s(workload: Workload, spec_name: str) -> dict[str, float]:
    """CPU seconds of one inference by either way: the median of nine.

    What earlier runs remember of layers is forgotten before each.
    """
    spec = load_spec(ROOT / f"accelerator_specs/{spec_name}.yaml")
    found = {}
    results = []
    ways: tuple[Inference, ...] = (by_events, by_recurrence)
    for infer in ways:
        times = []
        for _ in range(REPEATS):
            forget()
            began_s = time.process_time()
            result = infer(workload, spec)
            times.append(time.process_time() - began_s)
        results.append(replace(result, event_count=0))
        found[infer.__name__.replace("_", " ")] = sorted(times)[REPEATS // 2]
    assert results[0] == results[1], "the recurrence does not agree with the events"
    found["in a sweep"] = in_a_sweep_s(workload, spec)
    return found


def in_a_sweep_s(workload: Workload, spec: AcceleratorSpec) -> float:
    """CPU seconds per design of SIDE bandwidths times SIDE capacities, half to twice the spec's."""
    factors = np.geomspace(0.5, 2, SIDE)
    rates = (factors * spec.dram.peak_bytes_per_s).astype(int).tolist()
    unit_kib = spec.scratchpad.banks
    sizes = (factors * spec.scratchpad.capacity_kib / unit_kib).astype(int) * unit_kib
    for designs in (1, SIDE * SIDE):  # the first one loads machine code
        forget()
        context = Context(
            spec,
            (workload,),
            {workload.name: count_routes(draw_routes(workload, 1, 0))},
            PolicyChoice(Policy.ON_DEMAND),
            "stream",
        )
        began_s = time.process_time()
        points = [
            {"dram.peak_bytes_per_s": rate, "scratchpad.capacity_kib": size}
            for size in sizes.tolist()
            for rate in rates
        ]
        outcomes = evaluate_together([context.scenario(point) for point in points[:designs]])
        took_s = time.process_time() - began_s
    assert all(isinstance(outcome, Outcome) for outcome in outcomes)
    return took_s / len(outcomes)


def forget() -> None:
    """Empty every cache of the simulator's modules, machine code aside; collect what is left."""
    for name, module in list(sys.modules.items()):
        if name.startswith("simulator") and name != "simulator.fast.compiled":
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()
    gc.collect()


def dense() -> Workload:
    """ResNet-50 for ImageNet."""
    path = ROOT / "workloads/programs/dense_resnet50.json"
    return workload_from_json(path.read_text(), path.name)


def some_layers() -> list[Layer]:
    """The layers SCALE-Sim runs."""
    return [layer for layer in dense().program.layers() if layer.name in SOME_LAYERS]


def part_of(layers: Sequence[Layer]) -> Workload:
    """A network of these layers side by side, each on an input of its own."""
    inputs = tuple({t.name: t for layer in layers for t in layer.ifmaps}.values())
    segment = Segment(name="part", layers=tuple(layers))
    return dense().model_copy(update={"program": Program(inputs=inputs, steps=(segment,))})


def topology(layers: Sequence[Layer]) -> str:
    """SCALE-Sim's topology file, inputs padded as theirs are."""
    lines = ["Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, "]
    lines[0] += "Num Filter, Strides,"
    for layer in layers:
        if layer.op is not Op.CONV2D:
            raise ValueError(f"{layer.name}: not a convolution")
        d = layer.dims
        height, width = ((n - 1) * d.stride[0] + f for n, f in ((d.p, d.r), (d.q, d.s)))
        row = (layer.name, height, width, d.r, d.s, d.c, d.k, d.stride[0])
        lines.append(", ".join(map(str, row)) + ",")
    return "\n".join(lines) + "\n"


def layers_with_weights() -> list[Layer]:
    """ResNet-50's 53 convolutions and its matrix product: what ZigZag knows."""
    return [layer for layer in dense().program.layers() if layer.op in MAC_OPS]


def zigzag_layer(number: int, layer: Layer) -> dict[str, object]:
    """A layer in ZigZag's own workload format, its input from outside.

    8 bits wide, with partial sums of 16, for which its Edge TPU has registers.
    """
    d = layer.dims
    rows, columns = layer.ifmaps[0].shape[2:] or (1, 1)
    missing = (
        max((d.p - 1) * d.stride[0] + d.r - rows, 0),
        max((d.q - 1) * d.stride[1] + d.s - columns, 0),
    )
    return {
        "id": number,
        "name": layer.name,
        "operator_type": "Conv",
        "equation": "O[b][g][k][oy][ox]+=W[g][k][c][fy][fx]*I[b][g][c][iy][ix]",
        "dimension_relations": [f"iy={d.stride[0]}*oy+1*fy", f"ix={d.stride[1]}*ox+1*fx"],
        "loop_dims": ["B", "G", "K", "C", "OY", "OX", "FY", "FX"],
        "loop_sizes": [d.n, d.groups, d.k, d.c, d.p, d.q, d.r, d.s],
        "operand_precision": {"I": 8, "W": 8, "O": 16, "O_final": 8},
        "operand_source": {"I": number},
        "pr_loop_dims": ["IY", "IX"],
        "pr_loop_sizes": [rows, columns],
        "padding": [[each // 2, each - each // 2] for each in missing],
    }


def zigzag_s(python: Path, layers: Sequence[Layer]) -> float:
    """CPU seconds ZigZag takes for the layers, each for least latency."""
    workload = [zigzag_layer(number, layer) for number, layer in enumerate(layers)]
    with tempfile.TemporaryDirectory() as folder:
        words = [str(python), "-c", ZIGZAG, json.dumps(workload), folder]
        done = subprocess.run(words, check=True, capture_output=True, text=True)  # noqa: S603
    return float(done.stdout)


def scalesim_s(python: Path, layers: Sequence[Layer]) -> float:
    """CPU seconds SCALE-Sim takes for the layers on a 32 x 32 weight-stationary array."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layers.csv"
        path.write_text(topology(layers))
        peer = ROOT / "tests/validate"
        words = [str(python), "-c", SCALESIM, str(peer), str(path)]
        done = subprocess.run(words, check=True, capture_output=True, text=True)  # noqa: S603
    return float(done.stdout)


def child_s(words: Sequence[str]) -> float:
    """CPU seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, check=True, capture_output=True)  # noqa: S603
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def vela_s(python: Path, weights: str, core: Sequence[str] = ()) -> float:
    """CPU seconds of Vela for the int8 network, without starting up."""
    with tempfile.TemporaryDirectory() as folder:
        code = (
            "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); "
            "from benchmarks.vela_networks import NETWORKS, Weights, write_network; "
            "network = write_network(NETWORKS['resnet50'](), Weights(sys.argv[3])); "
            "Path(sys.argv[2]).write_bytes(network)"
        )
        model = Path(folder) / "resnet50.tflite"
        words = [str(python), "-c", code, str(ROOT), str(model), weights]
        subprocess.run(words, check=True)  # noqa: S603
        vela = str(python.parent / "vela")
        idle_s = child_s([vela, "--version"])
        options = ["--accelerator-config", "ethos-u65-256", "--config", "Arm/vela.ini"]
        options += ["--system-config", "Ethos_U65_High_End", "--output-dir", folder]
        options += ["--memory-mode", "Dedicated_Sram_384KB", *core]
        return child_s([vela, str(model), *options]) - idle_s


def report(peer: str, theirs_s: float, own_s: Mapping[str, float], on: str) -> None:
    """One line of the comparison."""
    ours = ", ".join(
        f"{each_s:.4f} s {way} ({theirs_s / each_s:,.0f} x)" for way, each_s in own_s.items()
    )
    print(f"{peer}: {theirs_s:.1f} s, ours {ours}, on {on}")


def compare_vela(python: Path) -> None:
    """With every kind of weights; with the core of former releases, which is deprecated."""
    own_s = ours_s(dense(), "ethos_u65_256")
    on = "the whole network, Ethos-U65-256, 384 KiB"
    for weights in (HEADLINE, "uniform", "zero"):
        report(f"Vela 5.2.0, {weights} weights", vela_s(python, weights), own_s, on)
    theirs_s = vela_s(python, HEADLINE, ["--debug-force-legacy-core"])
    report(f"Vela 5.2.0, {HEADLINE} weights, legacy core", theirs_s, own_s, on)


def main() -> None:
    """Run the peers that are there, each beside ours."""
    parser = argparse.ArgumentParser(description=__doc__)
    for peer in ("--vela", "--scalesim", "--zigzag"):
        parser.add_argument(peer, type=Path, metavar="PYTHON")
    args = parser.parse_args()
    if args.vela:
        compare_vela(args.vela)
    if args.scalesim:
        layers = some_layers()
        own_s = ours_s(part_of(layers), "edge_npu")
        theirs_s = scalesim_s(args.scalesim, layers)
        report("SCALE-Sim 3.0.0", theirs_s, own_s, ", ".join(SOME_LAYERS))
    if args.zigzag:
        layers = layers_with_weights()
        theirs_s = zigzag_s(args.zigzag, layers)
        on = f"the {len(layers)} layers with weights, ours also on those between"
        report("ZigZag 3.9.1", theirs_s, ours_s(dense(), "edge_npu"), on)


if __name__ == "__main__":
    main()
