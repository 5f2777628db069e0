"""Energy by bank size, node, temperature and width: table points, hand-worked points, ranges."""

import csv
import math
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.cost.arithmetic_energy import MacWidths, mac_pj
from simulator.cost.energy import EventCounts, energy_of
from simulator.cost.energy_table import Operands, energy_constants, energy_table
from simulator.cost.sram import sram_bank
from simulator.errors import SpecError
from simulator.spec import AcceleratorSpec, NumberFormat
from simulator.spec_file import Override, energy_node_overrides, load_spec, with_overrides

SPEC = Path(__file__).parent.parent / "accelerator_specs/edge_npu.yaml"
KIB = 1024


def edge_npu(**fields: object) -> AcceleratorSpec:
    """edge_npu with fields replaced, dots written as two underscores."""
    overrides = [Override(name.replace("__", "."), value) for name, value in fields.items()]
    return load_spec(SPEC, overrides)


def tabled_rows() -> list[dict[str, str]]:
    text = files("simulator.cost").joinpath("cacti7_sram.csv").read_text()
    return list(csv.DictReader(line for line in text.splitlines() if line[0] != "#"))


def test_every_size_and_node_that_was_run_is_returned_as_it_was():
    rows = [r for r in tabled_rows() if r["cell"] == "itrs-lstp" and r["width_B"] == "16"]
    assert len(rows) == 36
    for row in rows:
        bank = sram_bank(int(row["size_B"]), float(row["tech_um"]) * 1000, int(row["temp_K"]))
        assert bank.read_pj_per_byte == pytest.approx(float(row["read_nJ"]) * 1000 / 16)
        assert bank.write_pj_per_byte == pytest.approx(float(row["write_nJ"]) * 1000 / 16)
        assert bank.leakage_w == pytest.approx(float(row["leak_mW"]) / 1000, rel=1e-4)


def test_between_two_sizes_it_is_the_straight_line_in_log_log():
    # 185,364 bytes is the geometric mean of 128 and 256 KiB, so the energy is that of
    # 11.846 and 17.7687 pJ: 14.5083 pJ per 16 bytes.
    bank = sram_bank(185_364, 22, 300)
    assert bank.read_pj_per_byte == pytest.approx(math.sqrt(11.846 * 17.7687) / 16, rel=1e-5)
    assert bank.energy_source.startswith("D: ")


def test_halfway_in_temperature_leakage_is_the_geometric_mean():
    # 1.98082 uW at 300 K, 63.0112 uW at 350 K
    bank = sram_bank(128 * KIB, 22, 325)
    assert bank.leakage_w == pytest.approx(math.sqrt(1.98082e-6 * 63.0112e-6), rel=1e-4)


def test_seven_nanometres_scale_cacti_by_the_ratio_of_the_published_nodes():
    # 8 KiB: 10 pJ at 45 nm, 7.5 pJ at 7 nm; at 22 nm 10 * 0.75 ** (ln(45/22) / ln(45/7))
    # = 10 * 0.75 ** 0.384587 = 8.95262 pJ. CACTI at 22 nm: 2.00944 pJ per 16 bytes.
    bank = sram_bank(8 * KIB, 7, 300)
    assert bank.read_pj_per_byte == pytest.approx(2.00944 / 16 * 7.5 / 8.95262, rel=1e-5)
    assert bank.leakage_source.startswith("assumed: ")


@given(
    small=st.integers(KIB, KIB * KIB),
    large=st.integers(KIB, KIB * KIB),
    node=st.sampled_from((45.0, 32.0, 28.0, 22.0, 16.0, 7.0)),
)
def test_a_larger_bank_never_costs_less(small, large, node):
    small, large = sorted((small, large))
    low, high = sram_bank(small, node, 350), sram_bank(large, node, 350)
    assert low.read_pj_per_byte <= high.read_pj_per_byte * (1 + 1e-12)
    assert low.leakage_w <= high.leakage_w * (1 + 1e-12)


@pytest.mark.parametrize(
    ("bank_bytes", "node"), [(512, 22), (16 * KIB * KIB, 22), (2 * KIB * KIB, 7), (8 * KIB, 65)]
)
def test_outside_the_stated_range_is_an_error(bank_bytes, node):
    with pytest.raises(SpecError):
        sram_bank(bank_bytes, node, 300)


@pytest.mark.parametrize(
    ("weights", "activations", "at_45", "at_7"),
    [
        (8, 8, 0.2 + 0.1, 0.07 + 0.03),
        (4, 8, 0.1 + 0.1, 0.035 + 0.03),  # half the one-bit cells of 8 x 8
        (4, 4, 0.05 + 0.1, 0.0175 + 0.03),
        (16, 16, 0.8 + 0.1, 0.28 + 0.03),  # four times
    ],
)
def test_integer_macs(weights, activations, at_45, at_7):
    widths = MacWidths(NumberFormat.INTEGER, weights, activations, 32)
    assert mac_pj(widths, 45) == pytest.approx(at_45)
    assert mac_pj(widths, 7) == pytest.approx(at_7)
    assert at_7 < mac_pj(widths, 22) < at_45


