"""Compile an int8 ResNet-50 with Arm's Vela and record the time and traffic it estimates.

Writes the shipped `dense_resnet50` program as a .tflite file (batch norm folded, rectifiers fused,
weights uniformly random, so that Vela's weight compression finds nothing to gain) and runs
`vela` on it. Needs the packages ethos-u-vela (5.2.0 was used) and flatbuffers, which nothing
else here does:

    python benchmarks/vela_resnet50.py FOLDER
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ethosu.vela.tflite import (
    AddOptions,
    Buffer,
    Conv2DOptions,
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

PROGRAM = Path(__file__).parent.parent / "workloads/programs/dense_resnet50.json"
INT8, INT32 = 9, 2
ADD, AVERAGE_POOL, CONV, FULLY_CONNECTED, MAX_POOL, RESHAPE = 0, 1, 3, 9, 17, 22
CODES = (ADD, AVERAGE_POOL, CONV, FULLY_CONNECTED, MAX_POOL, RESHAPE)
# Members of the schema's union of options.
CONV_OPTIONS, POOL_OPTIONS, FULLY_OPTIONS, ADD_OPTIONS, RESHAPE_OPTIONS = 1, 5, 8, 11, 17
SAME, VALID, RELU = 0, 1, 1
CASES = {
    "384 KiB": ("ethos-u65-256", "Ethos_U65_High_End", "Dedicated_Sram_384KB", None),
    "uncapped": ("ethos-u65-256", "Ethos_U65_High_End", "Dedicated_Sram", 2**32 - 16),
}


class Writer:
    """Collects tensors and operators of one subgraph, then writes the file."""

    def __init__(self) -> None:
        self.builder = flatbuffers.Builder(1 << 26)
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

    def weights(self, name: str, shape: list[int]) -> list[int]:
        """Random weights and a zero bias per output channel."""
        values = self.random.integers(-127, 128, shape, dtype=np.int8)
        bias = np.zeros(shape[0], np.int32).tobytes()
        return [
            self.tensor(f"{name}.w", shape, data=values.tobytes()),
            self.tensor(f"{name}.b", [shape[0]], INT32, bias),
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


def write_network() -> bytes:
    """The program's convolutions, pools, additions and its classifier, in NHWC."""
    layers = json.loads(PROGRAM.read_text(encoding="utf-8"))["program"]["steps"][0]["layers"]
    writer = Writer()
    first = writer.tensor("input", [1, 224, 224, 3])
    at = {"input": first}
    rectified = {layer["ifmaps"][0]["name"] for layer in layers if layer["op"] == "relu"}
    normalised = {
        layer["ifmaps"][0]["name"]: layer["ofmap"]["name"]
        for layer in layers
        if layer["op"] == "batch_norm"
    }
    for layer in layers:
        name, op, dims = layer["name"], layer["op"], layer["dims"]
        source = at[layer["ifmaps"][0]["name"]]
        if op in ("batch_norm", "relu"):
            at[layer["ofmap"]["name"]] = source
            continue
        after = normalised.get(layer["ofmap"]["name"], layer["ofmap"]["name"])
        fused = {"FusedActivationFunction": RELU} if after in rectified else {}
        shape = layer["ofmap"]["shape"]
        if len(shape) == 4:
            shape = [shape[0], shape[2], shape[3], shape[1]]
        stride = dict(zip(("StrideH", "StrideW"), dims.get("stride", (1, 1)), strict=True))
        window = {"FilterHeight": dims.get("r", 1), "FilterWidth": dims.get("s", 1)}
        out = writer.tensor(name, shape)
        at[layer["ofmap"]["name"]] = out
        if op == "conv2d":
            taps = [dims["k"], dims.get("r", 1), dims.get("s", 1), dims["c"]]
            steps = {"DilationHFactor": 1, "DilationWFactor": 1, "Padding": SAME}
            options = (CONV_OPTIONS, Conv2DOptions, {**stride, **steps, **fused})
            writer.operator(CONV, [source, *writer.weights(name, taps)], out, options)
        elif op == "max_pool":
            fields = {**stride, **window, "Padding": SAME}
            writer.operator(MAX_POOL, [source], out, (POOL_OPTIONS, Pool2DOptions, fields))
        elif op == "adaptive_avg_pool":
            fields = {"StrideH": 7, "StrideW": 7, "FilterHeight": 7, "FilterWidth": 7}
            fields["Padding"] = VALID
            writer.operator(AVERAGE_POOL, [source], out, (POOL_OPTIONS, Pool2DOptions, fields))
        elif op == "add":
            both = [at[ifmap["name"]] for ifmap in layer["ifmaps"]]
            writer.operator(ADD, both, out, (ADD_OPTIONS, AddOptions, fused))
        else:
            flat = writer.tensor("flat", [1, dims["c"]])
            new_shape = writer.ints([1, dims["c"]])
            reshape = (RESHAPE_OPTIONS, ReshapeOptions, {"NewShape": new_shape})
            writer.operator(RESHAPE, [source], flat, reshape)
            parameters = writer.weights(name, [dims["k"], dims["c"]])
            options = (FULLY_OPTIONS, FullyConnectedOptions, {})
            writer.operator(FULLY_CONNECTED, [flat, *parameters], out, options)
    return writer.finish([first], [out])


def compile_with_vela(model: Path, case: tuple[str, str, str, int | None]) -> dict[str, str]:
    """Vela's own summary of one configuration."""
    accelerator, system, memory, cache = case
    folder = model.parent / "output"
    command = ["vela", str(model), "--output-dir", str(folder), "--config", "Arm/vela.ini"]
    command += ["--accelerator-config", accelerator, "--system-config", system]
    command += ["--memory-mode", memory]
    command += ["--arena-cache-size", str(cache)] if cache else []
    subprocess.run(command, check=True, stdout=sys.stderr)  # noqa: S603 - our own words
    with next(folder.glob("*summary*.csv")).open(encoding="utf-8") as file:
        row = list(csv.DictReader(file))[-1]
    for path in folder.iterdir():
        path.unlink()
    return row


def main() -> None:
    """Write the network and print what Vela says of each case, as JSON."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "resnet50_int8.tflite"
    model.write_bytes(write_network())
    found = {name: compile_with_vela(model, case) for name, case in CASES.items()}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
