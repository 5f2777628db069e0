"""Reading accelerator specs: what is accepted, and one clear line for everything else."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from simulator.errors import SpecError
from simulator.spec import AcceleratorSpec
from simulator.spec_file import Override, field_names, load_spec, with_overrides
from simulator.yaml_file import parse_yaml_scalar
from tests.devices import BASE, device, device_data


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "device.yaml"
    path.write_text(text)
    return path


def refused(path: Path) -> str:
    """The one line that loading ends with."""
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"{path}: ")
    return line.removeprefix(f"{path}: ")


def with_text(tmp_path: Path, field: str, text: str) -> Path:
    """BASE as YAML, with one field's value written as given."""
    part, _, name = field.partition(".")
    data: dict[str, Any] = device_data()
    if name:
        data[part][name] = "HERE"
    else:
        data[part] = "HERE"
    return written(tmp_path, yaml.safe_dump(data).replace("HERE", text, 1))


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    spec = load_spec(written(tmp_path, yaml.safe_dump(BASE)))
    assert spec == device()
    for part, fields in BASE.items():
        if isinstance(fields, dict):
            for field, value in fields.items():
                assert getattr(getattr(spec, part), field) == value


@pytest.mark.parametrize(
    ("text", "value"), [("64", 64), ("1_024", 1024), ("+7", 7), ("64  # columns", 64)]
)
def test_whole_numbers_are_decimal(tmp_path: Path, text: str, value: int) -> None:
    assert load_spec(with_text(tmp_path, "pe_array.rows", text)).pe_array.rows == value


@pytest.mark.parametrize(
    ("text", "value"), [("0.942", 0.942), ("1", 1.0), (".5", 0.5), ("9.42e-1", 0.942), ("1.", 1.0)]
)
def test_fractions(tmp_path: Path, text: str, value: float) -> None:
    spec = load_spec(with_text(tmp_path, "dram.efficiency_fraction", text))
    assert spec.dram.efficiency_fraction == value


WRONG_FOR_ROWS = [
    ("68e9", "'68e9'", "YAML read it as text: write 6_400_000_000 or 6.4e+9"),
    ("'64'", "'64'", "without quotes"),
    ("010", "'010'", "valid integer"),  # YAML 1.1 would make it 8
    ("1:30", "'1:30'", "valid integer"),  # and this 90
    ("0x40", "'0x40'", "valid integer"),
    ("0b11", "'0b11'", "valid integer"),
    ("64 PEs", "'64 PEs'", "valid integer"),
    ("2024-01-01", "'2024-01-01'", "valid integer"),
    ("2024-13-45", "'2024-13-45'", "valid integer"),
    ("64.0", "64.0", "valid integer"),
    ("0.5", "0.5", "valid integer"),
    ("true", "True", "valid integer"),
    ("no", "False", "valid integer"),
    ("null", "null", "valid integer"),
    ("", "null", "valid integer"),
    ("-64", "-64", "greater than or equal to 1"),
    ("0", "0", "greater than or equal to 1"),
    ("4097", "4097", "less than or equal to 4096"),
    ("9" * 30, "9" * 30, "less than or equal to 4096"),
    (".nan", "nan", "valid integer"),
    (".inf", "inf", "valid integer"),
    ("[64]", "", "valid integer"),
    ("{a: 64}", "", "valid integer"),
]


@pytest.mark.parametrize(("text", "value", "reason"), WRONG_FOR_ROWS)
def test_what_is_no_count_of_rows(tmp_path: Path, text: str, value: str, reason: str) -> None:
    line = refused(with_text(tmp_path, "pe_array.rows", text))
    assert line.startswith("pe_array.rows: ")
    assert value in line
    assert reason in line


@pytest.mark.parametrize(
    ("text", "value", "reason"),
    [
        ("1e-1", "'1e-1'", "YAML read it as text"),
        ("50 %", "'50 %'", "valid number"),
        ("1:30.5", "'1:30.5'", "valid number"),
        ("-0.5", "-0.5", "greater than or equal to 0.01"),
        ("0", "0", "greater than or equal to 0.01"),
        ("1.001", "1.001", "less than or equal to 1"),
        (".nan", "nan", "finite"),
        (".inf", "inf", "finite"),
        ("-.inf", "-inf", "finite"),
        ("1.0e+400", "inf", "finite"),
        ("yes", "True", "valid number"),
        ("[1]", "", "valid number"),
    ],
)
def test_what_is_no_efficiency(tmp_path: Path, text: str, value: str, reason: str) -> None:
    line = refused(with_text(tmp_path, "dram.efficiency_fraction", text))
    assert line.startswith("dram.efficiency_fraction: ")
    assert value in line
    assert reason in line


