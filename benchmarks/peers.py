"""One ResNet-50 inference of ours against peers, in one run on equal layers, by CPU seconds.

    python -m benchmarks.peers --vela PYTHON --scalesim PYTHON

Each peer runs in an interpreter of its own that has its package: ethos-u-vela 5.2.0 and this one's
requirements; scalesim 3.0.0 with numpy<2.4. Vela compiles the whole network for an Ethos-U65-256.
SCALE-Sim would take the better part of an hour for it, so it runs one layer of it, and so do we.
Times are CPU seconds of work alone: interpreters start and import before the clock does, in ours
and in SCALE-Sim's; Vela is a command, of which an empty call's time is taken off.

| | models |
|---|---|
| ours | tiling, residency, DMA and DRAM timing, compute, every stall, energy, event by event |
| Vela | tiling, scheduling and allocation for the device; code generation; cycles by layer |
| SCALE-Sim | every operand address of a systolic array, cycle by cycle; scratchpad demand |
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from simulator.ir import Layer, Op, Program, Segment, Workload
from simulator.policy import Policy
from simulator.program_file import workload_from_json
from simulator.routes import draw_routes
from simulator.simulation import run_workload
from simulator.spec_file import load_spec

ROOT = Path(__file__).parent.parent
SOME_LAYERS = ("layer4.1.conv1",)
"""What SCALE-Sim runs: the 1x1 convolution from 2048 to 512 channels, about a minute of it."""
REPEATS = 5

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


def ours_s(workload: Workload, spec_name: str) -> float:
    """CPU seconds of one inference: planning, scheduling, events and results; the median of five.

    What earlier runs remember of layers is forgotten before each.
    """
    spec = load_spec(ROOT / f"accelerator_specs/{spec_name}.yaml")
    routes = draw_routes(workload, 1, 0)
    times = []
    for _ in range(REPEATS):
        forget()
        began_s = time.process_time()
        run_workload(workload, spec, Policy.ON_DEMAND, routes)
        times.append(time.process_time() - began_s)
    return sorted(times)[REPEATS // 2]


def forget() -> None:
    """Empty every cache of the simulator's modules."""
    for name, module in list(sys.modules.items()):
        if name.startswith("simulator"):
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


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


def vela_s(python: Path) -> float:
    """CPU seconds of Vela for the int8 network, without starting up."""
    with tempfile.TemporaryDirectory() as folder:
        code = (
            "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); "
            "from benchmarks.vela_networks import NETWORKS, write_network; "
            "Path(sys.argv[2]).write_bytes(write_network(NETWORKS['resnet50']()))"
        )
        model = Path(folder) / "resnet50.tflite"
        words = [str(python), "-c", code, str(ROOT), str(model)]
        subprocess.run(words, check=True)  # noqa: S603
        vela = str(python.parent / "vela")
        idle_s = child_s([vela, "--version"])
        options = ["--accelerator-config", "ethos-u65-256", "--config", "Arm/vela.ini"]
        options += ["--system-config", "Ethos_U65_High_End", "--output-dir", folder]
        options += ["--memory-mode", "Dedicated_Sram_384KB"]
        return child_s([vela, str(model), *options]) - idle_s


def report(peer: str, theirs_s: float, own_s: float, on: str) -> None:
    """One line of the comparison."""
    print(f"{peer}: {theirs_s:.1f} s, ours {own_s:.3f} s: {theirs_s / own_s:,.0f} x, on {on}")


def main() -> None:
    """Run the peers that are there, each beside ours."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vela", type=Path, metavar="PYTHON")
    parser.add_argument("--scalesim", type=Path, metavar="PYTHON")
    args = parser.parse_args()
    if args.vela:
        theirs_s = vela_s(args.vela)
        own_s = ours_s(dense(), "ethos_u65_256")
        report("Vela 5.2.0", theirs_s, own_s, "the whole network, Ethos-U65-256, 384 KiB")
    if args.scalesim:
        layers = some_layers()
        theirs_s = scalesim_s(args.scalesim, layers)
        own_s = ours_s(part_of(layers), "edge_npu")
        report("SCALE-Sim 3.0.0", theirs_s, own_s, ", ".join(SOME_LAYERS))


if __name__ == "__main__":
    main()
