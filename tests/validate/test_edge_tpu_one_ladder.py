"""What the convolution ladder alone says of the Edge TPU, and that the fit is the one stated."""

from pathlib import Path

import numpy as np
import pytest

from simulator.spec_file import Override, load_spec
from simulator.validate.edge_tpu_one_ladder import (
    LINK_BYTES_PER_S,
    PASS_SETUP_CYCLES,
    set_on_convolutions,
)
from simulator.validate.reference import reference_rows

SPECS = Path(__file__).parents[2] / "accelerator_specs"


def load(name, overrides):
    return load_spec(SPECS / f"{name}.yaml", overrides)


def test_the_parameters_are_the_least_squares_of_the_points_on_chip():
    """Time = passes x (1,024 pixels + set-up) / 480 MHz + outputs x 4 bytes / rate."""
    rows, right = [], []
    for line in reference_rows("edgetpu_conv_ladder.csv"):
        if float(line["Off chip mem used"]):
            continue
        filters, seconds = int(line["Num filters"]), float(line["Inference time"]) / 1000
        blocks = -(-filters // 64)
        # Four tiles of 1,024 pixels; the first layer packs three taps of three channels.
        passes = 4 * (3 * blocks + 4 * 9 * blocks * blocks)
        rows.append([64 * 64 * filters * 4 / seconds, passes / 480e6 / seconds])
        right.append(1 - passes * 1024 / 480e6 / seconds)
    (per_byte, setup), *_ = np.linalg.lstsq(np.array(rows), np.array(right), rcond=None)
    assert 1 / per_byte == pytest.approx(LINK_BYTES_PER_S, rel=0.002)
    assert setup == pytest.approx(PASS_SETUP_CYCLES, rel=0.005)


def test_a_hosts_own_link_rate_wins():
    spec = set_on_convolutions(load)("edge_tpu", [Override("dram.peak_bytes_per_s", 10**9)])
    assert spec.dram.peak_bytes_per_s == 10**9
    assert spec.pe_array.pass_setup_cycles == PASS_SETUP_CYCLES
    assert spec.layer_setup_ps == spec.inference_setup_ps == 0
