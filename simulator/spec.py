"""What an accelerator is made of: PE array, vector unit, scratchpad, DMA, DRAM, energy.

A spec is data. Each number names its source in the spec's own `sources` table, keyed by the
dotted field, as ``MARK: text`` with MARK one of S (read in the source), D (arithmetic on S),
R (produced by running a public tool) or ``assumed``.
"""

from __future__ import annotations

import re
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Self

from pydantic import Field, model_validator

from simulator.block_buffer import BlockBuffer
from simulator.spec_base import Part
from simulator.spec_base import real as _real
from simulator.spec_base import whole as _whole
from simulator.spec_dram import Dram
from simulator.units import BYTES_PER_KIB, cycles_to_ps, ns_to_ps

RATED_BITS = (4, 8, 16, 32)
DERIVABLE_ENERGY = (
    "mac_pj",
    "vector_op_pj",
    "scratchpad_read_pj_per_byte",
    "scratchpad_write_pj_per_byte",
    "scratchpad_static_w",
)
"""Energy constants that a technology node can stand in for."""

DRAM_ENERGY = ("dram_read_pj_per_byte", "dram_write_pj_per_byte", "dram_static_w")
"""Energy constants that a DRAM device can stand in for."""

SOURCE_PATTERN = re.compile(r"^(S|D|R|assumed): .{3,}", re.DOTALL)


class Dataflow(StrEnum):
    """How a tile's loop nest is laid over the PE array.

    weight_, output_ and input_stationary are systolic arrays whose fold of rows x cols pays
    its fill and drain. dot_product is a C x K array (NVDLA, arXiv-free public documentation):
    `rows` input channels are reduced for `cols` output channels in one cycle. ideal is a bound,
    not hardware: every PE busy in every cycle.
    """

    WEIGHT_STATIONARY = "weight_stationary"
    OUTPUT_STATIONARY = "output_stationary"
    INPUT_STATIONARY = "input_stationary"
    DOT_PRODUCT = "dot_product"
    IDEAL = "ideal"


class Location(StrEnum):
    """Where a network's input arrives and its output is wanted."""

    DRAM = "dram"
    SCRATCHPAD = "scratchpad"


Rate = Annotated[float, _real(1 / 256, 256)]
Bits = Annotated[int, _whole(1, 64)]