@pytest.mark.parametrize(("bits", "at_45", "at_7"), [(16, 1.5, 0.5), (32, 4.6, 1.69)])
def test_floating_point_macs(bits, at_45, at_7):
    widths = MacWidths(NumberFormat.FLOAT, bits, bits, 32)
    assert mac_pj(widths, 45) == pytest.approx(at_45)
    assert mac_pj(widths, 7) == pytest.approx(at_7)
    # A weight of 8 bits is widened to the activations' format first.
    assert mac_pj(MacWidths(NumberFormat.FLOAT, 8, bits, 32), 45) == pytest.approx(at_45)


def test_a_float_of_eight_bits_is_refused():
    spec = edge_npu(precision__format="float", pe_array__native_bits=16)
    with pytest.raises(SpecError, match="activation_bits"):
        energy_of(EventCounts(macs=1), 0, spec)


def test_a_given_mac_energy_is_carried_to_other_widths_by_ratio():
    spec = edge_npu(energy__node_nm=45, energy__mac_pj=0.5)  # at 8 x 8
    assert energy_of(EventCounts(macs=10), 0, spec).mac_pj == pytest.approx(5.0)
    narrow = energy_of(EventCounts(macs=10), 0, spec, Operands(weight_bits=4))
    assert narrow.mac_pj == pytest.approx(5.0 * 0.2 / 0.3)
    wide = with_overrides(
        spec, [Override("precision.weight_bits", 16), Override("precision.activation_bits", 16)]
    )
    assert energy_of(EventCounts(macs=10), 0, wide).mac_pj == pytest.approx(5.0 * 0.9 / 0.3)
    assert energy_constants(wide)["mac_pj_at_precision"].value == pytest.approx(0.5 * 3)


def test_capacity_reaches_energy_and_leakage_of_the_edge_npu():
    def table(kib: int):
        return energy_table(edge_npu(scratchpad__capacity_kib=kib))

    small, usual, large = table(512), table(2048), table(8192)
    # 2 MiB in 16 banks is 128 KiB each: CACTI's 11.846 pJ per 16 bytes, 63.0112 uW at 350 K.
    assert usual.scratchpad_read_pj_per_byte == pytest.approx(11.846 / 16)
    assert usual.scratchpad_static_w == pytest.approx(16 * 63.0112e-6, rel=1e-4)
    assert (
        small.scratchpad_write_pj_per_byte
        < usual.scratchpad_write_pj_per_byte
        < large.scratchpad_write_pj_per_byte
    )
    # Leakage per byte hardly depends on the bank: four times the bytes, four times the leakage.
    assert large.scratchpad_static_w == pytest.approx(4 * usual.scratchpad_static_w, rel=0.05)


def test_a_given_constant_wins_over_a_derived_one():
    table = energy_table(edge_npu(energy__scratchpad_read_pj_per_byte=9))
    assert table.scratchpad_read_pj_per_byte == 9
    assert table.scratchpad_write_pj_per_byte == pytest.approx(10.4815 / 16)


@pytest.mark.parametrize(("node", "mac"), [(45, 0.3), (22, 0.1965), (7, 0.1)])
def test_energy_node_swaps_logic_and_sram_but_not_dram(node, mac):
    spec = load_spec(SPEC, energy_node_overrides(node))
    constants = energy_constants(spec)
    assert constants["mac_pj"].value == pytest.approx(mac, rel=1e-3)
    assert constants["dram_read_pj_per_byte"].value == pytest.approx(57.789, rel=1e-4)
    assert constants["logic_static_w"].value == 0.02
    for name, constant in constants.items():
        assert constant.source.split(": ")[0] in {"S", "D", "R", "assumed"}, name
    assert "energy.mac_pj" not in spec.sources


def test_energy_falls_with_the_node():
    tables = [energy_table(load_spec(SPEC, energy_node_overrides(n))) for n in (45, 22, 7)]
    for name in ("mac_pj", "vector_op_pj", "scratchpad_read_pj_per_byte"):
        old, mid, new = (getattr(table, name) for table in tables)
        assert old > mid > new


def test_static_power_is_charged_for_the_whole_time():
    # 20 mW of logic and 3 mW of scratchpad on chip; 36 mW and 1.2 mW of refresh in DRAM; for 2 us
    spec = edge_npu(energy__scratchpad_static_w=0.003)
    energy = energy_of(EventCounts(), 2_000_000, spec)
    assert energy.static_pj == pytest.approx(0.023 * 2e6)
    assert energy.dram_pj == pytest.approx(0.0372 * 2e6, rel=1e-4)
    assert energy.dram.refresh_pj == pytest.approx(0.0012 * 2e6, rel=1e-4)
    assert energy.total_pj == pytest.approx(0.0602 * 2e6, rel=1e-4)
