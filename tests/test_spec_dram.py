"""A spec's memory: what a device fills in, what an override changes, what is refused."""

from pathlib import Path

import pytest

from simulator.errors import SpecError
from simulator.spec_file import Override, load_spec, with_overrides

EDGE_NPU = Path(__file__).resolve().parent.parent / "accelerator_specs/edge_npu.yaml"


def edge_npu(**fields: object):
    overrides = [Override(f"dram.{name}", value) for name, value in fields.items()]
    return load_spec(EDGE_NPU, overrides)


def test_a_device_brings_its_rate_burst_and_efficiency() -> None:
    # LPDDR4-3200 x16: 3,200 MT/s of 2 bytes, bursts of 16 transfers
    dram = edge_npu().dram
    assert (dram.peak_bytes_per_s, dram.burst_bytes, dram.efficiency_fraction) == (6.4e9, 32, 1)
    wide = edge_npu(devices_per_channel=4, channels=2).dram
    assert (wide.peak_bytes_per_s, wide.burst_bytes) == (8 * 6_400_000_000, 128)


def test_more_channels_bring_their_own_rate_unless_one_is_given() -> None:
    twice = with_overrides(edge_npu(), [Override("dram.channels", 2)])
    assert twice.dram.peak_bytes_per_s == 12_800_000_000
    given = with_overrides(edge_npu(peak_bytes_per_s=10**9), [Override("dram.channels", 2)])
    assert given.dram.peak_bytes_per_s == 10**9
    assert with_overrides(twice, []) == twice


def test_what_a_device_says_needs_no_source() -> None:
    spec = edge_npu(devices_per_channel=2)
    bare = spec.model_copy(update={"sources": {}})
    assert {"dram.peak_bytes_per_s", "dram.burst_bytes"}.isdisjoint(bare.numbers())
    assert "dram.devices_per_channel" in bare.assumed_fields()
    assert "dram.peak_bytes_per_s" in edge_npu(peak_bytes_per_s=10**9).assumed_fields()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"device": "lpddr9"}, "dram.device: 'lpddr9': Input should be 'lpddr3_1600'"),
        ({"channels": 3}, "dram: channels: 3: must be a power of two"),
        ({"burst_bytes": 64}, "burst_bytes: 64: 1 lpddr4_3200 side by side have bursts of 32"),
        ({"device": None}, "dram.peak_bytes_per_s: missing"),
        ({"weight_alignment": "word"}, "dram.weight_alignment: 'word'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(fields, expected) -> None:
    with pytest.raises(SpecError) as refused:
        edge_npu(**fields)
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_rate_has_no_channels_and_needs_its_energy() -> None:
    rate = {"device": None, "peak_bytes_per_s": 10**9, "burst_bytes": 32, "efficiency_fraction": 1}
    with pytest.raises(SpecError, match=r"energy.dram_read_pj_per_byte: missing; give it, or dram"):
        edge_npu(**rate)
    with pytest.raises(SpecError, match="channels: 2: only a memory with a device"):
        edge_npu(**rate, channels=2)
