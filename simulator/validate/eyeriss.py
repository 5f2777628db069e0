"""Eyeriss v1 as measured on the chip: convolutions alone, in batches, nothing compressed here."""

from __future__ import annotations

from simulator.ir import Dims, Layer, Op, Program, Route, Segment, Tensor, WeightBlock, Workload
from simulator.policy import Policy
from simulator.simulation import run_workload
from simulator.units import PJ_PER_J, ps_to_s
from simulator.validate.case import Band, Case, Row, SpecLoader

DEVICE = "eyeriss"
Shape = tuple[str, int, int, int, int, int, int]
ALEXNET: tuple[Shape, ...] = (
    ("conv1", 227, 3, 96, 11, 4, 1),
    ("conv2", 27, 96, 256, 5, 1, 2),
    ("conv3", 13, 256, 384, 3, 1, 1),
    ("conv4", 13, 384, 384, 3, 1, 2),
    ("conv5", 13, 384, 256, 3, 1, 2),
)
"""Name, input pixels, channels in and out, taps, stride and groups (Krizhevsky et al., 2012)."""
ALEXNET_BATCH, ALEXNET_MS, ALEXNET_BUSY_MS = 4, 115.3, 103.5
ALEXNET_DRAM_MB, ALEXNET_MW = 15.4, 278.0


def convolutions_alone(name: str, shapes: tuple[Shape, ...], batch: int) -> Workload:
    """Layers that each read their batch from DRAM and store it there, as the chip works.

    The groups of a convolution are layers of their own. The images of a batch lie below one
    another, so that tiles need not hold a row of each.
    """
    layers, inputs = [], []
    for conv, pixels, c, k, r, stride, groups in shapes:
        # Stride 1 is padded to keep the size; AlexNet's first layer is not padded.
        p = pixels if stride == 1 else (pixels - r) // stride + 1
        part_c, part_k = c // groups, k // groups
        dims = Dims(k=part_k, c=part_c, p=batch * p, q=p, r=r, s=r, stride=(stride, stride))
        for part in range(groups):
            layer = f"{conv}.{part}" if groups > 1 else conv
            x = Tensor(name=f"{layer}.in", shape=(1, part_c, batch * pixels, pixels))
            block = WeightBlock(name=f"{layer}.weight", params=part_k * part_c * r * r)
            out = Tensor(name=layer, shape=(1, part_k, batch * p, p))
            layers.append(
                Layer(name=layer, op=Op.CONV2D, dims=dims, ifmaps=(x,), ofmap=out, weights=(block,))
            )
            inputs.append(x)
    segment = Segment(name="convolutions", layers=tuple(layers))
    return Workload(
        name=name,
        description=f"convolutions of a batch of {batch}, one by one",
        source="Chen et al., JSSC 52(1), 2017",
        program=Program(inputs=tuple(inputs), steps=(segment,)),
    )


def _rows(load: SpecLoader) -> tuple[Row, ...]:
    spec = load(DEVICE, [])
    workload = convolutions_alone("alexnet", ALEXNET, ALEXNET_BATCH)
    result = run_workload(workload, spec, Policy.ON_DEMAND, [Route(arms=())]).typical
    counts, energy = result.counts, result.energy
    seconds, busy_seconds = ps_to_s(result.latency_ps), ps_to_s(result.compute_ps)
    megabytes = (counts.dram_read_bytes + counts.dram_write_bytes) / 1e6
    milliwatts = 1000 * (energy.total_pj - energy.dram_pj) / PJ_PER_J / seconds
    name = f"batch of {ALEXNET_BATCH}"
    busy_ms = 1000 * busy_seconds
    return (
        Row(name, "latency", "ms", ALEXNET_MS, 1000 * seconds, "chip"),
        Row(f"{name}, no waits for DRAM", "latency", "ms", ALEXNET_BUSY_MS, busy_ms, "chip"),
        Row(name, "DRAM traffic", "MB", ALEXNET_DRAM_MB, megabytes, "chip"),
        Row(name, "power without DRAM", "mW", ALEXNET_MW, milliwatts, "chip"),
    )


CASE = Case(
    name="eyeriss",
    title="Eyeriss v1, AlexNet's convolutions as measured on the chip",
    device=DEVICE,
    source="measured; Chen et al., JSSC 52(1), 2017",
    fitted="nothing; the energy per event is from ratios and other nodes, see the spec",
    leaves_out=(
        "the row-stationary dataflow: here every PE is busy in every cycle, an upper bound (the "
        "chip's PEs are for 77 % of its 103.5 ms)",
        "weights that wait in the PEs' own registers: here they share the buffer, so that tiles "
        "are smaller and 3.8 times the least traffic is moved",
        "run-length coding of what goes to DRAM; every value read once would be 13.1 MB without it",
        "gating of PEs whose input is zero; the registers and the network by level",
    ),
    bands=(Band("chip", None, "no band is asked for: the dataflow is not modelled"),),
    rows=_rows,
)
