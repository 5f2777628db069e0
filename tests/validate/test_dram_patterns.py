"""The DRAM model against 754 runs of cycle-level simulators: the bands reached, the exceptions."""

import pytest

from simulator.spec import AcceleratorSpec
from simulator.validate.case import run_case
from simulator.validate.dram_patterns import (
    CASE,
    MECHANISMS,
    PatternComparison,
    band_of,
    compare_patterns,
)

# Per preset: median and ninth decile of the absolute errors as reached, with a little room.
REACHED = {
    "DDR3_4Gb_x16 + DDR3_1600K": (0.005, 0.025),
    "DDR3_8Gb_x16_1600": (0.005, 0.02),
    "DDR4_8Gb_x16 + DDR4_2400R": (0.015, 0.045),
    "DDR4_8Gb_x16_2400": (0.02, 0.06),
    "DDR4_8Gb_x8 + DDR4_2400R": (0.02, 0.07),
    "LPDDR3_8Gb_x32_1600": (0.006, 0.025),
    "LPDDR4_8Gb_x16 + LPDDR4_3200": (0.006, 0.03),
    "LPDDR4_8Gb_x16_2400": (0.005, 0.02),
    "LPDDR5_8Gb_x16 + LPDDR5_6400": (0.025, 0.07),
    "custom LPDDR4-3200 x16": (0.006, 0.03),
}


@pytest.fixture(scope="module")
def comparison() -> PatternComparison:
    return compare_patterns()


def test_every_run_is_predicted(comparison) -> None:
    assert len(comparison.runs) == 754
    assert {p.preset for p in comparison.presets} == set(REACHED)


@pytest.mark.parametrize("preset", REACHED)
def test_errors_by_preset(comparison, preset) -> None:
    errors = next(p for p in comparison.presets if p.preset == preset)
    median, ninth_decile = REACHED[preset]
    assert errors.median_fraction <= median <= 0.05
    assert errors.ninth_decile_fraction <= ninth_decile <= 0.10


def test_runs_off_by_more_than_a_tenth_are_few_and_explained(comparison) -> None:
    assert len(comparison.outliers) <= 12
    for run in comparison.outliers:
        assert (run.preset, run.pattern) in MECHANISMS, run
        assert abs(run.error_fraction) <= 0.25, run
        assert band_of(run) != "run"


def test_reads_in_flight_hold_where_nothing_was_fitted(comparison) -> None:
    runs = [
        run
        for run in comparison.runs
        if "in flight" in run.name and not run.preset.startswith("LPDDR3")
    ]
    errors = sorted(abs(run.error_fraction) for run in runs)
    assert len(errors) == 81
    assert errors[len(errors) // 2] <= 0.02
    assert errors[-9] <= 0.10


def test_the_case_stays_in_its_bands() -> None:
    def no_specs(name: str, overrides: object) -> AcceleratorSpec:
        raise AssertionError("this case needs no shipped spec")

    outcome = run_case(CASE, no_specs)
    assert len(outcome.rows) == 754 + 2 * len(REACHED)
    assert outcome.broken() == ()


def test_bands_of_the_case_are_those_that_rows_name() -> None:
    names = {band.name for band in CASE.bands}
    assert set(MECHANISMS.values()) < names
    assert {"run", "median", "ninth decile"} < names
