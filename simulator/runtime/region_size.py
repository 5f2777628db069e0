"""How much of a scratchpad may be managed before the plan beside it suffers."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.errors import InfeasiblePlanError
from simulator.ir import Workload
from simulator.policy import Policy, PolicyChoice
from simulator.runtime.device import Device
from simulator.runtime.residency import Residency
from simulator.spec import AcceleratorSpec

HARM_FRACTION = 0.01
"""The plan counts as unharmed while mean latency and energy, nothing resident, rise by no more."""
STEPS = 16
"""Sizes tried: sixteenths of the scratchpad."""


@dataclass(frozen=True)
class TriedSize:
    """A region's size, and mean latency and energy beside it with nothing resident.

    None where no plan fits.
    """

    region_bytes: int
    latency_ps: float | None = None
    energy_pj: float | None = None


def largest_harmless_region(
    workload: Workload, spec: AcceleratorSpec, policy: Policy | PolicyChoice
) -> tuple[int, tuple[TriedSize, ...]]:
    """The largest region that costs the plan no more than one percent, and what was tried.

    Sixteenths of the scratchpad, by bisection: a larger region is taken to harm more. No larger
    than all weights together.
    """
    whole, n_bytes = _cold(workload, spec, policy, 0)
    tried = [whole]
    capacity = spec.scratchpad.capacity_bytes
    fits, harms = 0, STEPS
    while harms - fits > 1:
        middle = (fits + harms) // 2
        size = capacity * middle // STEPS
        try:
            tried.append(_cold(workload, spec, policy, size)[0])
        except InfeasiblePlanError:
            tried.append(TriedSize(size))
        if _harmless(tried[-1], whole):
            fits = middle
        else:
            harms = middle
    return min(capacity * fits // STEPS, n_bytes), tuple(tried)


def _harmless(tried: TriedSize, whole: TriedSize) -> bool:
    pairs = ((tried.latency_ps, whole.latency_ps), (tried.energy_pj, whole.energy_pj))
    return all(now and before and now <= before * (1 + HARM_FRACTION) for now, before in pairs)


def _cold(
    workload: Workload, spec: AcceleratorSpec, policy: Policy | PolicyChoice, region_bytes: int
) -> tuple[TriedSize, int]:
    """Means by leaf shares with nothing resident, and the bytes of all weights."""
    device = Device(workload, spec, policy, Residency(region_bytes=region_bytes))
    latency_ps = energy_pj = 0.0
    for arms, share in device.itinerary.shares.items():
        inference = device.serve(arms)
        latency_ps += share * inference.latency_ps
        energy_pj += share * inference.energy_pj
    return TriedSize(region_bytes, latency_ps, energy_pj), sum(cut.n_bytes for cut in device.cuts)
