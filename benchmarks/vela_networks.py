"""Compile int8 networks with Arm's Vela and record the time and traffic it estimates.

Writes networks of `simulator.validate.networks` as .tflite files (batch norm folded, rectifiers
fused, weights uniformly random, so that Vela's weight compression finds nothing to gain, unless
others are asked for) and runs `vela` on them. Needs the packages ethos-u-vela (5.2.0 was used) and
flatbuffers, which nothing else here does; `vela` must be on the path:

    python benchmarks/vela_networks.py FOLDER

FOLDER gets summary.csv (a line per case) and layers.csv (a line per case and operation).
"""

from __future__ import annotations

import csv
import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ethosu.vela.tflite import (
    AddOptions,
    Buffer,
    Conv2DOptions,
    DepthwiseConv2DOptions,
    FullyConnectedOptions,
    Model,
    Operator,
    OperatorCode,
    Pool2DOptions,
    QuantizationParameters,
    ReshapeOptions,
    SubGraph,
    Tensor,
)
from numpy.typing import NDArray

from simulator.ir import Layer, Op, Workload
from simulator.validate.networks import VGG16_STAGES, mobilenet_v1, mobilenet_v2, resnet50, vgg

INT8, INT32 = 9, 2
ADD, AVERAGE_POOL, CONV, DEPTHWISE, FULLY_CONNECTED, MAX_POOL, RESHAPE = 0, 1, 3, 4, 9, 17, 22
CODES = (ADD, AVERAGE_POOL, CONV, DEPTHWISE, FULLY_CONNECTED, MAX_POOL, RESHAPE)
# Members of the schema's union of options.
CONV_OPTIONS, DEPTHWISE_OPTIONS, POOL_OPTIONS = 1, 2, 5
FULLY_OPTIONS, ADD_OPTIONS, RESHAPE_OPTIONS = 8, 11, 17
SAME, VALID, RELU = 0, 1, 1


class Weights(StrEnum):
    """What the weights are: how well they compress, and how long Vela takes to try, hangs on it.

    UNIFORM ones do not compress. GAUSSIAN ones, quantised channel by channel so that the largest
    is 127, are close to those of trained networks. ZERO ones cost hardly anything.
    """

    UNIFORM = "uniform"
    GAUSSIAN = "gaussian"
    ZERO = "zero"

    def draw(
        self, random: np.random.Generator, shape: list[int], channel_axis: int
    ) -> NDArray[np.int8]:
        """Weights of one layer."""
        match self:
            case Weights.UNIFORM:
                return random.integers(-127, 128, shape, dtype=np.int8)
            case Weights.ZERO:
                return np.zeros(shape, np.int8)
            case Weights.GAUSSIAN:
                values = random.standard_normal(shape)
                others = tuple(axis for axis in range(len(shape)) if axis != channel_axis)
                largest = np.abs(values).max(axis=others, keepdims=True)
                return np.rint(127 * values / largest).astype(np.int8)