class PeArray(Part):
    """The multiply-accumulate array: rows x cols PEs, one MAC per PE and cycle.

    A dot_product array may have `parallel_pixels` such planes, each on its own output pixel.
    `weight_pass_cycles` at a time it works through the weights of one filter tap and so many
    times `rows` input channels, or of so many taps and `rows` input channels.
    That rate holds for operands of `native_bits`. `rate_at_N_bits` is the multiple of it that
    N-bit operands reach. A width that is not listed is padded to the next listed one above it;
    beyond the widest, a MAC takes as many passes as the widths' ratio says.
    """

    rows: Annotated[int, _whole(1, 4096)]
    cols: Annotated[int, _whole(1, 4096)]
    dataflow: Dataflow
    clock_hz: Annotated[int, _whole(10**6, 10**11)]
    parallel_groups: Annotated[int, _whole(1, 4096)] = 1
    pass_setup_cycles: Annotated[int, _whole(0, 2**20)] = 0
    parallel_pixels: Annotated[int, _whole(1, 4096)] = 1
    weight_pass_cycles: Annotated[int, _whole(1, 64)] | None = None
    native_bits: Bits = 8
    rate_at_4_bits: Rate | None = None
    rate_at_8_bits: Rate | None = None
    rate_at_16_bits: Rate | None = None
    rate_at_32_bits: Rate | None = None

    @property
    def pes(self) -> int:
        """Processing elements, which is also the peak MACs per cycle."""
        return self.rows * self.cols * self.parallel_pixels

    @model_validator(mode="after")
    def _pixels_of_a_dot_product(self) -> Self:
        if self.parallel_pixels > 1 and self.dataflow is not Dataflow.DOT_PRODUCT:
            raise ValueError(
                f"parallel_pixels: {self.parallel_pixels}: only a dot_product array works on "
                "several output pixels at once"
            )
        return self

    def mac_rate(self, weight_bits: int, activation_bits: int) -> Fraction:
        """MACs per PE and cycle; activations count where they are wider than native ones."""
        rates = {self.native_bits: Fraction(1)}
        for bits in RATED_BITS:
            rate = getattr(self, f"rate_at_{bits}_bits")
            if rate is not None:
                rates[bits] = Fraction(rate).limit_denominator(256)
        width = weight_bits
        if activation_bits > self.native_bits:
            width = max(width, activation_bits)
        above = [bits for bits in rates if bits >= width]
        if above:
            return rates[min(above)]
        widest = max(rates)
        return rates[widest] / -(-width // widest)


class VectorUnit(Part):
    """Pooling, addition, normalisation, activation and argmax: one lane-op per lane and cycle.

    `addition_cycles_per_element` is the pace of an addition of two tensors that no array's output
    streams into, `pooling_cycles_per_element` that of pooling per element of a window; left out,
    they are the lanes'. Outputs of the array, scaled and stored even where no layer follows, are
    no faster than `output_cycles_per_element`.
    """

    lanes: Annotated[int, _whole(1, 2**20)]
    clock_hz: Annotated[int, _whole(10**6, 10**11)]
    addition_cycles_per_element: Annotated[float, _real(1e-6, 1e3)] | None = None
    pooling_cycles_per_element: Annotated[float, _real(1e-6, 1e3)] | None = None
    output_cycles_per_element: Annotated[float, _real(0, 1e3)] = 0.0


class Sequencer(Part):
    """Dispatches tiles; `branch_latency_ns` passes from a router's argmax to the next command."""

    branch_latency_ns: Annotated[float, _real(0, 1e9)]


class Scratchpad(Part):
    """Software-managed on-chip SRAM: `banks` banks of equal size, each `ports` wide open.

    A port of a bank moves `bank_bytes_per_cycle` per PE clock cycle. With one port, the bank that
    the DMA is at is lost to the PE array; with two or more it is not.
    """

    capacity_kib: Annotated[int, _whole(1, 2**22)]
    banks: Annotated[int, _whole(1, 4096)]
    ports: Annotated[int, _whole(1, 8)]
    bank_bytes_per_cycle: Annotated[int, _whole(1, 4096)]

    @property
    def capacity_bytes(self) -> int:
        """Capacity in bytes."""
        return self.capacity_kib * BYTES_PER_KIB

    @property
    def bank_bytes(self) -> int:
        """Capacity of one bank."""
        return self.capacity_bytes // self.banks


class Dma(Part):
    """Moves data between DRAM and scratchpad: commands in order, `channels` of them in flight.

    Speculative loads are served `preemption_bytes` at a time: a command that becomes ready waits
    for no more than that. The default is the 4 KiB that no AXI burst may cross (AMBA AXI protocol
    specification, Arm IHI 0022, burst address rules), where a DMA must arbitrate anew anyway.
    """

    channels: Annotated[int, _whole(1, 64)]
    descriptor_latency_ns: Annotated[float, _real(0, 1e6)]
    outstanding_requests: Annotated[int, _whole(1, 65536)]
    preemption_bytes: Annotated[int, _whole(1, 2**30)] = 4096


class Io(Part):
    """Where the network's input lies when an inference starts and where its output must go."""

    input_location: Location = Location.DRAM
    output_location: Location = Location.DRAM


class NumberFormat(StrEnum):
    """What weights and activations are: integers of any width, or floats of 16 or 32 bits."""

    INTEGER = "integer"
    FLOAT = "float"


class Toolchain(Part):
    """What the device's compiler and host impose on every network; the defaults impose nothing.

    Every layer is preceded by `layer_setup_ns` of configuring the unit that runs it, every
    inference by `inference_setup_ns` of invocation by the host. A tile has at most
    `tile_pixels` output pixels. Without `keeps_streamed_weights` no buffer holds a weight that
    is not pinned: it is fetched anew for every tile of output rows. At most
    `weight_capacity_kib` of the scratchpad hold pinned weights. Without `overlaps_transfers`
    nothing is loaded for a tile before the one before it is done. Weights are fetched at most
    `prefetch_layers` layers ahead, as far as they fit if left out. Without `fuses_additions` an
    addition of two tensors is a layer of its own. Output values leave the device
    `output_bits` wide.
    """

    layer_setup_ns: Annotated[float, _real(0, 1e9)] = 0.0
    inference_setup_ns: Annotated[float, _real(0, 1e9)] = 0.0
    tile_pixels: Annotated[int, _whole(1, 2**30)] | None = None
    keeps_streamed_weights: bool = True
    overlaps_transfers: bool = True
    prefetch_layers: Annotated[int, _whole(0, 4096)] | None = None
    fuses_additions: bool = True
    weight_capacity_kib: Annotated[int, _whole(1, 2**22)] | None = None
    output_bits: Bits | None = None


class Precision(Part):
    """Bits per value of each kind of tensor; `format` is that of weights and activations."""

    format: NumberFormat = NumberFormat.INTEGER
    weight_bits: Bits
    activation_bits: Bits
    accumulator_bits: Bits
    index_bits: Bits


class Energy(Part):
    """Energy per event and static power; scratchpad and DRAM energy is per byte moved.

    `mac_pj` holds for operands of the array's native width. Constants that are left out are
    derived from `node_nm` (and the bank size and `temperature_k` for the scratchpad: 350 K if
    left out), those of DRAM from `dram.device`, see `simulator.cost.energy_table`. Beside a device
    DRAM energy per byte is that of the column access alone: activates and refreshes come on top.
    """

    node_nm: Annotated[float, _real(7, 45)] | None = None
    temperature_k: Annotated[float, _real(300, 350)] | None = None
    mac_pj: Annotated[float, _real(0, 1e6)] | None = None
    vector_op_pj: Annotated[float, _real(0, 1e6)] | None = None
    scratchpad_read_pj_per_byte: Annotated[float, _real(0, 1e6)] | None = None
    scratchpad_write_pj_per_byte: Annotated[float, _real(0, 1e6)] | None = None
    dram_read_pj_per_byte: Annotated[float, _real(0, 1e6)] | None = None
    dram_write_pj_per_byte: Annotated[float, _real(0, 1e6)] | None = None
    logic_static_w: Annotated[float, _real(0, 1e4)]
    scratchpad_static_w: Annotated[float, _real(0, 1e4)] | None = None
    dram_static_w: Annotated[float, _real(0, 1e4)] | None = None

    @model_validator(mode="after")
    def _derivable(self) -> Self:
        absent = [name for name in DERIVABLE_ENERGY if getattr(self, name) is None]
        if absent and self.node_nm is None:
            raise ValueError(f"{absent[0]}: missing; give it, or node_nm to derive it from")
        return self


class AcceleratorSpec(Part):
    """One accelerator, complete; see accelerator_specs/README.md for every field."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    description: str
    pe_array: PeArray
    vector_unit: VectorUnit
    sequencer: Sequencer
    scratchpad: Scratchpad
    dma: Dma
    dram: Dram
    io: Io = Io()
    toolchain: Toolchain = Toolchain()
    block_buffer: BlockBuffer | None = None
    precision: Precision
    energy: Energy
    sources: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.scratchpad.capacity_bytes % self.scratchpad.banks:
            raise ValueError(
                f"scratchpad.banks: {self.scratchpad.banks} banks do not divide "
                f"scratchpad.capacity_kib {self.scratchpad.capacity_kib} evenly"
            )
        if self.dram.device is None:
            for name in DRAM_ENERGY:
                if getattr(self.energy, name) is None:
                    raise ValueError(
                        f"energy.{name}: missing; give it, or dram.device to derive it from"
                    )
        known = set(self.numbers())
        for field, source in self.sources.items():
            if field not in known:
                raise ValueError(f"sources.{field}: no such number in this spec")
            if not SOURCE_PATTERN.match(source):
                raise ValueError(
                    f"sources.{field}: {source!r} must start with a mark: 'S: ', 'D: ', 'R: ' "
                    "or 'assumed: '"
                )
        if self.compute_bytes_per_cycle < 1:
            raise ValueError(
                "scratchpad.ports: the DMA takes the only port of the only bank; "
                "more banks or a second port are needed"
            )
        return self

    def numbers(self) -> dict[str, int | float]:
        """Every numeric field by its dotted name; a default left alone needs no source."""
        found: dict[str, int | float] = {}
        for part_name in type(self).model_fields:
            part = getattr(self, part_name)
            if not isinstance(part, Part):
                continue
            derived, declared = part.derived(), type(part).model_fields
            for field, value in part:
                name = f"{part_name}.{field}"
                if not isinstance(value, int | float) or isinstance(value, bool):
                    continue
                if name in self.sources or (
                    field not in derived and value != declared[field].default
                ):
                    found[name] = value
        return found

    def assumed_fields(self) -> list[str]:
        """Numbers that are marked as assumed or name no source at all."""
        return [
            field
            for field in self.numbers()
            if self.sources.get(field, "assumed: ").startswith("assumed: ")
        ]

    @cached_property
    def compute_bytes_per_cycle(self) -> int:
        """Scratchpad bytes per PE cycle left for the PE array, see `Scratchpad`."""
        pad = self.scratchpad
        if pad.ports > 1:
            return pad.banks * pad.ports * pad.bank_bytes_per_cycle
        return (pad.banks - 1) * pad.bank_bytes_per_cycle

    @cached_property
    def descriptor_latency_ps(self) -> int:
        """Time the DMA needs to start one command."""
        return ns_to_ps(self.dma.descriptor_latency_ns)

    @cached_property
    def branch_latency_ps(self) -> int:
        """Time from the end of a router's argmax to the first command that depends on it."""
        return ns_to_ps(self.sequencer.branch_latency_ns)

    @cached_property
    def layer_setup_ps(self) -> int:
        """Time the unit that runs a layer is held to be configured for it."""
        return ns_to_ps(self.toolchain.layer_setup_ns)

    @cached_property
    def inference_setup_ps(self) -> int:
        """Time the first unit is held while the host invokes the device."""
        return ns_to_ps(self.toolchain.inference_setup_ns)

    def pe_cycles_to_ps(self, cycles: int) -> int:
        """Duration of PE array cycles."""
        return cycles_to_ps(cycles, self.pe_array.clock_hz)

    def vector_cycles_to_ps(self, cycles: int) -> int:
        """Duration of vector unit cycles."""
        return cycles_to_ps(cycles, self.vector_unit.clock_hz)
