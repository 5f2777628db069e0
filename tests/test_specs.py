"""Every shipped device loads, names a source for every number and has its datasheet's size."""

from pathlib import Path

import pytest

from simulator.cost.energy_table import energy_constants
from simulator.spec_file import field_names, load_spec

FOLDER = Path(__file__).parent.parent / "accelerator_specs"
SHIPPED = sorted(path.stem for path in FOLDER.glob("*.yaml"))
README = (FOLDER / "README.md").read_text()


@pytest.mark.parametrize("name", SHIPPED)
def test_every_number_names_its_source(name):
    spec = load_spec(FOLDER / f"{name}.yaml")
    assert spec.name == name
    assert spec.numbers().keys() - spec.sources.keys() == set()


@pytest.mark.parametrize("name", SHIPPED)
def test_its_energy_is_complete_and_traceable(name):
    for field, constant in energy_constants(load_spec(FOLDER / f"{name}.yaml")).items():
        assert constant.value >= 0, field
        assert constant.source.split(": ")[0] in {"S", "D", "R", "assumed"}, field


@pytest.mark.parametrize("name", SHIPPED)
def test_the_table_of_devices_lists_it(name):
    assert f"| `{name}.yaml` |" in README


@pytest.mark.parametrize("field", [name.split(".")[-1] for name in field_names()])
def test_the_table_of_fields_knows_it(field):
    tail = field.split("_", 1)[-1]
    assert f"`{field}`" in README or f".{field}`" in README or f"_{tail}`" in README, field


@pytest.mark.parametrize(
    ("name", "tera_ops", "gigabytes_per_s", "kib"),
    [
        ("edge_npu", 4.096, 6.4, 2048),  # 2048 MACs x 2 x 1 GHz
        ("edge_tpu", 3.932, 0.387, 16384),  # 4 TOPS at 480 to 500 MHz
        ("nvdla_large", 4.096, 20, 512),  # nvdla.org primer's table, as for all sizes below
        ("nvdla_1024", 2.048, 15, 256),
        ("nvdla_512", 1.024, 10, 256),
        ("nvdla_256", 0.512, 5, 256),
        ("nvdla_128", 0.256, 2, 256),
        ("nvdla_small", 0.128, 1, 128),
        ("nvdla_32", 0.064, 0.5, 128),
        ("ethos_u55_128", 0.128, 0.5, 2048),  # 128 x 2 x 500 MHz
        ("ethos_u55_256", 0.256, 0.5, 2048),
        ("ethos_u65_256", 0.512, 3.75, 384),
        ("ethos_u65_512", 1.024, 3.75, 384),  # Arm: 1 TOP/s
        ("ethos_u85_256", 0.512, 12, 512),
        ("tpu_v1", 91.75, 34, 28 * 1024),  # Jouppi et al. ISCA 2017: 92 TOPS, 34 GB/s, 28 MiB
        ("eyeriss", 0.0672, 0.48, 108),  # 168 PEs x 2 x 200 MHz = 67.2 GOPS
        ("dpu_b4096", 1.2288, 19.2, 1024),  # 4096 operations per cycle x 300 MHz
    ],
)
def test_magnitudes_are_the_datasheets(name, tera_ops, gigabytes_per_s, kib):
    spec = load_spec(FOLDER / f"{name}.yaml")
    assert 2 * spec.pe_array.pes * spec.pe_array.clock_hz / 1e12 == pytest.approx(tera_ops, 1e-3)
    assert spec.dram.peak_bytes_per_s / 1e9 == gigabytes_per_s
    assert spec.scratchpad.capacity_kib == kib
