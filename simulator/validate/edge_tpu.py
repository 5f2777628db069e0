"""The Edge TPU's measured ladders: one set of device parameters, one link rate per host."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from math import sqrt

from simulator.errors import UserError
from simulator.ir import Layer, Program, Route, Segment, WeightBlock, Workload
from simulator.mapping.placement import Placement
from simulator.policy import Policy
from simulator.simulation import RunResult, run_workload
from simulator.spec import AcceleratorSpec
from simulator.spec_file import Override
from simulator.units import BYTES_PER_MIB, ps_to_s
from simulator.validate.case import Band, Case, Row, SpecLoader
from simulator.validate.networks import (
    VGG16_STAGES,
    VGG19_STAGES,
    convolutions,
    mobilenet_v1,
    perceptron,
    resnet50,
    vgg,
)
from simulator.validate.reference import reference_rows

DEVICE = "edge_tpu"
ROW_GRAIN = 64
"""The compiler stores input channels rounded up to the array's rows."""

PRUNING_LINK_BYTES_PER_S = 370_000_000
USB_LINK_BYTES_PER_S = 470_000_000
DEV_BOARD_LINK_BYTES_PER_S = 402_000_000
STREAMING_MIB = 1.0
"""From here on a row counts as streaming: the link then takes more than half of its time."""

FITTED_DEVICE = (
    "per layer and inference set-up and the weight read rate on the on-chip points of the "
    "fully-connected ladder, its link rate (387 MB/s) on the streaming ones; pixels per tile, "
    "pass set-up and output width on the convolution ladder (350 to 450 cycles of pass set-up fit "
    "it alike; 350 was taken with the pruning ladder in view); so two ladders, not one, set the "
    "device's parameters"
)
LEAVES_OUT = (
    "what the host does between and around invocations: measured times of equal work scatter "
    "by 30 % below 0.3 ms",
    "the compiler's choice of tiles, which changes with the size of the weights",
)


def link(bytes_per_s: int) -> list[Override]:
    """The device behind a host whose link has this effective rate."""
    return [Override("dram.peak_bytes_per_s", bytes_per_s)]


def run_on(spec: AcceleratorSpec, workload: Workload) -> RunResult:
    """One inference, weights placed as the Edge TPU's compiler does."""
    routes = [Route(arms=())]
    return run_workload(workload, spec, Policy.ON_DEMAND, routes, placement=Placement.FILL)


def latency_ms(run: RunResult) -> float:
    """Latency of the only route."""
    return 1000 * ps_to_s(run.typical.latency_ps)


def _latency_row(name: str, measured_ms: float, predicted_ms: float, band: str) -> Row:
    return Row(name, "latency", "ms", measured_ms, predicted_ms, band)


def _fc_rows(load: SpecLoader) -> tuple[Row, ...]:
    spec = load(DEVICE, [])
    rows = []
    for line in reference_rows("edgetpu_fc_ladder.csv"):
        n = int(line["Hidden neurons"])
        run = run_on(spec, perceptron((64, n, n, n, n, 10), ROW_GRAIN))
        off_mib = float(line["Off chip mem used"])
        band = "streaming" if off_mib else "on chip"
        rows.append(_latency_row(f"N={n}", float(line["Inference time"]), latency_ms(run), band))
        if off_mib:
            rows.append(_streamed_row(f"N={n}", off_mib, run))
    return tuple(rows)


def _conv_rows(load: SpecLoader) -> tuple[Row, ...]:
    spec = load(DEVICE, [])
    rows = []
    for line in reference_rows("edgetpu_conv_ladder.csv"):
        filters = int(line["Num filters"])
        run = run_on(spec, convolutions(filters, ROW_GRAIN))
        measured = float(line["Inference time"])
        rows.append(_latency_row(f"F={filters}", measured, latency_ms(run), "ladder"))
    return tuple(rows)


def _streamed_row(name: str, off_mib: float, run: RunResult) -> Row:
    streamed = run.typical.weight_read_bytes / BYTES_PER_MIB
    return Row(name, "weights streamed", "MiB", off_mib, streamed, "placement")


def thinned_resnet50(macs_fraction: float, on_mib: float, off_mib: float) -> Workload:
    """ResNet-50 for CIFAR thinned to a share of its MACs, its stored bytes those given.

    The pruned networks themselves are not published, their bytes are. So every layer is thinned
    alike, and the bytes of the layers up to a split are scaled to `on_mib`, those behind it to
    `off_mib`: what is placed where is the reference's, not a prediction.

    Raises:
        UserError: no thinning has few enough parameters for these bytes.
    """
    width = sqrt(macs_fraction)
    while width > 0.05:
        workload = resnet50(32, 100, width_fraction=width, small_stem=True)
        layers = list(workload.program.layers())
        wanted = _params(layers) * on_mib / (on_mib + off_mib)
        split = min(range(1, len(layers) + 1), key=lambda n: abs(_params(layers[:n]) - wanted))
        head, tail = layers[:split], layers[split:]
        on_bytes, off_bytes = (round(mib * BYTES_PER_MIB) for mib in (on_mib, off_mib))
        if _params(head) <= on_bytes and _params(tail) <= off_bytes:
            scaled = [*_stored_in(head, on_bytes), *_stored_in(tail, off_bytes)]
            return _with_layers(workload, scaled)
        width *= 0.99
    raise UserError(f"{on_mib} and {off_mib} MiB: too few for a thinned ResNet-50")


def _params(layers: Iterable[Layer]) -> int:
    return sum(layer.params for layer in layers)


