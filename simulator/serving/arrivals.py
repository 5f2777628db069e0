"""When requests arrive: evenly spaced, as a Poisson process, or as they were recorded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulator.errors import UserError
from simulator.serving.arrival_trace import ArrivalTrace, read_arrival_trace
from simulator.units import PS_PER_S

CHUNK = 8192
"""Arrivals made at a time: what bounds the memory of an endless stream."""
LATEST_PS = 2**62
"""53 days, so that sums of times stay within 64 bits."""
LOWEST_HZ, HIGHEST_HZ = Fraction(1, 1000), Fraction(10**9)


class Arrivals(Protocol):
    """One stream of arrival times, from time zero."""

    @property
    def rate_hz(self) -> Fraction | None:
        """Mean rate; None where it is still to be chosen."""

    def at_rate(self, rate_hz: Fraction) -> Arrivals:
        """The same process at another rate: the same random numbers, scaled."""

    def times_ps(self, seed: tuple[int, ...]) -> Iterator[NDArray[np.int64]]:
        """Non-decreasing arrival times in pieces; the same seed gives the same times."""

    @property
    def sha256(self) -> str | None:
        """Digest of recorded times; None where they are drawn from a seed."""

    def __str__(self) -> str:
        """As the command line writes it."""


@dataclass(frozen=True)
class PeriodicArrivals:
    """One request every 1 / rate_hz, the first at time zero; request k at k / rate, rounded."""

    rate_hz: Fraction | None

    def at_rate(self, rate_hz: Fraction) -> PeriodicArrivals:
        return PeriodicArrivals(rate_hz)

    def times_ps(self, seed: tuple[int, ...]) -> Iterator[NDArray[np.int64]]:
        period = PS_PER_S / _known(self.rate_hz)
        whole = period.denominator == 1
        index = 0
        while True:
            numbers = range(index, index + CHUNK)
            if whole:
                yield np.arange(index, index + CHUNK, dtype=np.int64) * int(period)
            else:
                yield np.array([round(number * period) for number in numbers], dtype=np.int64)
            index += CHUNK

    @property
    def sha256(self) -> None:
        return None

    def __str__(self) -> str:
        return f"periodic{_rate_text(self.rate_hz)}"


@dataclass(frozen=True)
class PoissonArrivals:
    """Independent exponential gaps of mean 1 / rate_hz, to the nearest picosecond."""

    rate_hz: Fraction | None

    def at_rate(self, rate_hz: Fraction) -> PoissonArrivals:
        return PoissonArrivals(rate_hz)

    def times_ps(self, seed: tuple[int, ...]) -> Iterator[NDArray[np.int64]]:
        generator = np.random.default_rng(seed)
        mean_gap_ps = float(PS_PER_S / _known(self.rate_hz))
        last = 0
        while True:
            gaps = np.rint(generator.standard_exponential(CHUNK) * mean_gap_ps).astype(np.int64)
            times = last + np.cumsum(gaps)
            last = int(times[-1])
            yield times

    @property
    def sha256(self) -> None:
        return None

    def __str__(self) -> str:
        return f"poisson{_rate_text(self.rate_hz)}"


@dataclass(frozen=True)
class TracedArrivals:
    """Recorded arrival times, as they are: nothing is drawn and no rate can be set."""

    trace: ArrivalTrace

    @property
    def rate_hz(self) -> Fraction | None:
        """Gaps over the time they span; None for one arrival or a burst at one instant."""
        times = self.trace.times_ps
        span_ps = int(times[-1] - times[0])
        return Fraction((len(times) - 1) * PS_PER_S, span_ps) if span_ps else None

    def at_rate(self, rate_hz: Fraction) -> TracedArrivals:
        raise UserError(f"--arrivals {self}: recorded arrivals have their own rate")

    def times_ps(self, seed: tuple[int, ...]) -> Iterator[NDArray[np.int64]]:
        yield self.trace.times_ps

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.trace.times_ps.tobytes()).hexdigest()

    def __str__(self) -> str:
        return f"trace:{self.trace.origin}"


def parse_arrivals(text: str, needs_rate: bool = True) -> Arrivals:
    """Read ``periodic:HZ``, ``poisson:HZ`` or ``trace:FILE``; HZ may be left out if not needed.

    Raises:
        UserError: another process, no or a senseless rate, a file that cannot be read.
    """
    kind, _, rest = text.partition(":")
    if kind == "trace" and rest:
        return TracedArrivals(read_arrival_trace(Path(rest)))
    if kind not in {"periodic", "poisson"}:
        raise UserError(
            f"--arrivals {text!r}: expected periodic:HZ, poisson:HZ or trace:FILE, e.g. poisson:200"
        )
    rate = None
    if rest or needs_rate:
        try:
            rate = Fraction(rest)
        except (ValueError, ZeroDivisionError):
            raise UserError(f"--arrivals {text!r}: {rest!r} is no rate, e.g. {kind}:200") from None
        check_rate(rate, f"--arrivals {text!r}")
    return PeriodicArrivals(rate) if kind == "periodic" else PoissonArrivals(rate)


def check_rate(rate_hz: Fraction, option: str) -> None:
    """Raise UserError unless a rate is one a simulation of picoseconds can hold."""
    if not LOWEST_HZ <= rate_hz <= HIGHEST_HZ:
        raise UserError(
            f"{option}: rate must be from {float(LOWEST_HZ):g} to {float(HIGHEST_HZ):g} per second"
        )


def _known(rate_hz: Fraction | None) -> Fraction:
    if rate_hz is None:
        raise ValueError("arrivals without a rate have no times")
    return rate_hz


def _rate_text(rate_hz: Fraction | None) -> str:
    return f":{float(rate_hz):g}" if rate_hz is not None else ""
