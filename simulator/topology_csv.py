"""Reads SCALE-Sim topology files (arXiv 1811.02883): convolutions or matrix products, one per row.

Such a file lists layers without saying how they connect, so each layer reads an input of its
own and every output is an output of the network. There is no padding: the heights and widths
are those of the padded ifmap.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from simulator.errors import ProgramError
from simulator.ir import Dims, Layer, Op, Program, Segment, Tensor, WeightBlock, Workload
from simulator.units import ceil_div
from simulator.validation import first_problem

CONV_COLUMNS = (
    "IFMAP Height",
    "IFMAP Width",
    "Filter Height",
    "Filter Width",
    "Channels",
    "Num Filter",
    "Strides",
)
GEMM_COLUMNS = ("M", "N", "K")
UNSAFE = re.compile(r"[^A-Za-z0-9_.:/\-]+")


def workload_from_topology(text: str, origin: str) -> Workload:
    """Parse a topology file's text; `origin` is its path, which names the workload.

    The first line is the header. Rows of three numbers are matrix products M, N, K (M rows of
    the left matrix, N columns of the right one); rows of seven are convolutions.

    Raises:
        ProgramError: naming the line, the column and what would be right.
    """
    rows = [
        (number, fields)
        for number, fields in enumerate(csv.reader(text.splitlines()), start=1)
        if any(field.strip() for field in fields)
    ]
    if len(rows) < 2:
        raise ProgramError(f"{origin}: no layers; expected a header line and one line per layer")
    columns = GEMM_COLUMNS if len(_trimmed(rows[0][1])) == 4 else CONV_COLUMNS
    names: set[str] = set()
    layers = []
    for number, fields in rows[1:]:
        where = f"{origin}: line {number}"
        name, *numbers = _trimmed(fields)
        name = _unique(UNSAFE.sub("_", name.strip()) or "layer", names)
        values = _numbers(numbers, columns, where)
        build = _product if columns is GEMM_COLUMNS else _convolution
        layers.append(build(name, values, where))
    stem = UNSAFE.sub("_", Path(origin).stem) or "topology"
    try:
        return Workload(
            name=stem,
            description=f"{len(layers)} unconnected layers of a SCALE-Sim topology",
            source=f"SCALE-Sim topology file {Path(origin).name}",
            program=Program(
                inputs=tuple(layer.ifmaps[0] for layer in layers),
                steps=(Segment(name=stem, layers=tuple(layers)),),
            ),
        )
    except ValidationError as error:
        raise ProgramError(f"{origin}: {first_problem(error)}") from None


def _trimmed(fields: Iterable[str]) -> list[str]:
    """A row without the empty field that its closing comma leaves."""
    row = list(fields)
    while row and not row[-1].strip():
        row.pop()
    return row


def _unique(name: str, taken: set[str]) -> str:
    """The name, numbered if an earlier layer has it."""
    candidate, n = name, 1
    while candidate in taken:
        n += 1
        candidate = f"{name}.{n}"
    taken.add(candidate)
    return candidate


def _numbers(fields: list[str], columns: tuple[str, ...], where: str) -> list[int]:
    if len(fields) < len(columns):
        raise ProgramError(
            f"{where}: {columns[len(fields)]}: missing; expected a name and {len(columns)} numbers"
        )
    values = []
    for column, field in zip(columns, fields, strict=False):
        try:
            value = int(field)
        except ValueError:
            value = 0
        if not 1 <= value <= 2**24:
            raise ProgramError(
                f"{where}: {column}: is {field.strip()!r}, must be a whole number from 1 to 2^24"
            )
        values.append(value)
    return values


def _convolution(name: str, values: list[int], where: str) -> Layer:
    height, width, r, s, c, k, stride = values
    if r > height or s > width:
        raise ProgramError(
            f"{where}: Filter Height x Width: {r} x {s} exceeds the ifmap's {height} x {width}"
        )
    p, q = ceil_div(height - r + stride, stride), ceil_div(width - s + stride, stride)
    return Layer(
        name=name,
        op=Op.CONV2D,
        dims=Dims(k=k, c=c, p=p, q=q, r=r, s=s, stride=(stride, stride)),
        ifmaps=(Tensor(name=f"{name}.ifmap", shape=(1, c, height, width)),),
        ofmap=Tensor(name=f"{name}.ofmap", shape=(1, k, p, q)),
        weights=(WeightBlock(name=f"{name}.weight", params=k * c * r * s),),
    )


def _product(name: str, values: list[int], where: str) -> Layer:
    m, n, k = values
    return Layer(
        name=name,
        op=Op.LINEAR,
        dims=Dims(k=n, c=k, p=m),
        ifmaps=(Tensor(name=f"{name}.ifmap", shape=(1, m, k)),),
        ofmap=Tensor(name=f"{name}.ofmap", shape=(1, m, n)),
        weights=(WeightBlock(name=f"{name}.weight", params=n * k),),
    )
