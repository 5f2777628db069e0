"""Energy of a multiply-accumulate by operand widths, number format and technology node.

Points at 45 and 7 nm: Horowitz, "Computing's Energy Problem", ISSCC 2014, and Jouppi et al.,
"Ten Lessons From Three Generations Shaped Google's TPUv4i", ISCA 2021. Between them log-log.
An integer multiplier is an array of one-bit cells: its energy goes with the product of the
widths. An adder's goes with its width.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.cost.interpolation import log_log
from simulator.errors import SpecError
from simulator.spec import NumberFormat, Precision

INT8_MULTIPLY_PJ = {45.0: 0.2, 7.0: 0.07}
INT32_ADD_PJ = {45.0: 0.1, 7.0: 0.03}
FLOAT_MULTIPLY_PJ = {16: {45.0: 1.1, 7.0: 0.34}, 32: {45.0: 3.7, 7.0: 1.31}}
FLOAT_ADD_PJ = {16: {45.0: 0.4, 7.0: 0.16}, 32: {45.0: 0.9, 7.0: 0.38}}
TABLED_NODES_NM = (45.0, 7.0)
SOURCES = "Horowitz ISSCC 2014 (45 nm) and Jouppi et al. ISCA 2021 (7 nm)"


@dataclass(frozen=True)
class MacWidths:
    """Operands and accumulator of one multiply-accumulate."""

    number_format: NumberFormat
    weight_bits: int
    activation_bits: int
    accumulator_bits: int

    @classmethod
    def of(cls, precision: Precision, weight_bits: int | None = None) -> MacWidths:
        """The widths of a spec, with a weight block's own where it has one."""
        return cls(
            precision.format,
            weight_bits or precision.weight_bits,
            precision.activation_bits,
            precision.accumulator_bits,
        )

    def native(self, bits: int) -> MacWidths:
        """The same format with both operands at the array's native width."""
        return MacWidths(self.number_format, bits, bits, self.accumulator_bits)


def mac_pj(widths: MacWidths, node_nm: float) -> float:
    """Energy of one multiply-accumulate.

    In floating point a narrower weight is widened to the activations' format.

    Raises:
        SpecError: floats of another width than 16 or 32 bits.
    """
    if widths.number_format is NumberFormat.FLOAT:
        bits = _float_bits(widths)
        return log_log(FLOAT_MULTIPLY_PJ[bits], node_nm) + log_log(FLOAT_ADD_PJ[bits], node_nm)
    cells = widths.weight_bits * widths.activation_bits
    multiply = log_log(INT8_MULTIPLY_PJ, node_nm) * cells / 64
    return multiply + log_log(INT32_ADD_PJ, node_nm) * widths.accumulator_bits / 32


def mac_source(widths: MacWidths, node_nm: float) -> str:
    """Where `mac_pj` comes from, with its trust mark."""
    between = "" if node_nm in TABLED_NODES_NM else f", log-log at {node_nm:g} nm"
    if widths.number_format is NumberFormat.FLOAT:
        return f"D: fp{_float_bits(widths)} multiply + add, {SOURCES}{between}"
    shape = f"{widths.weight_bits} x {widths.activation_bits} bits"
    scaled = "" if shape == "8 x 8 bits" else f", multiply scaled to {shape}"
    return (
        f"D: int8 multiply + int{widths.accumulator_bits} add, {SOURCES}{between}{scaled}, +-30 %"
    )


def vector_op_pj(node_nm: float) -> float:
    """Energy of one elementary vector operation: a 32-bit integer addition."""
    return log_log(INT32_ADD_PJ, node_nm)


def vector_source(node_nm: float) -> str:
    """Where `vector_op_pj` comes from, with its trust mark."""
    if node_nm in TABLED_NODES_NM:
        return f"S: int32 add, {SOURCES}"
    return f"D: int32 add, {SOURCES}, log-log at {node_nm:g} nm"


def _float_bits(widths: MacWidths) -> int:
    bits = max(widths.weight_bits, widths.activation_bits)
    if widths.activation_bits not in FLOAT_ADD_PJ or bits not in FLOAT_ADD_PJ:
        raise SpecError(
            f"precision.activation_bits: {widths.activation_bits}: format float has 16 or 32 bits"
        )
    return bits