class Writer:
    """Collects tensors and operators of one subgraph, then writes the file."""

    def __init__(self, weights: Weights) -> None:
        self.kind = weights
        self.builder = flatbuffers.Builder(1 << 28)
        self.random = np.random.default_rng(0)
        self.buffers = [self._buffer(None)]
        self.tensors: list[int] = []
        self.operators: list[int] = []

    def _buffer(self, data: bytes | None) -> int:
        vector = self.builder.CreateByteVector(data) if data else None
        Buffer.Start(self.builder)
        if vector is not None:
            Buffer.AddData(self.builder, vector)
        return Buffer.End(self.builder)

    def ints(self, values: list[int]) -> int:
        """A vector of 32-bit integers."""
        return self.builder.CreateNumpyVector(np.array(values, dtype=np.int32))

    def tensor(
        self, name: str, shape: list[int], kind: int = INT8, data: bytes | None = None
    ) -> int:
        """Add a tensor quantised with scale 0.05 and zero point 0; returns its index."""
        b = self.builder
        index = 0
        if data is not None:
            self.buffers.append(self._buffer(data))
            index = len(self.buffers) - 1
        text, dims = b.CreateString(name), self.ints(shape)
        scale = b.CreateNumpyVector(np.array([0.05 if kind == INT8 else 0.0025], np.float32))
        zero = b.CreateNumpyVector(np.array([0], np.int64))
        QuantizationParameters.Start(b)
        QuantizationParameters.AddScale(b, scale)
        QuantizationParameters.AddZeroPoint(b, zero)
        quantization = QuantizationParameters.End(b)
        Tensor.Start(b)
        Tensor.AddShape(b, dims)
        Tensor.AddType(b, kind)
        Tensor.AddBuffer(b, index)
        Tensor.AddName(b, text)
        Tensor.AddQuantization(b, quantization)
        self.tensors.append(Tensor.End(b))
        return len(self.tensors) - 1

    def weights(self, name: str, shape: list[int], channels: int) -> list[int]:
        """Weights and a zero bias per output channel, which is the first axis or the last."""
        channel_axis = 0 if shape[0] == channels else len(shape) - 1
        values = self.kind.draw(self.random, shape, channel_axis)
        bias = np.zeros(channels, np.int32).tobytes()
        return [
            self.tensor(f"{name}.w", shape, data=values.tobytes()),
            self.tensor(f"{name}.b", [channels], INT32, bias),
        ]

    def operator(
        self, code: int, inputs: list[int], output: int, options: tuple[int, Any, dict[str, int]]
    ) -> None:
        """Add an operator; options are the union's member, its module and its fields."""
        kind, module, fields = options
        b = self.builder
        module.Start(b)
        for field, value in fields.items():
            getattr(module, f"Add{field}")(b, value)
        built = module.End(b)
        ins, outs = self.ints(inputs), self.ints([output])
        Operator.Start(b)
        Operator.AddOpcodeIndex(b, CODES.index(code))
        Operator.AddInputs(b, ins)
        Operator.AddOutputs(b, outs)
        Operator.AddBuiltinOptionsType(b, kind)
        Operator.AddBuiltinOptions(b, built)
        self.operators.append(Operator.End(b))

    def _offsets(self, values: list[int]) -> int:
        self.builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            self.builder.PrependUOffsetTRelative(value)
        return self.builder.EndVector()

    def finish(self, inputs: list[int], outputs: list[int]) -> bytes:
        """The complete file."""
        b = self.builder
        codes = []
        for code in CODES:
            OperatorCode.Start(b)
            OperatorCode.AddDeprecatedBuiltinCode(b, code)
            OperatorCode.AddBuiltinCode(b, code)
            OperatorCode.AddVersion(b, 1)
            codes.append(OperatorCode.End(b))
        tensors, operators = self._offsets(self.tensors), self._offsets(self.operators)
        ins, outs, name = self.ints(inputs), self.ints(outputs), b.CreateString("main")
        SubGraph.Start(b)
        SubGraph.AddTensors(b, tensors)
        SubGraph.AddInputs(b, ins)
        SubGraph.AddOutputs(b, outs)
        SubGraph.AddOperators(b, operators)
        SubGraph.AddName(b, name)
        graph = self._offsets([SubGraph.End(b)])
        all_codes, all_buffers = self._offsets(codes), self._offsets(self.buffers)
        Model.Start(b)
        Model.AddVersion(b, 3)
        Model.AddOperatorCodes(b, all_codes)
        Model.AddSubgraphs(b, graph)
        Model.AddBuffers(b, all_buffers)
        b.Finish(Model.End(b), file_identifier=b"TFL3")
        return bytes(b.Output())


def write_network(workload: Workload, weights: Weights = Weights.UNIFORM) -> bytes:
    """The network's convolutions, pools, additions and matrix products, in NHWC."""
    (segment,) = workload.program.segments()
    writer = Writer(weights)
    (image,) = workload.program.inputs
    first = out = writer.tensor("input", _nhwc(image.shape))
    at = {image.name: first}
    added = {t.name for layer in segment.layers if layer.op is Op.ADD for t in layer.ifmaps}
    for layer in segment.layers:
        fused = {} if layer.ofmap.name in added else {"FusedActivationFunction": RELU}
        out = writer.tensor(layer.name, _nhwc(layer.ofmap.shape))
        sources = [at[t.name] for t in layer.ifmaps]
        at[layer.ofmap.name] = out
        _operator(writer, layer, (sources, out), fused)
    return writer.finish([first], [out])


