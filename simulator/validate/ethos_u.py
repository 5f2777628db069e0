"""Arm's Ethos-U: its compiler's own estimates, and a network that only waits for weights."""

from __future__ import annotations

from simulator.ir import Dims, Layer, Op, Program, Route, Segment, Tensor, WeightBlock, Workload
from simulator.policy import Policy
from simulator.simulation import RunResult, run_workload
from simulator.spec import AcceleratorSpec
from simulator.spec_file import Override
from simulator.units import PS_PER_S, ps_to_s
from simulator.validate.case import Band, Case, Row, SpecLoader
from simulator.validate.networks import resnet50
from simulator.validate.reference import reference_rows

VELA_DEVICE = "ethos_u65_256"
UNCAPPED_KIB = 8192
"""More than any layer can use; the compiler itself took 1.8 MiB when it had no limit."""

RNNOISE_DEVICE = "ethos_u55_128"
RNNOISE_WEIGHT_BYTES = 111_288
RNNOISE_CYCLES = 104_514
RNNOISE_LAYERS = (
    ("input_dense", 42, 24),
    ("vad_gru_input", 24, 72),
    ("vad_gru_state", 24, 72),
    ("vad_output", 24, 1),
    ("noise_gru_input", 90, 144),
    ("noise_gru_state", 48, 144),
    ("denoise_gru_input", 114, 288),
    ("denoise_gru_state", 96, 288),
    ("denoise_output", 96, 22),
)
"""Matrix products of one step of RNNoise: name, inputs, outputs (xiph/rnnoise, 87,503 weights)."""


def _run(spec: AcceleratorSpec, workload: Workload) -> RunResult:
    return run_workload(workload, spec, Policy.ON_DEMAND, [Route(arms=())])


def _vela_rows(load: SpecLoader) -> tuple[Row, ...]:
    rows = []
    for line in reference_rows("vela_resnet50.csv"):
        capped = line["case"] != "uncapped"
        kib = int(float(line["arena_cache_size_kib"])) if capped else UNCAPPED_KIB
        spec = load(VELA_DEVICE, [Override("scratchpad.capacity_kib", kib)])
        run = _run(spec, resnet50(224, 1000))
        counts = run.typical.counts
        traffic = counts.dram_read_bytes + counts.dram_write_bytes
        latency_ms = 1000 * ps_to_s(run.typical.latency_ps)
        time_band, traffic_band = (
            ("time, capped", "traffic, capped")
            if capped
            else ("time, uncapped", "traffic, uncapped")
        )
        name = line["case"]
        vela_ms = 1000 * float(line["inference_time_s"])
        vela_mb = float(line["dram_total_bytes"]) / 1e6
        rows.append(Row(name, "latency", "ms", vela_ms, latency_ms, time_band))
        rows.append(Row(name, "off-chip traffic", "MB", vela_mb, traffic / 1e6, traffic_band))
        weights_mb = float(line["dram_weight_read_bytes"]) / 1e6
        predicted_mb = run.typical.weight_read_bytes / 1e6
        rows.append(Row(name, "weights read", "MB", weights_mb, predicted_mb, "parts"))
    return tuple(rows)


def rnnoise_like() -> Workload:
    """One step of RNNoise's matrix products, weights stored in as many bytes as the device reads.

    The compiler's stream holds padding, scales and biases beside the weights: each layer's share
    of the bytes is its share of the weights.
    """
    total = sum(c * k for _, c, k in RNNOISE_LAYERS)
    layers = []
    inputs = []
    for name, c, k in RNNOISE_LAYERS:
        x = Tensor(name=f"{name}.in", shape=(1, c))
        block = WeightBlock(name=f"{name}.weight", params=c * k * RNNOISE_WEIGHT_BYTES // total)
        out = Tensor(name=name, shape=(1, k))
        dims = Dims(k=k, c=c)
        layers.append(
            Layer(name=name, op=Op.LINEAR, dims=dims, ifmaps=(x,), ofmap=out, weights=(block,))
        )
        inputs.append(x)
    return Workload(
        name="rnnoise_like",
        description="matrix products of one step of RNNoise",
        source="xiph/rnnoise",
        program=Program(inputs=tuple(inputs), steps=(Segment(name="step", layers=tuple(layers)),)),
    )


def _rnnoise_rows(load: SpecLoader) -> tuple[Row, ...]:
    spec = load(RNNOISE_DEVICE, [])
    run = _run(spec, rnnoise_like())
    cycles = run.typical.latency_ps * spec.pe_array.clock_hz / PS_PER_S
    read = run.typical.weight_read_bytes
    return (
        Row("one step", "latency", "cycles", RNNOISE_CYCLES, cycles, "weight-bound"),
        Row("one step", "weights read", "bytes", RNNOISE_WEIGHT_BYTES, read, "bytes"),
    )


VELA_CASE = Case(
    name="vela_resnet50",
    title="Ethos-U65-256, int8 ResNet-50 as Arm's compiler estimates it",
    device=f"{VELA_DEVICE}, 384 and {UNCAPPED_KIB} KiB",
    source="ethos-u-vela 5.2.0, its own cycle estimate; see data/README.md",
    fitted="nothing: every number of the device is the compiler's own configuration",
    leaves_out=(
        "the first layer reads a 3-channel image straight from DRAM, again for every filter tap: "
        "17 MB and 4.5 ms of Vela's estimate, 0.15 MB and 1.5 ms here",
        "Vela prices most operations one after the other, each at the slower of array and "
        "memory; here the next layer's weights are fetched behind the one before",
        "with 384 KiB Vela feeds layers from DRAM and reads their input again for every block of "
        "output channels (57 MB of feature maps, 19 MB here), and reads 1.5 times the weights "
        "for its stripes",
    ),
    bands=(
        Band(
            "time, uncapped",
            0.22,
            "3 of the 5.6 ms missing are the first layer's reads of the image",
            target_fraction=0.20,
        ),
        Band(
            "time, capped",
            0.32,
            "off-chip traffic is missing, see there; Vela's array alone takes 23.1 ms",
            target_fraction=0.20,
        ),
        Band(
            "traffic, uncapped",
            0.42,
            "the first layer's repeated reads of the image are 16 of the 17 MB missing",
            target_fraction=0.15,
        ),
        Band(
            "traffic, capped",
            0.50,
            "inputs read again for every block of output channels, weights for every stripe",
            target_fraction=0.15,
        ),
        Band("parts", None, "shows where the traffic differs"),
    ),
    rows=_vela_rows,
)
RNNOISE_CASE = Case(
    name="rnnoise",
    title="Ethos-U55-128, a recurrent network that only waits for its weights",
    device=RNNOISE_DEVICE,
    source="vendor's model log: 104,514 cycles for 111,288 weight bytes at 1 byte per cycle",
    fitted="nothing",
    leaves_out=("weight compression, which lets the device read fewer bytes than it counts",),
    bands=(
        Band("weight-bound", 0.10, "0.5 GB/s at 500 MHz is one byte per cycle"),
        Band("bytes", 0.001, "each layer's share is rounded down"),
    ),
    rows=_rnnoise_rows,
)
