"""How response times grow with the load, and how many requests per second meet a target."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from simulator.errors import UserError
from simulator.serving.arrivals import HIGHEST_HZ, LOWEST_HZ
from simulator.serving.bootstrap import block_intervals
from simulator.serving.collector import Group, Quantity
from simulator.serving.summary import QUANTILES
from simulator.serving.system import ServingResult, System, simulate_serving
from simulator.steps import Steps
from simulator.units import PS_PER_S
from simulator.validation import nearest

STEP_FRACTION = Fraction(1, 1000)
"""Rates are searched to this share of the saturation rate."""
LEAST_LOAD = Fraction(1, 100)
"""A target that is not met at this load is held to be beyond reach."""
MOST_LOAD = 20
"""Orders that find more weights on chip may sustain more than the saturation rate, not so much."""
USUAL_TRIES = 2 + math.ceil(math.log2((1 - LEAST_LOAD) / STEP_FRACTION))
"""Rates a search tries: little load, saturation, and halves of what lies between."""
_UNITS_PS = {"s": 10**12, "ms": 10**9, "us": 10**6, "µs": 10**6, "ns": 10**3}
_TARGET = re.compile(r"\s*([\w.]+)\s*<=?\s*([0-9.eE+-]+)\s*(\S+)\s*")
MISSED = "missed"


def parse_duration_ps(text: str, option: str) -> int:
    """Read a time such as ``5ms``.

    Raises:
        UserError: no positive number, or no unit of time.
    """
    match = re.fullmatch(r"\s*([0-9.eE+-]+?)\s*([a-zµ]+)\s*", text)
    try:
        if match and match[2] in _UNITS_PS:
            time_ps = round(Fraction(match[1]) * _UNITS_PS[match[2]])
            if 0 < time_ps <= 10**6 * PS_PER_S:
                return time_ps
    except ValueError:
        pass
    raise UserError(f"{option} {text!r}: expected a time with its unit, e.g. 5ms")


@dataclass(frozen=True)
class Target:
    """A limit on a statistic of the response time, or on the share of missed deadlines.

    Attributes:
        text: as written.
        statistic: mean, one of `QUANTILES`, max, or missed.
        most: picoseconds, or a fraction for missed.
    """

    text: str
    statistic: str
    most: float

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read ``p99 < 10ms`` or ``missed < 1%``.

        Raises:
            UserError: another statistic, or a limit without a fitting unit.
        """
        match = _TARGET.fullmatch(text)
        if match is None:
            raise UserError(f"--sustain {text!r}: expected e.g. 'p99 < 10ms' or 'missed < 1%'")
        statistic, number, unit = match.groups()
        known = ("mean", *QUANTILES, "max", MISSED)
        if statistic not in known:
            raise UserError(
                f"--sustain {text!r}: no statistic {statistic}{nearest(statistic, known)}; "
                f"known: {', '.join(known)}"
            )
        if statistic != MISSED:
            return cls(text, statistic, parse_duration_ps(number + unit, "--sustain"))
        try:
            most = float(number) / 100
        except ValueError:
            most = -1.0
        if unit != "%" or not 0 <= most < 1:
            raise UserError(f"--sustain {text!r}: missed is given in %, from 0 to below 100")
        return cls(text, statistic, most)

    def value(self, result: ServingResult) -> float:
        """The statistic of a run, in picoseconds or as a fraction."""
        quantities = result.collected.groups[Group()]
        if self.statistic == MISSED:
            return quantities[Quantity.MISSED].whole.mean
        response = quantities[Quantity.RESPONSE].whole
        if self.statistic == "mean":
            return response.mean
        if self.statistic == "max":
            return response.largest
        return response.quantile(QUANTILES[self.statistic])

    def interval(self, result: ServingResult) -> tuple[float, float] | None:
        """The interval of the statistic, where there is one."""
        quantities = result.collected.groups[Group()]
        seed = result.system.traffic.seed
        if result.saturated:
            return None
        if self.statistic == "max":
            return None
        if self.statistic in QUANTILES:
            fraction = QUANTILES[self.statistic]
            found = block_intervals(quantities[Quantity.RESPONSE].blocks, (fraction,), seed)
            return found.quantiles[fraction] if found else None
        quantity = Quantity.MISSED if self.statistic == MISSED else Quantity.RESPONSE
        found = block_intervals(quantities[quantity].blocks, (), seed)
        return found.mean if found else None

    def met(self, result: ServingResult) -> bool:
        """Whether a run is within the limit."""
        return self.value(result) <= self.most


@dataclass(frozen=True)
class LoadPoint:
    """A system at one rate; `load` is the rate over the saturation rate."""

    load: Fraction
    rate_hz: Fraction
    result: ServingResult


@dataclass(frozen=True)
class Capacity:
    """The rates between which a target stops being met.

    Attributes:
        target: what must be met.
        saturation_hz: the rate at which the NPU never rests.
        met: at the highest rate found that meets it; None if even little load does not.
        missed: at the lowest rate found that does not; None if it is met up to saturation.
        simulated: rates tried.
        monotone: whether the statistic never fell from one simulated rate to the next higher.
    """

    target: Target
    saturation_hz: Fraction
    met: LoadPoint | None
    missed: LoadPoint | None
    simulated: int
    monotone: bool


def at_load(system: System, saturation_hz: Fraction, load: Fraction) -> LoadPoint:
    """Run a system at a share of its saturation rate.

    Raises:
        UserError: a rate too low or too high to simulate.
    """
    rate_hz = saturation_hz * load
    if not LOWEST_HZ <= rate_hz <= HIGHEST_HZ:
        raise UserError(
            f"--load {float(load):g}: {float(rate_hz):g} requests/s cannot be simulated"
        )
    # Rates people can read; the load is then that of the rounded rate.
    rounded = rate_hz.limit_denominator(10**6)
    result = simulate_serving(system.at_rate(rounded), compare=False)
    return LoadPoint(rounded / saturation_hz, rounded, result)


def find_capacity(system: System, target: Target, steps: Steps | None = None) -> Capacity:
    """The highest rate that meets a target, by bisection from little load to saturation.

    All rates see the same random numbers, so that with services that hang on nothing but the
    route a request never waits less at a higher rate. Every rate tried is one of the `steps`,
    of which `USUAL_TRIES` are expected.
    """
    steps = steps or Steps()
    saturation_hz = system.saturation_hz()
    system = replace(system, leaves=())  # a target is on all requests
    tried: list[LoadPoint] = []

    def run(load: Fraction) -> LoadPoint:
        point = at_load(system, saturation_hz, load)
        tried.append(point)
        steps.total += len(tried) > USUAL_TRIES
        steps.advance()
        return point

    low = run(LEAST_LOAD)
    met, missed = (low, run(Fraction(1))) if target.met(low.result) else (None, low)
    while met is not None and target.met(missed.result):
        met = missed
        if met.result.saturated or met.load >= MOST_LOAD:
            return Capacity(target, saturation_hz, met, None, len(tried), _monotone(target, tried))
        missed = run(met.load * Fraction(5, 4))
    while met is not None and missed.load - met.load > STEP_FRACTION:
        middle = run((met.load + missed.load) / 2)
        if target.met(middle.result):
            met = middle
        else:
            missed = middle
    return Capacity(target, saturation_hz, met, missed, len(tried), _monotone(target, tried))


def _monotone(target: Target, tried: list[LoadPoint]) -> bool:
    values = [target.value(p.result) for p in sorted(tried, key=lambda point: point.load)]
    # Quantiles are rounded up by less than 0.1 %, which is no fall.
    return all(after >= before * 0.998 for before, after in pairwise(values))