def _nhwc(shape: tuple[int, ...]) -> list[int]:
    return [shape[0], shape[2], shape[3], shape[1]] if len(shape) == 4 else list(shape)


def _operator(
    writer: Writer, layer: Layer, ends: tuple[list[int], int], fused: dict[str, int]
) -> None:
    """One layer as an operator with weights of its own."""
    (sources, out), d = ends, layer.dims
    stride = {"StrideH": d.stride[0], "StrideW": d.stride[1]}
    if layer.op is Op.CONV2D and d.groups > 1:
        steps = {"DilationHFactor": 1, "DilationWFactor": 1, "Padding": SAME, "DepthMultiplier": 1}
        options = (DEPTHWISE_OPTIONS, DepthwiseConv2DOptions, {**stride, **steps, **fused})
        parameters = writer.weights(layer.name, [1, d.r, d.s, d.c], d.c)
        writer.operator(DEPTHWISE, [*sources, *parameters], out, options)
    elif layer.op is Op.CONV2D:
        steps = {"DilationHFactor": 1, "DilationWFactor": 1, "Padding": SAME}
        options = (CONV_OPTIONS, Conv2DOptions, {**stride, **steps, **fused})
        parameters = writer.weights(layer.name, [d.k, d.r, d.s, d.c], d.k)
        writer.operator(CONV, [*sources, *parameters], out, options)
    elif layer.op is Op.MAX_POOL:
        fields = {**stride, "FilterHeight": d.r, "FilterWidth": d.s, "Padding": SAME}
        writer.operator(MAX_POOL, sources, out, (POOL_OPTIONS, Pool2DOptions, fields))
    elif layer.op is Op.ADAPTIVE_AVG_POOL:
        side = layer.ifmaps[0].shape[2]
        fields = dict.fromkeys(("StrideH", "StrideW", "FilterHeight", "FilterWidth"), side)
        fields["Padding"] = VALID
        # One pixel per channel: written with its two spatial sides, and flattened behind.
        pooled = writer.tensor(f"{layer.name}.pooled", [1, 1, 1, d.c])
        writer.operator(AVERAGE_POOL, sources, pooled, (POOL_OPTIONS, Pool2DOptions, fields))
        _reshape(writer, pooled, out, d.c)
    elif layer.op is Op.ADD:
        writer.operator(
            ADD, sources, out, (ADD_OPTIONS, AddOptions, {"FusedActivationFunction": RELU})
        )
    else:
        flat = sources[0]
        if len(layer.ifmaps[0].shape) == 4:
            flat = writer.tensor(f"{layer.name}.flat", [1, d.c])
            _reshape(writer, sources[0], flat, d.c)
        parameters = writer.weights(layer.name, [d.k, d.c], d.k)
        options = (FULLY_OPTIONS, FullyConnectedOptions, {})
        writer.operator(FULLY_CONNECTED, [flat, *parameters], out, options)


def _reshape(writer: Writer, source: int, out: int, channels: int) -> None:
    new_shape = writer.ints([1, channels])
    options = (RESHAPE_OPTIONS, ReshapeOptions, {"NewShape": new_shape})
    writer.operator(RESHAPE, [source], out, options)


