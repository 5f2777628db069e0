"""Every case meets its bands, and a broken band fails the command."""

from __future__ import annotations

from pathlib import Path

import pytest

import simulator.cli.validate as command
from simulator.__main__ import main
from simulator.validate import edge_tpu
from simulator.validate.case import Band, Case, Row, is_broken, run_case
from simulator.validate.cases import CASES


def case_of(*rows: Row, limit: float | None = 0.1) -> Case:
    return Case(
        name="made_up",
        title="two numbers",
        device="none",
        source="none",
        fitted="nothing",
        leaves_out=("everything",),
        bands=(Band("band", limit, "because"),),
        rows=lambda load: rows,
    )


def row(reference: float, predicted: float) -> Row:
    return Row("r", "latency", "ms", reference, predicted, "band")


@pytest.mark.parametrize(
    ("reference", "predicted", "limit", "broken"),
    [
        (10.0, 11.0, 0.1, False),
        (10.0, 11.01, 0.1, True),
        (10.0, 8.9, 0.1, True),
        (10, 10, 0.0, False),
        (10, 11, 0.0, True),
        (10.0, 99.0, None, False),
        (0.0, 0.0, 0.0, False),
        (0.0, 1.0, 0.5, True),
        (10.0, float("nan"), 0.5, True),
    ],
)
def test_a_band(reference: float, predicted: float, limit: float | None, broken: bool):
    assert is_broken(row(reference, predicted), Band("band", limit, "")) is broken


def test_a_broken_band_is_exit_code_1_after_everything_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(command, "CASES", (case_of(row(10.0, 12.0), row(10.0, 10.5)),))
    assert main(["validate", "--out", str(tmp_path)]) == 1
    out = capsys.readouterr()
    assert "made_up (1 of 2)" in out.err
    assert "leaves out: everything" in out.out
    assert "+20.00 %" in out.out
    assert (tmp_path / "validate_made_up.png").stat().st_size > 5000
    lines = (tmp_path / "validation.csv").read_text().splitlines()
    assert lines[1] == "made_up,r,latency,ms,10,12,0.2,band,0.1,False"
    assert len(lines) == 3


def test_an_unknown_case_is_a_users_error(capsys: pytest.CaptureFixture[str]):
    assert main(["validate", "--case", "scalesin"]) == 2
    assert "scalesim" in capsys.readouterr().err


def test_list_names_every_case(capsys: pytest.CaptureFixture[str]):
    assert main(["validate", "--list"]) == 0
    out = capsys.readouterr().out
    assert all(case.name in out for case in CASES)


def test_case_names_are_unique_and_every_row_has_a_band():
    assert len({case.name for case in CASES}) == len(CASES)
    assert all(case.bands and case.source and case.leaves_out for case in CASES)


@pytest.mark.parametrize("name", ["scalesim", "nvdla", "edge_tpu_conv", "coral"])
def test_a_case_stays_in_its_bands(name: str):
    assert main(["validate", "--case", name]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nvdla_frame_rates", "edge_tpu_fc", "edge_tpu_resnet50"])
def test_a_longer_case_stays_in_its_bands(name: str):
    assert main(["validate", "--case", name]) == 0


def test_a_thinned_network_stores_the_bytes_given():
    workload = edge_tpu.thinned_resnet50(0.4, 7.5, 4.5)
    stored = sum(layer.params for layer in workload.program.layers())
    assert stored == pytest.approx(12 * 2**20, abs=100)
    full = edge_tpu.thinned_resnet50(1.0, 7.66, 15.26)
    macs = [sum(layer.macs for layer in w.program.layers()) for w in (workload, full)]
    assert macs[0] / macs[1] == pytest.approx(0.4, rel=0.05)


def test_running_a_case_keeps_its_rows():
    case = case_of(row(1.0, 1.0))
    assert run_case(case, lambda name, overrides: pytest.fail("no spec needed")).rows == (
        row(1.0, 1.0),
    )
