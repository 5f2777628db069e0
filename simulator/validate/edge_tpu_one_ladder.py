"""The Edge TPU set on the convolution ladder alone, predicting what that ladder never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from simulator.spec import AcceleratorSpec
from simulator.spec_file import Override
from simulator.validate.case import Band, Case, Row, SpecLoader
from simulator.validate.edge_tpu import CORAL_CASE, DEVICE, FC_CASE

LINK_BYTES_PER_S = 367_000_000
PASS_SETUP_CYCLES = 220
"""Least squares of relative errors on the ladder's 21 points on chip: time is passes of 1,024
pixels and a set-up, and four bytes per output on the link. With a constant as a third unknown the
same points give 431 MB/s, 414 cycles and 0.32 ms: the ladder hardly tells them apart."""

SEEN_BY_NO_CONVOLUTION = (
    Override("toolchain.layer_setup_ns", 0),
    Override("toolchain.inference_setup_ns", 0),
    Override("scratchpad.bank_bytes_per_cycle", 4096),
)
"""Set-up is less than 5 % of the ladder's shortest point; its weights are never read too slowly."""


def set_on_convolutions(load: SpecLoader) -> SpecLoader:
    """Specs as the convolution ladder alone would have them; a host's own link rate still wins."""
    fitted = (
        *SEEN_BY_NO_CONVOLUTION,
        Override("pe_array.pass_setup_cycles", PASS_SETUP_CYCLES),
        Override("dram.peak_bytes_per_s", LINK_BYTES_PER_S),
    )

    def loaded(name: str, overrides: Sequence[Override]) -> AcceleratorSpec:
        return load(name, [*fitted, *overrides])

    return loaded


def _rows(load: SpecLoader) -> tuple[Row, ...]:
    fitted = set_on_convolutions(load)
    ladder = [row for row in FC_CASE.rows(fitted) if row.quantity == "latency"]
    vendor = [
        replace(
            row,
            name=f"Coral: {row.name}",
            band="many layers" if row.name.startswith("mobilenet") else "vendor",
        )
        for row in CORAL_CASE.rows(fitted)
    ]
    return (*ladder, *vendor)


CASE = Case(
    name="edge_tpu_one_ladder",
    title="Edge TPU, set on the convolution ladder alone",
    device=DEVICE,
    source="the fully-connected ladder and Coral's table, as edge_tpu_fc and coral",
    fitted=(
        f"link rate ({LINK_BYTES_PER_S / 1e6:.0f} MB/s), pass set-up ({PASS_SETUP_CYCLES} cycles), "
        "pixels per tile and output width on the convolution ladder; for Coral's hosts their link "
        "rates on VGG16"
    ),
    leaves_out=(
        "set-up per layer and inference (9 and 42 us) and the rate at which weights are read on "
        "chip: five convolutions of 2 ms and more say nothing about either, so that what takes "
        "less than 0.3 ms, and MobileNet's 28 layers, come out too fast",
    ),
    bands=(
        Band("streaming", 0.05, "the link takes nearly all of the time"),
        Band("on chip", None, "set-up and weight rate, which the convolution ladder cannot tell"),
        Band("vendor", 0.20, "networks, hosts and runtime as the vendor had them"),
        Band("many layers", None, "a third of MobileNet's time is the set-up of its layers"),
    ),
    rows=_rows,
)