def _stored_in(layers: list[Layer], n_bytes: int) -> list[Layer]:
    """The layers with their weight blocks scaled to n_bytes in all, never below their need."""
    total = _params(layers)
    scaled = []
    for layer in layers:
        blocks = tuple(
            WeightBlock(name=block.name, params=block.params * n_bytes // total)
            for block in layer.weights
        )
        fields = {name: getattr(layer, name) for name in Layer.model_fields}
        scaled.append(Layer(**(fields | {"weights": blocks})))
    return scaled


def _with_layers(workload: Workload, layers: list[Layer]) -> Workload:
    (segment,) = workload.program.segments()
    program = Program(
        inputs=workload.program.inputs,
        steps=(Segment(name=segment.name, layers=tuple(layers)),),
    )
    return workload.model_copy(update={"program": program})


def _pruning_rows(load: SpecLoader) -> tuple[Row, ...]:
    rows = []
    for line in reference_rows("edgetpu_resnet50_pruning_ladder.csv"):
        on_mib, off_mib = float(line["onchip_mb"]), float(line["offchip_mb"])
        macs_fraction = 1 - float(line["macs_reduction_pct"]) / 100
        spec = load(DEVICE, [*link(PRUNING_LINK_BYTES_PER_S), _cached(on_mib)])
        run = run_on(spec, thinned_resnet50(macs_fraction, on_mib, off_mib))
        band = "streaming" if off_mib >= STREAMING_MIB else "on chip"
        name = f"-{line['target_pct']} % {line['importance']}"
        rows.append(_latency_row(name, float(line["tpu_latency_ms"]), latency_ms(run), band))
    return tuple(rows)


def _cached(on_mib: float) -> Override:
    """Room for the weights that the reference had cached, to the next KiB."""
    return Override("toolchain.weight_capacity_kib", int(on_mib * 1024) + 1)


CORAL_NETWORKS = {
    "mobilenet_v1": partial(mobilenet_v1, ROW_GRAIN),
    "resnet50": partial(resnet50, 299, 1000, ROW_GRAIN),
    "vgg16": partial(vgg, VGG16_STAGES, ROW_GRAIN),
    "vgg19": partial(vgg, VGG19_STAGES, ROW_GRAIN),
}
CORAL_HOSTS = {
    "usb_ms": ("USB", USB_LINK_BYTES_PER_S),
    "dev_board_ms": ("Dev Board", DEV_BOARD_LINK_BYTES_PER_S),
}


def _coral_rows(load: SpecLoader) -> tuple[Row, ...]:
    rows = []
    for line in reference_rows("coral_latency.csv"):
        workload = CORAL_NETWORKS[line["network"]]()
        for column, (host, rate) in CORAL_HOSTS.items():
            run = run_on(load(DEVICE, link(rate)), workload)
            name = f"{line['network']}, {host}"
            rows.append(_latency_row(name, float(line[column]), latency_ms(run), "vendor"))
    return tuple(rows)


ON_CHIP = Band("on chip", 0.30, "the measurements of one size scatter by as much")
FC_CASE = Case(
    name="edge_tpu_fc",
    title="Edge TPU, fully-connected ladder 64-N-N-N-N-10",
    device=DEVICE,
    source="measured; Villarrubia et al., arXiv 2503.01025",
    fitted=FITTED_DEVICE,
    leaves_out=LEAVES_OUT,
    bands=(
        ON_CHIP,
        Band("streaming", 0.05, "the link takes nearly all of the time"),
        Band("placement", 0.02, "whole layers spill, in order; the file rounds to 0.01 MiB"),
    ),
    rows=_fc_rows,
)
CONV_CASE = Case(
    name="edge_tpu_conv",
    title="Edge TPU, ladder of five 3x3 convolutions on 64x64 pixels",
    device=DEVICE,
    source="measured; the authors of arXiv 2503.01025",
    fitted=FITTED_DEVICE,
    leaves_out=(
        *LEAVES_OUT,
        "why three streamed layers cost nearly five transfers of their weights where one or two "
        "cost three: the model charges four for all",
    ),
    bands=(Band("ladder", 0.20, "the number of times streamed weights are fetched is a mean"),),
    rows=_conv_rows,
)
PRUNING_CASE = Case(
    name="edge_tpu_resnet50",
    title="Edge TPU, ResNet-50 for CIFAR-100 pruned in eight ways",
    device=f"{DEVICE}, link of {PRUNING_LINK_BYTES_PER_S / 1e6:.0f} MB/s",
    source="measured; Zouhdi et al., DSD 2026, appendix",
    fitted=f"this host's link rate; all else held: {FITTED_DEVICE}",
    leaves_out=(
        *LEAVES_OUT,
        "the pruned shapes, which are not published: every layer is thinned alike to the MACs "
        "given, and the bytes on and off chip are the reference's",
        "the published law (323 MB/s) puts the compute that pruning saves on the link: the rate "
        "here is that of the transfers alone",
    ),
    bands=(
        Band("on chip", 0.30, "pruned shapes unknown; rows that stream less than 1 MiB"),
        Band(
            "streaming",
            0.05,
            "the link takes most of the time; thinning every layer alike misses how much of each "
            "64-wide pass a pruned layer fills",
        ),
    ),
    rows=_pruning_rows,
)
CORAL_CASE = Case(
    name="coral",
    title="Edge TPU, Coral's own table of networks on two hosts",
    device=(
        f"{DEVICE}, links of {USB_LINK_BYTES_PER_S / 1e6:.0f} (USB) and "
        f"{DEV_BOARD_LINK_BYTES_PER_S / 1e6:.0f} MB/s (Dev Board)"
    ),
    source="coral.ai, Edge TPU performance benchmarks",
    fitted=f"each host's link rate on its VGG16 row; all else held: {FITTED_DEVICE}",
    leaves_out=LEAVES_OUT,
    bands=(Band("vendor", 0.20, "networks, hosts and runtime as the vendor had them"),),
    rows=_coral_rows,
)