@pytest.mark.parametrize("field", sorted(device().numbers()))
@pytest.mark.parametrize("text", ["-1", ".nan", ".inf", "1.0e+300", "many", "true"])
def test_every_number_is_checked(tmp_path: Path, field: str, text: str) -> None:
    assert refused(with_text(tmp_path, field, text)).startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("field", "text", "expected"),
    [
        ("pe_array.dataflow", "systolic", ["pe_array.dataflow", "'systolic'", "weight_stationary"]),
        ("io.input_location", "moon", ["io.input_location", "'moon'", "dram"]),
        ("name", "on", ["name", "True", "valid string"]),
        ("name", "12", ["name", "12", "valid string"]),
        ("name", "''", ["name", "at least 1 character"]),
        ("pe_array", "3", ["pe_array"]),
        ("pe_array", "[1, 2]", ["pe_array"]),
        ("energy", "null", ["energy"]),
    ],
)
def test_other_wrong_values(tmp_path: Path, field: str, text: str, expected: list[str]) -> None:
    line = refused(with_text(tmp_path, field, text))
    for words in expected:
        assert words in line


def replaced(tmp_path: Path, old: str, new: str) -> Path:
    text = yaml.safe_dump(BASE)
    assert old in text
    return written(tmp_path, text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("  rows: 16", "  rowz: 16", "pe_array.rowz: unknown field (did you mean 'rows'?)"),
        (
            "vector_unit:",
            "vector_units:",
            "vector_units: unknown field (did you mean 'vector_unit'",
        ),
        ("  rows: 16", "  rows: 16\n  colour: red", "pe_array.colour: unknown field"),
        ("  rows: 16\n", "", "pe_array.rows: missing, it is required"),
        ("  rows: 16", "  rows: 16\n  rows: 32", "key 'rows' is written twice"),
        ("vector_unit:", "dma:", "key 'dma' is written twice"),
        ("  rows: 16", "  rows: [16", "expected ',' or ']'"),
        ("  rows: 16", "\trows: 16", "cannot start any token"),
        ("  rows: 16", "  rows: *rows", "undefined alias 'rows'"),
        ("  rows: 16", "  rows: &a [*a]", "recursive"),
        ("  rows: 16", "  16: rows", "key 16 is not a word"),
        ("  rows: 16", "  ? [1, 2]\n  : 16", "is not a word"),
        ("  rows: 16", "  rows: !!python/object:os.system {}", "could not determine a constructor"),
        ("  rows: 16", "  rows: !!python/name:os.system", "could not determine a constructor"),
        ("  rows: 16", "  rows: !rows 16", "could not determine a constructor"),
        ("  rows: 16", "  rows: !!int '010'", "'010' is not a decimal whole number"),
        ("name: test_npu", "name: test_npu\n---\nname: other", "another document"),
    ],
)
def test_malformed_files_name_the_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    line = refused(replaced(tmp_path, old, new))
    assert expected in line
    if "unknown" not in line and "missing" not in line:
        assert line.startswith("line ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty, expected a mapping"),
        ("# nothing\n", "is empty"),
        ("[1, 2]", "is a list, expected a mapping"),
        ("just words", "is a str, expected a mapping"),
        ("3", "is a int, expected a mapping"),
    ],
)
def test_files_that_hold_no_mapping(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in refused(written(tmp_path, text))


@pytest.mark.parametrize(
    "text", ["rows: !!binary 'aGk='", "rows: !!set {a}", "rows: " + "1" * 5000]
)
def test_values_that_json_has_no_word_for(tmp_path: Path, text: str) -> None:
    refused(replaced(tmp_path, "rows: 16", text))


def test_unreadable_files(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "nowhere.yaml")
    assert "cannot be read" in refused(tmp_path)
    path = tmp_path / "bytes.yaml"
    path.write_bytes(b"\xff\xfe\x00name")
    assert "not a UTF-8 text file" in refused(path)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"scratchpad__banks": 3}, "3 banks do not divide scratchpad.capacity_kib 64 evenly"),
        ({"scratchpad__banks": 1, "scratchpad__ports": 1}, "only port of the only bank"),
        ({"pe_array__parallel_pixels": 2, "pe_array__dataflow": "ideal"}, "only a dot_product"),
        ({"energy__mac_pj": None}, "energy: mac_pj: missing; give it, or node_nm"),
    ],
)
def test_fields_that_do_not_go_together(
    tmp_path: Path, fields: dict[str, Any], expected: str
) -> None:
    assert expected in refused(written(tmp_path, yaml.safe_dump(device_data(**fields))))


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ({"pe_array.rows": "a book"}, "sources.pe_array.rows: 'a book' must start with a mark"),
        ({"pe_array.rows": "S:"}, "must start with a mark"),
        ({"pe_array.row": "S: a book"}, "sources.pe_array.row: no such number"),
        ({"pe_array.dataflow": "S: a book"}, "sources.pe_array.dataflow: no such number"),
        ({"pe_array.rows": 3}, "sources.pe_array.rows"),
    ],
)
def test_sources(tmp_path: Path, sources: dict[str, Any], expected: str) -> None:
    data = device_data() | {"sources": sources}
    assert expected in refused(written(tmp_path, yaml.safe_dump(data)))


