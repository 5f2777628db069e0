"""Unit conversions: the only place where one physical unit becomes another.

Inside the simulator time is integer picoseconds, capacity is bytes, rate is
bytes per second and energy is picojoules, so that sums are exact and two clock
domains never drift apart.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PS_PER_S = 10**12
PS_PER_NS = 10**3
BYTES_PER_KIB = 1024
BYTES_PER_MIB = 1024 * 1024
PJ_PER_J = 10**12


@overload
def ceil_div(numerator: int, denominator: int) -> int: ...
@overload
def ceil_div(numerator: NDArray[np.int64], denominator: Any) -> NDArray[np.int64]: ...
@overload
def ceil_div(numerator: int, denominator: NDArray[np.int64]) -> NDArray[np.int64]: ...
def ceil_div(numerator: Any, denominator: Any) -> Any:
    """Smallest integer not below numerator / denominator (denominator > 0), element by element."""
    return -(-numerator // denominator)


def cycles_to_ps(cycles: int, clock_hz: int) -> int:
    """Duration of a whole number of clock cycles, rounded up to a picosecond."""
    return ceil_div(cycles * PS_PER_S, clock_hz)


def bytes_to_ps(n_bytes: int, rate_bytes_per_s: Fraction) -> int:
    """Time a link of the given rate is busy with n_bytes, rounded up to a picosecond."""
    return ceil_div(n_bytes * PS_PER_S * rate_bytes_per_s.denominator, rate_bytes_per_s.numerator)


def bits_to_bytes(n_values: int, bits: int) -> int:
    """Bytes that n_values densely packed values of the given width occupy, rounded up."""
    return ceil_div(n_values * bits, 8)


def ns_to_ps(time_ns: float) -> int:
    """Nanoseconds, as datasheets print them, to the nearest picosecond."""
    return round(time_ns * PS_PER_NS)


def ps_to_s(time_ps: int) -> float:
    """Picoseconds to seconds, for people and summaries."""
    return time_ps / PS_PER_S


def pj_to_j(energy_pj: float) -> float:
    """Picojoules to joules, for people and summaries."""
    return energy_pj / PJ_PER_J
