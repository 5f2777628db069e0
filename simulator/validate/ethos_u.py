"""Arm's Ethos-U55 on the vendor's own model of it: MobileNet v2, and weights alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simulator.ir import Dims, Layer, Op, Program, Route, Segment, Tensor, WeightBlock, Workload
from simulator.policy import Policy
from simulator.simulation import run_workload
from simulator.units import PS_PER_S
from simulator.validate.case import Band, Case, Row, SpecLoader
from simulator.validate.networks import mobilenet_v2

DEVICE = "ethos_u55_128"
MOBILENET_CYCLES = 7_346_172
MOBILENET_WEIGHT_BYTES = 3_460_000
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


@dataclass(frozen=True)
class _Log:
    """What the vendor's log says of one network, and the bands of its two numbers."""

    name: str
    network: Callable[[], Workload]
    cycles: float
    weight_bytes: float
    band: str

    def rows(self, load: SpecLoader) -> tuple[Row, ...]:
        """Cycles of the NPU, and weight bytes read."""
        spec = load(DEVICE, [])
        run = run_workload(self.network(), spec, Policy.ON_DEMAND, [Route(arms=())])
        cycles = run.typical.latency_ps * spec.pe_array.clock_hz / PS_PER_S
        read = run.typical.weight_read_bytes
        return (
            Row(self.name, "latency", "cycles", self.cycles, cycles, self.band),
            Row(self.name, "weights read", "bytes", self.weight_bytes, read, "bytes"),
        )


MOBILENET = _Log("one image", mobilenet_v2, MOBILENET_CYCLES, MOBILENET_WEIGHT_BYTES, "time")
RNNOISE = _Log("one step", rnnoise_like, RNNOISE_CYCLES, RNNOISE_WEIGHT_BYTES, "weight-bound")
MOBILENET_CASE = Case(
    name="ethos_mobilenet_v2",
    title="Ethos-U55-128, MobileNet v2 on the vendor's model of the device",
    device=DEVICE,
    source="vendor's model log: 7,346,172 cycles at 500 MHz, 3.46 MB of weights read",
    fitted="nothing",
    leaves_out=("weight compression: the trained weights' rate is not published",),
    bands=(
        Band("time", 0.20, "as asked of the compiler's estimates; no band was set for this one"),
        Band("bytes", 0.01, "every weight is read once; the log rounds to 10 kB"),
    ),
    rows=MOBILENET.rows,
)
RNNOISE_CASE = Case(
    name="rnnoise",
    title="Ethos-U55-128, a recurrent network that only waits for its weights",
    device=DEVICE,
    source="vendor's model log: 104,514 cycles for 111,288 weight bytes at 1 byte per cycle",
    fitted="nothing",
    leaves_out=("weight compression, which lets the device read fewer bytes than it counts",),
    bands=(
        Band("weight-bound", 0.10, "0.5 GB/s at 500 MHz is one byte per cycle"),
        Band("bytes", 0.001, "each layer's share is rounded down"),
    ),
    rows=RNNOISE.rows,
)