def test_a_number_without_a_source_counts_as_assumed(tmp_path: Path) -> None:
    sources = {"pe_array.rows": "S: a book", "pe_array.cols": "assumed: as many again"}
    spec = load_spec(written(tmp_path, yaml.safe_dump(device_data() | {"sources": sources})))
    assert "pe_array.rows" not in spec.assumed_fields()
    assert {"pe_array.cols", "dram.burst_bytes"} <= set(spec.assumed_fields())


@pytest.mark.parametrize("field", sorted(device().numbers()))
def test_every_number_can_be_overridden(tmp_path: Path, field: str) -> None:
    part, name = field.split(".")
    value = getattr(getattr(device(), part), name)
    path = written(tmp_path, yaml.safe_dump(BASE))
    spec = load_spec(path, [Override.parse(f"{field}={value}")])
    assert spec.numbers() == device().numbers()
    assert spec.sources == {field: "assumed: set on the command line"}
    assert field in field_names()


def test_an_overridden_number_is_sourced_to_the_command_line(tmp_path: Path) -> None:
    override = Override.parse("scratchpad.capacity_kib=512")
    spec = load_spec(written(tmp_path, yaml.safe_dump(BASE)), [override])
    assert spec.scratchpad.capacity_kib == 512
    assert spec.sources["scratchpad.capacity_kib"] == "assumed: set on the command line"
    assert with_overrides(device(), [override]) == spec


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("scratchpad.capacity", "--set scratchpad.capacity: expected FIELD=VALUE"),
        ("=5", "--set =5: expected FIELD=VALUE"),
        ("scratchpad.capacity=5", "(did you mean 'scratchpad.capacity_kib'?)"),
        ("name=x", "--set name: unknown field"),
        ("sources=x", "--set sources: unknown field"),
        ("pe_array=x", "--set pe_array: unknown field"),
        ("pe_array.rows=", "pe_array.rows: null: "),
        ("pe_array.rows=010", "pe_array.rows: '010': "),
        ("pe_array.rows=1e1", "YAML read it as text"),
        ("pe_array.rows=2024-13-45", "pe_array.rows: '2024-13-45': "),
        ("pe_array.rows=" + "9" * 5000, "pe_array.rows: '999"),
        ("pe_array.rows=[1", "pe_array.rows: '[1': "),
        ("pe_array.rows={a: 1, a: 2}", "pe_array.rows: '{a: 1, a: 2}': "),
        ("pe_array.rows=!!python/name:os.system", "pe_array.rows: '!!python/name:os.system': "),
        ("pe_array.rows=.nan", "pe_array.rows: nan: "),
        ("scratchpad.banks=3", "3 banks do not divide"),
    ],
)
def test_wrong_overrides(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec(written(tmp_path, yaml.safe_dump(BASE)), [Override.parse(text)])
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("0.5", 0.5), ("true", True), ("dram", "dram"), ("null", None), ("1e3", "1e3")],
)
def test_values_on_the_command_line_are_read_as_in_a_file(text: str, value: object) -> None:
    assert parse_yaml_scalar(text) == value


def test_a_spec_is_a_value() -> None:
    assert hash(device().pe_array) == hash(device().pe_array)
    with pytest.raises(ValueError, match="frozen"):
        device().pe_array.rows = 3  # type: ignore[misc]


def test_derived_times_and_rates() -> None:
    spec = device(sequencer__branch_latency_ns=33.3, dma__descriptor_latency_ns=0.5)
    assert spec.branch_latency_ps == 33_300
    assert spec.descriptor_latency_ps == 500
    assert spec.pe_array.pes == 256
    assert spec.scratchpad.capacity_bytes == 65_536
    assert device(scratchpad__ports=1).compute_bytes_per_cycle == 15 * 64
    assert spec.compute_bytes_per_cycle == 16 * 64 * 2
    odd = device(pe_array__clock_hz=333 * 10**6)
    assert odd.pe_cycles_to_ps(1000) == math.ceil(1000 * 10**12 / (333 * 10**6))


def test_a_spec_survives_its_own_json() -> None:
    spec = device()
    assert AcceleratorSpec.model_validate_json(spec.model_dump_json()) == spec
