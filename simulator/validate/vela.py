"""Networks on Ethos-U55 and U65 as Arm's compiler estimates them, in all and per operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from simulator.ir import Route, Workload
from simulator.policy import Policy
from simulator.result import InferenceResult
from simulator.simulation import run_workload
from simulator.spec_file import Override
from simulator.units import PS_PER_S
from simulator.validate.case import Band, Case, Row, SpecLoader
from simulator.validate.networks import (
    VGG16_STAGES,
    mobilenet_v1,
    mobilenet_v2,
    resnet50,
    vgg,
)
from simulator.validate.reference import reference_rows

SOURCE = "ethos-u-vela 5.2.0, its own estimate; benchmarks/vela_networks.py, data/README.md"
FITTED = "nothing: every number of the device is the compiler's own configuration"
CASCADES = (
    "cascades: Vela runs a few layers stripe by stripe so that what lies between them never "
    "leaves the chip, and reads their weights again for every stripe; here a map that does not "
    "fit goes to DRAM whole"
)
LEAVES_OUT = (
    CASCADES,
    "scales and biases (10 bytes per output channel) and the padding of weight streams: 1 to 5 % "
    "of the bytes",
    "the array stands still here while a layer's first block is read; Vela adds nothing for it",
)
UNCAPPED_KIB = 8192
"""More than any layer can use; the compiler itself took 1.8 MiB when it had no limit."""


@dataclass(frozen=True)
class Setup:
    """What a case of the reference ran on: a shipped spec, its SRAM and the network."""

    device: str
    kib: int
    network: Callable[[], Workload]

    def run(self, load: SpecLoader) -> tuple[InferenceResult, int]:
        """The prediction, and the clock its cycles are counted at."""
        spec = load(self.device, [Override("scratchpad.capacity_kib", self.kib)])
        run = run_workload(self.network(), spec, Policy.ON_DEMAND, [Route(arms=())])
        return run.typical, spec.pe_array.clock_hz


RESNET50 = partial(resnet50, 224, 1000)
ISSUED = {
    "resnet50, U65-256, 384 KiB": Setup("ethos_u65_256", 384, RESNET50),
    "resnet50, U65-256, uncapped": Setup("ethos_u65_256", UNCAPPED_KIB, RESNET50),
}
HELD_OUT = {
    "vgg16, U65-256, 384 KiB": Setup("ethos_u65_256", 384, partial(vgg, VGG16_STAGES)),
    "mobilenet_v2, U65-512, 384 KiB": Setup("ethos_u65_512", 384, mobilenet_v2),
    "resnet50, U65-512, 512 KiB": Setup("ethos_u65_512", 512, RESNET50),
    "mobilenet_v1, U55-256, 2 MiB": Setup("ethos_u55_256", 2048, mobilenet_v1),
    "mobilenet_v1, U65-256, 256 KiB": Setup("ethos_u65_256", 256, mobilenet_v1),
    "resnet50, U55-256, 2 MiB": Setup("ethos_u55_256", 2048, RESNET50),
    "resnet50, U85-256, 512 KiB": Setup("ethos_u85_256", 512, RESNET50),
    "mobilenet_v2, U55-128, 2 MiB": Setup("ethos_u55_128", 2048, mobilenet_v2),
}
CASCADED = "mobilenet_v2, U65-512, 384 KiB"
U85 = "resnet50, U85-256, 512 KiB"
"""Its compiler models a memory that reads and writes at once, each bound by its latency."""


def _totals(name: str, result: InferenceResult, clock_hz: int, line: dict[str, str]) -> list[Row]:
    cycles = result.latency_ps * clock_hz / PS_PER_S
    counts = result.counts
    traffic = counts.dram_read_bytes + counts.dram_write_bytes
    time_band, band = "time", "traffic"
    if name == CASCADED:
        band = "cascaded traffic"
    if name == U85:
        time_band = band = "U85"
    return [
        Row(name, "latency", "cycles", float(line["cycles"]), cycles, time_band),
        Row(name, "off-chip traffic", "bytes", float(line["off_chip_bytes"]), traffic, band),
        Row(
            name,
            "weights read",
            "bytes",
            float(line["weight_read_bytes"]),
            result.weight_read_bytes,
            "parts",
        ),
    ]


def _operations(
    name: str, result: InferenceResult, clock_hz: int, lines: Sequence[dict[str, str]]
) -> list[Row]:
    """A row per operation that Vela lists, which it names after the layer."""
    rows = []
    cycles_of = {line["layer"]: float(line["cycles"]) for line in lines if line["case"] == name}
    for layer in result.layers:
        operation = next(op for op in cycles_of if op.split(".pooled")[0] == layer.name)
        cycles = (layer.end_ps - layer.start_ps) * clock_hz / PS_PER_S
        label = f"{name}: {layer.name}"
        rows.append(Row(label, "operation", "cycles", cycles_of[operation], cycles, "operation"))
    return rows


def _rows(setups: dict[str, Setup], per_operation: bool, load: SpecLoader) -> tuple[Row, ...]:
    summary = {line["case"]: line for line in reference_rows("vela_networks.csv")}
    lines = reference_rows("vela_layers.csv") if per_operation else []
    rows: list[Row] = []
    for name, setup in setups.items():
        result, clock_hz = setup.run(load)
        rows += _totals(name, result, clock_hz, summary[name])
        if per_operation:
            rows += _operations(name, result, clock_hz, lines)
    return tuple(rows)


TIME = Band("time", 0.20, "the slower of array and memory, block by block, one layer at a time")
TRAFFIC = Band("traffic", 0.15, "blocks as Vela chooses them; what stays on chip is ours to choose")
PARTS = Band("parts", None, "shows where the traffic differs")
CASE = Case(
    name="vela_resnet50",
    title="Ethos-U65-256, int8 ResNet-50 as Arm's compiler estimates it",
    device=f"ethos_u65_256, 384 and {UNCAPPED_KIB} KiB",
    source=SOURCE,
    fitted=FITTED,
    leaves_out=LEAVES_OUT,
    bands=(
        TIME,
        TRAFFIC,
        PARTS,
        Band("operation", None, "with 384 KiB the two do not keep the same maps on chip"),
    ),
    rows=partial(_rows, ISSUED, True),
)
HELD_OUT_CASE = Case(
    name="vela_held_out",
    title="Other networks and sizes of Ethos-U as Arm's compiler estimates them",
    device="ethos_u65_256, ethos_u65_512, ethos_u55_256, ethos_u55_128, ethos_u85_256",
    source=SOURCE,
    fitted=(
        f"{FITTED}; the pace of outputs and of pooling was added after these rows had been "
        "looked at (time then within 12.5 %), but for MobileNet v1 on U65-256 and ResNet-50 on "
        "U55-256, which were compiled afterwards"
    ),
    leaves_out=LEAVES_OUT,
    bands=(
        TIME,
        TRAFFIC,
        PARTS,
        Band(
            "cascaded traffic",
            0.32,
            "Vela's cascades keep 3.3 MB of feature maps on chip that go to DRAM here",
            target_fraction=0.15,
        ),
        Band(
            "U85",
            None,
            "its core is not modelled: 3 x 3 taps are rounded up to twelve there, and feature maps "
            "come at 3.3 and go at 2.6 bytes a cycle, side by side, where the memory has 12",
        ),
    ),
    rows=partial(_rows, HELD_OUT, False),
)
