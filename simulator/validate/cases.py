"""Every validation case, in the order in which they are shown."""

from __future__ import annotations

from simulator.validate import (
    dram_patterns,
    edge_tpu,
    edge_tpu_one_ladder,
    ethos_u,
    eyeriss,
    nvdla,
    scalesim,
    tpu,
    vela,
)
from simulator.validate.case import Case

CASES: tuple[Case, ...] = (
    scalesim.CASE,
    nvdla.LAYER_CASE,
    nvdla.FRAME_CASE,
    dram_patterns.CASE,
    edge_tpu.FC_CASE,
    edge_tpu.CONV_CASE,
    edge_tpu.PRUNING_CASE,
    edge_tpu.CORAL_CASE,
    edge_tpu_one_ladder.CASE,
    vela.CASE,
    vela.HELD_OUT_CASE,
    ethos_u.MOBILENET_CASE,
    ethos_u.RNNOISE_CASE,
    eyeriss.CASE,
    tpu.CASE,
)
