"""Brackets the latency of millions of points between exact results at faster and slower designs.

More bandwidth is never slower (DECISIONS 2), with the plan chosen anew at every bandwidth. So the
exact latencies at two neighbouring bandwidths bound it at all between, and so do the closed forms
of bandwidths still nearer, which need no schedules. A table of the better of both, for every
scratchpad that makes a difference, bounds any number of points by looking them up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from simulator.errors import UserError
from simulator.fast.designs import timing_key
from simulator.spec import AcceleratorSpec
from simulator.spec_file import Override, with_overrides
from simulator.study.family import Demand, Family

CLOSED_FORMS = 8
"""Bandwidths per exact one at which there are closed forms."""


@dataclass(frozen=True)
class Brackets:
    """Per point, what its mean latency is not below and not above; UNKNOWN where nothing fits."""

    lower_ps: NDArray[np.int64]
    upper_ps: NDArray[np.int64]


@dataclass(frozen=True)
class Screen:
    """Bounds of one family's mean latencies at some bandwidths, by the scratchpad there is.

    Attributes:
        budgets: scratchpad bytes that make a difference, rising.
        bandwidths: in bytes/s, rising; between two of them points are bracketed.
        lower_ps, upper_ps: shape (budgets + 1, bandwidths): with so many of the budgets fitting;
            UNKNOWN for none.
    """

    budgets: NDArray[np.int64]
    bandwidths: NDArray[np.int64]
    lower_ps: NDArray[np.int64]
    upper_ps: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        family: Family,
        spec: AcceleratorSpec,
        bandwidths_bytes_per_s: Sequence[int],
        most_room_bytes: int,
    ) -> Screen:
        """Exact at the given bandwidths, which rise; bounds at some between them.

        Raises:
            UserError: no bandwidths, or not in order.
        """
        knots = np.array(bandwidths_bytes_per_s, dtype=np.int64)
        if not len(knots) or (np.diff(knots) <= 0).any():
            raise UserError("a screen needs a bandwidth or more, each above the one before")
        demands = [Demand(s, timing_key(s), most_room_bytes) for s in _at(spec, knots)]
        budgets, exact = family.latencies(demands)
        bandwidths = _refined(knots)
        closed = family.closed_form(_at(spec, bandwidths), most_room_bytes)
        slower = np.searchsorted(knots, bandwidths, side="right") - 1
        faster = np.searchsorted(knots, bandwidths, side="left")
        return cls(
            budgets,
            bandwidths,
            np.maximum(exact[:, faster], closed.lower_ps),
            np.minimum(exact[:, slower], closed.upper_ps),
        )

    def save(self, file: IO[bytes]) -> None:
        """Write a file that `load` reads."""
        np.savez(file, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Screen | None:
        """What was saved there; None if it is missing or damaged, for it to be made anew."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls(**{field.name: arrays[field.name] for field in fields(cls)})
        except (OSError, ValueError, LookupError, EOFError, BadZipFile):
            return None

    def brackets(
        self, bandwidths_bytes_per_s: NDArray[np.int64], rooms_bytes: NDArray[np.int64]
    ) -> Brackets:
        """Bounds of the points; `rooms_bytes` is the scratchpad less what is pinned.

        Raises:
            UserError: a bandwidth outside those of the screen.
        """
        rates = self.bandwidths
        if bandwidths_bytes_per_s.min() < rates[0] or bandwidths_bytes_per_s.max() > rates[-1]:
            raise UserError(f"bandwidths must lie from {rates[0]} to {rates[-1]} bytes/s")
        slower = np.searchsorted(rates, bandwidths_bytes_per_s, side="right") - 1
        faster = np.searchsorted(rates, bandwidths_bytes_per_s, side="left")
        fitting = np.searchsorted(self.budgets, rooms_bytes, side="right")
        return Brackets(self.lower_ps[fitting, faster], self.upper_ps[fitting, slower])


def _at(spec: AcceleratorSpec, bandwidths: NDArray[np.int64]) -> list[AcceleratorSpec]:
    return [
        with_overrides(spec, [Override("dram.peak_bytes_per_s", rate)])
        for rate in bandwidths.tolist()
    ]


def _refined(knots: NDArray[np.int64]) -> NDArray[np.int64]:
    """The knots, and bandwidths between them at equal factors."""
    slower, faster = knots[:-1, None], knots[1:, None]
    between = slower * (faster / slower) ** (np.arange(CLOSED_FORMS) / CLOSED_FORMS)
    within = np.clip(between.astype(np.int64), slower, faster)
    refined: NDArray[np.int64] = np.unique(np.concatenate((within.ravel(), knots)))
    return refined