@dataclass(frozen=True)
class Setup:
    """One network on one configuration of Vela's own."""

    network: str
    accelerator: str
    system: str
    memory: str
    cache_bytes: int | None = None

    def compile(self, model: Path) -> tuple[dict[str, str], list[dict[str, str]]]:
        """Vela's own summary, and its line per operation."""
        folder = model.parent / "output"
        command = ["vela", str(model), "--output-dir", str(folder), "--config", "Arm/vela.ini"]
        command += ["--accelerator-config", self.accelerator, "--system-config", self.system]
        command += ["--memory-mode", self.memory, "--verbose-performance"]
        if self.cache_bytes is not None:
            command += ["--arena-cache-size", str(self.cache_bytes)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own words
        with next(folder.glob("*summary*.csv")).open(encoding="utf-8") as file:
            summary = list(csv.DictReader(file))[-1]
        with next(folder.glob("*per-layer.csv")).open(encoding="utf-8") as file:
            layers = [line for line in csv.DictReader(file) if float(line["Op Cycles"])]
        for path in folder.iterdir():
            path.unlink()
        return summary, layers


HIGH_END = "Ethos_U65_High_End"
EMBEDDED = "Ethos_U55_High_End_Embedded"
SETUPS = {
    "resnet50, U65-256, 384 KiB": Setup(
        "resnet50", "ethos-u65-256", HIGH_END, "Dedicated_Sram_384KB"
    ),
    "resnet50, U65-256, uncapped": Setup(
        "resnet50", "ethos-u65-256", HIGH_END, "Dedicated_Sram", 2**32 - 16
    ),
    "vgg16, U65-256, 384 KiB": Setup("vgg16", "ethos-u65-256", HIGH_END, "Dedicated_Sram_384KB"),
    "mobilenet_v2, U65-512, 384 KiB": Setup(
        "mobilenet_v2", "ethos-u65-512", HIGH_END, "Dedicated_Sram_384KB"
    ),
    "resnet50, U65-512, 512 KiB": Setup(
        "resnet50", "ethos-u65-512", HIGH_END, "Dedicated_Sram_512KB"
    ),
    "mobilenet_v1, U55-256, 2 MiB": Setup(
        "mobilenet_v1", "ethos-u55-256", EMBEDDED, "Shared_Sram", 2**21
    ),
    "mobilenet_v1, U65-256, 256 KiB": Setup(
        "mobilenet_v1", "ethos-u65-256", HIGH_END, "Dedicated_Sram_256KB"
    ),
    "resnet50, U55-256, 2 MiB": Setup("resnet50", "ethos-u55-256", EMBEDDED, "Shared_Sram", 2**21),
    "resnet50, U85-256, 512 KiB": Setup(
        "resnet50", "ethos-u85-256", "Ethos_U85_SYS_DRAM_Mid", "Dedicated_Sram_512KB"
    ),
    "mobilenet_v2, U55-128, 2 MiB": Setup(
        "mobilenet_v2", "ethos-u55-128", EMBEDDED, "Shared_Sram", 2**21
    ),
}
NETWORKS = {
    "resnet50": partial(resnet50, 224, 1000),
    "vgg16": partial(vgg, VGG16_STAGES),
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
}
OFF_CHIP = ("dram", "off_chip_flash")


def summary_row(name: str, summary: dict[str, str]) -> dict[str, object]:
    """Time in Vela's cycles, and what crosses the edge of the chip."""
    total = sum(float(summary[f"{memory}_total_bytes"]) for memory in OFF_CHIP)
    weights = sum(float(summary[f"{memory}_weight_read_bytes"]) for memory in OFF_CHIP)
    return {
        "case": name,
        "cycles": int(float(summary["cycles_total"])),
        "off_chip_bytes": int(total),
        "weight_read_bytes": int(weights),
        "macs": summary["nn_macs"],
    }


def main() -> None:
    """Write each network once, compile every case and tabulate what Vela says of it."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    cases, operations = [], []
    for name, setup in SETUPS.items():
        model = folder / f"{setup.network}.tflite"
        if not model.exists():
            model.write_bytes(write_network(NETWORKS[setup.network]()))
        summary, layers = setup.compile(model)
        cases.append(summary_row(name, summary))
        operations += [
            {
                "case": name,
                "layer": line["Name"],
                "cycles": int(float(line["Op Cycles"])),
                "dram_cycles": int(float(line["DRAM AC"]) + float(line["OffFlash AC"])),
            }
            for line in layers
        ]
    for file_name, lines in (("summary.csv", cases), ("layers.csv", operations)):
        with (folder / file_name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, lines[0])
            writer.writeheader()
            writer.writerows(lines)


if __name__ == "__main__":
    main()
