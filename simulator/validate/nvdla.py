"""NVDLA's analytic performance sheet, and the frame rates published for seven sizes.

The sheet is no measurement but a model with rules of its own, and these rules are what the
prediction follows here, on the MACs, buffer and bandwidth of the shipped specs:

* a layer takes as long as the slower of its transfers and its MACs; nothing overlaps across
  layers; the network takes the sum (nvdla.org primer, "System Integration");
* 16 input channels by pes / 16 kernels are multiplied per cycle; an image's 3 channels count as 4;
* 3x3 convolutions run as Winograd on the largest size: 2.25 times fewer MACs, 16/9 the weights;
* kernels of strided layers are stored rounded up to whole strides (1x1 of stride 2 as 2x2);
* the buffer holds an ifmap whole if it fits and streams the weights; otherwise half of it holds
  weights, and the ifmap is read once for each time that half is filled;
* an element-wise layer reads its other operand, as large as its own output as stored;
* a KiB takes as long as 1,000 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from simulator.ir import Route
from simulator.policy import Policy
from simulator.simulation import run_workload
from simulator.spec import AcceleratorSpec
from simulator.spec_file import Override
from simulator.units import BYTES_PER_KIB, PS_PER_S, ceil_div, cycles_to_ps
from simulator.validate.case import Band, Case, Row, SpecLoader
from simulator.validate.networks import resnet50
from simulator.validate.reference import reference_rows

SHEET = "nvdla_resnet50_perlayer_10GBps.csv"
FRAME_RATES = "nvdla_frame_rates.csv"
SHEET_BANDWIDTH_BYTES_PER_S = 10 * 10**9
TOTAL_CYCLES = 7_113_691
TOTAL_MB = 67.2

CHANNELS_PER_CYCLE = 16
CHANNEL_GRAIN = 4
WINOGRAD_SPEEDUP = 2.25
WINOGRAD_WEIGHTS = 16 / 9
WEIGHT_SHARE_OF_BUFFER = 0.5
BYTES_PER_SHEET_KB = 1000
BATCH_OF_FULLY_CONNECTED = 16
ON_THE_ENGINE = ("nvdla_large", "nvdla_small")
POOLED_PIXELS = {"Conv1 + bn + scale + Relu + Pooling": 4}
LAST_CONVOLUTION = "Res5c_branch2c + bn + scale + Elwise + relu"


@dataclass(frozen=True)
class SheetLayer:
    """One line of the sheet: the loop bounds and what is stored of the output."""

    name: str
    c: int
    h: int
    w: int
    k: int
    r: int
    p: int
    q: int

    @property
    def stride(self) -> int:
        """Rows per output row."""
        return max(round(self.h / self.p), 1)

    @property
    def stored_channels(self) -> int:
        """Input channels in memory: an image's are padded."""
        return ceil_div(self.c, CHANNEL_GRAIN) * CHANNEL_GRAIN

    @property
    def ifmap_kib(self) -> float:
        """The ifmap, read once."""
        return self.stored_channels * self.h * self.w / BYTES_PER_KIB

    @property
    def ofmap_kib(self) -> float:
        """The output as stored: after the pooling that is fused with it."""
        pixels = self.p * self.q / POOLED_PIXELS.get(self.name, 1)
        if self.name == LAST_CONVOLUTION:
            pixels = 1
        return self.k * pixels / BYTES_PER_KIB

    @property
    def operand_kib(self) -> float:
        """What an element-wise addition reads besides."""
        return self.ofmap_kib if "Elwise" in self.name else 0.0

    def weight_kib(self, winograd: bool) -> float:
        """The weights as stored."""
        side = ceil_div(self.r, self.stride) * self.stride
        kib = self.k * self.stored_channels * side * side / BYTES_PER_KIB
        return kib * WINOGRAD_WEIGHTS if winograd and self.r == 3 else kib

    def mac_cycles(self, pes: int, winograd: bool) -> float:
        """Cycles of the array."""
        kernels = max(pes // CHANNELS_PER_CYCLE, 1)
        channels = self.stored_channels
        if channels > CHANNELS_PER_CYCLE:
            channels = ceil_div(channels, CHANNELS_PER_CYCLE) * CHANNELS_PER_CYCLE
        cycles = self.p * self.q * self.r * self.r * ceil_div(self.k, kernels) * kernels
        cycles_of_all = cycles * channels / pes
        return cycles_of_all / WINOGRAD_SPEEDUP if winograd and self.r == 3 else cycles_of_all

    def traffic_kib(self, buffer_kib: float, winograd: bool) -> float:
        """What crosses the DRAM's bus, the ifmap as often as the buffer demands."""
        weights = self.weight_kib(winograd)
        passes = 1
        if self.ifmap_kib > buffer_kib:
            passes = ceil(weights / (buffer_kib * WEIGHT_SHARE_OF_BUFFER))
        return self.ifmap_kib * passes + weights + self.ofmap_kib + self.operand_kib

    def traffic_once_kib(self, winograd: bool) -> float:
        """The sheet's column of bytes: every ifmap once, the classifier's share of a batch."""
        weights = self.weight_kib(winograd)
        if self.h == 1:
            weights /= BATCH_OF_FULLY_CONNECTED
        return self.ifmap_kib + weights + self.ofmap_kib + self.operand_kib


def sheet_layers() -> list[SheetLayer]:
    """The network of the sheet."""
    return [
        SheetLayer(
            line["layer"], *(int(line[column]) for column in ("C", "H", "W", "K", "R", "P", "Q"))
        )
        for line in reference_rows(SHEET)
    ]


def layer_cycles(layer: SheetLayer, spec: AcceleratorSpec, winograd: bool) -> float:
    """The slower of MACs and transfers."""
    kib = layer.traffic_kib(spec.scratchpad.capacity_kib, winograd)
    bytes_per_cycle = spec.dram.peak_bytes_per_s / spec.pe_array.clock_hz
    transfer = kib * BYTES_PER_SHEET_KB / bytes_per_cycle
    return max(layer.mac_cycles(spec.pe_array.pes, winograd), transfer)


def _layer_rows(load: SpecLoader) -> tuple[Row, ...]:
    bandwidth = Override("dram.peak_bytes_per_s", SHEET_BANDWIDTH_BYTES_PER_S)
    spec = load("nvdla_large", [bandwidth])
    rows = []
    cycles = megabytes = 0.0
    for layer, line in zip(sheet_layers(), reference_rows(SHEET), strict=True):
        once = layer.traffic_once_kib(winograd=True)
        paid = layer.traffic_kib(spec.scratchpad.capacity_kib, winograd=True)
        taken = layer_cycles(layer, spec, winograd=True)
        cycles += taken
        megabytes += once * BYTES_PER_SHEET_KB / 1e6
        name = layer.name.split(" + ")[0]
        bytes_per_cycle = SHEET_BANDWIDTH_BYTES_PER_S / 10**9
        paid_by_sheet = float(line["dram_cycles"]) * bytes_per_cycle / BYTES_PER_SHEET_KB
        for quantity, unit, reference, predicted in (
            ("DRAM traffic, each once", "KiB", float(line["dram_KiB(sram=0)"]), once),
            ("DRAM traffic", "KiB", paid_by_sheet, paid),
            ("time", "cycles", float(line["max_cycles"]), taken),
        ):
            rows.append(Row(name, quantity, unit, reference, predicted, "sheet"))
    rows.append(Row("total", "time", "cycles", TOTAL_CYCLES, cycles, "sheet"))
    rows.append(Row("total", "DRAM traffic, each once", "MB", TOTAL_MB, megabytes, "sheet"))
    return tuple(rows)


def frames_per_s(spec: AcceleratorSpec, winograd: bool) -> float:
    """ResNet-50 by the sheet's rules."""
    cycles = ceil(sum(layer_cycles(layer, spec, winograd) for layer in sheet_layers()))
    return PS_PER_S / cycles_to_ps(cycles, spec.pe_array.clock_hz)


def engine_frames_per_s(spec: AcceleratorSpec) -> float:
    """ResNet-50 on the event engine, planned as well as it can be."""
    run = run_workload(resnet50(224, 1000), spec, Policy.ON_DEMAND, [Route(arms=())])
    return PS_PER_S / run.typical.latency_ps


def _frame_rows(load: SpecLoader) -> tuple[Row, ...]:
    rows = []
    for line in reference_rows(FRAME_RATES):
        device, published = line["device"], float(line["frames_per_s"])
        spec = load(device, [])
        by_rules = frames_per_s(spec, line["winograd"] == "yes")
        rows.append(Row(device, "ResNet-50", "frames/s", published, by_rules, "frame rate"))
        if device in ON_THE_ENGINE:
            engine = engine_frames_per_s(spec)
            name = f"{device}, engine"
            rows.append(Row(name, "ResNet-50", "frames/s", published, engine, "engine"))
    return tuple(rows)


LAYER_CASE = Case(
    name="nvdla",
    title="NVDLA's performance sheet, ResNet-50 per layer at 10 GB/s, by its own rules",
    device="nvdla_large, 10 GB/s",
    source="NVIDIA's analytic sheet: a model, not a measurement",
    fitted="the sheet's rules were read off its columns; see simulator/validate/nvdla.py",
    leaves_out=(
        "the event engine: the sheet knows neither latency nor overlap between layers",
        "two lines contradict the sheet's own totals of bytes (Res3a_branch1, fc1000): both "
        "countings are compared, each with its column",
    ),
    bands=(Band("sheet", 0.02, "the same rules; the sheet rounds its classifier's cycles"),),
    rows=_layer_rows,
)
FRAME_CASE = Case(
    name="nvdla_frame_rates",
    title="NVDLA's published frame rates for seven sizes, by the sheet's rules",
    device="nvdla_large, nvdla_1024, nvdla_512, nvdla_256, nvdla_128, nvdla_small, nvdla_32",
    source="nvdla.org primer, 'Example Area and Performance with NVDLA'",
    fitted="nothing beyond the sheet's rules; Winograd is assumed on the largest size only",
    leaves_out=("how the vendor splits the buffer at the smaller sizes",),
    bands=(
        Band("frame rate", 0.20, "the buffer's split is known for 512 KiB only"),
        Band(
            "engine",
            None,
            "the event engine keeps activations on chip between layers, chooses its blocking per "
            "layer and overlaps layers, none of which the published model does",
        ),
    ),
    rows=_frame_rows,
)
