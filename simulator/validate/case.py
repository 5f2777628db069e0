"""What a validation case is: a prediction per published number, and the band it must stay in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulator.errors import UserError
from simulator.spec import AcceleratorSpec
from simulator.spec_file import Override

SpecLoader = Callable[[str, Sequence[Override]], AcceleratorSpec]
"""Loads a shipped spec by name, with fields overridden."""


class BrokenBandError(UserError):
    """Some prediction left its stated band."""

    exit_code = 1


@dataclass(frozen=True)
class Band:
    """How far predictions of one kind may be off.

    Attributes:
        name: what rows refer to it by.
        limit_fraction: the largest error allowed, of the reference; 0 asks for equality; None
            makes the rows information.
        reason: why this much and not less.
        target_fraction: what was asked for, where the limit is wider.
    """

    name: str
    limit_fraction: float | None
    reason: str
    target_fraction: float | None = None


@dataclass(frozen=True)
class Row:
    """One published number and its prediction, in the same unit."""

    name: str
    quantity: str
    unit: str
    reference: float
    predicted: float
    band: str

    @property
    def error_fraction(self) -> float:
        """Signed, of the reference; a reference of zero is met exactly or not at all."""
        if self.reference == 0:
            return 0.0 if self.predicted == 0 else float("inf")
        return self.predicted / self.reference - 1


@dataclass(frozen=True)
class Case:
    """One reference, what predicts it and with which parameters.

    Attributes:
        name: as the command line knows it.
        title: what is compared.
        device: the shipped spec, and fields that the case overrides.
        source: where the reference numbers come from.
        fitted: which parameters were fitted, and on what.
        leaves_out: mechanisms of the real thing that the prediction lacks.
        bands: by kind of row.
        rows: makes the predictions.
    """

    name: str
    title: str
    device: str
    source: str
    fitted: str
    leaves_out: tuple[str, ...]
    bands: tuple[Band, ...]
    rows: Callable[[SpecLoader], tuple[Row, ...]]


@dataclass(frozen=True)
class Outcome:
    """A case that has run."""

    case: Case
    rows: tuple[Row, ...]

    def band_of(self, row: Row) -> Band:
        """The band a row must stay in."""
        return next(band for band in self.case.bands if band.name == row.band)

    def broken(self) -> tuple[Row, ...]:
        """Rows outside their band."""
        return tuple(row for row in self.rows if is_broken(row, self.band_of(row)))


def is_broken(row: Row, band: Band) -> bool:
    """Whether a row is outside a band; one part in 10^12 is rounding."""
    if band.limit_fraction is None:
        return False
    return not abs(row.error_fraction) <= band.limit_fraction + 1e-12


def run_case(case: Case, load: SpecLoader) -> Outcome:
    """Make a case's predictions."""
    return Outcome(case, case.rows(load))
