"""A serving result as data: percentiles with their intervals, by group; plain JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from simulator.serving.arrivals import PoissonArrivals
from simulator.serving.bootstrap import LEVEL_FRACTION, RESAMPLES, block_intervals
from simulator.serving.collector import Group, Quantities, Quantity
from simulator.serving.scheduling import Scheduling
from simulator.serving.series import Series
from simulator.serving.system import ServingResult, System
from simulator.units import pj_to_j, ps_to_s

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}
TIMES = (Quantity.RESPONSE, Quantity.QUEUEING, Quantity.SERVICE)
FEW_BEYOND = 10
"""Fewer requests than this beyond a percentile say little about it."""
CORRELATED = 0.4
"""Blocks whose waits correlate more are too short for their intervals. Among some 50 independent
blocks chance exceeds it in less than one run of 200."""


def summarise_serving(result: ServingResult) -> dict[str, Any]:
    """Everything a reader wants to know of a run."""
    path, collected = result.path, result.collected
    groups = collected.groups
    everything = groups[Group()]
    seed = None if result.saturated else result.system.traffic.seed
    return {
        "system": result.system.name,
        "scheduling": result.system.scheduling.value,
        "arrivals": [str(source.arrivals) for source in result.system.traffic.sources],
        "deadlines_s": [
            ps_to_s(network.deadline_ps) if network.deadline_ps is not None else None
            for network in result.system.traffic.networks
        ],
        "policy": result.system.policy,
        "region_bytes": list(result.system.region_bytes),
        "orders": list(result.system.orders),
        "requests": path.served,
        "counted": everything[Quantity.RESPONSE].whole.count,
        "offered_load_fraction": path.offered_fraction,
        "saturated": result.saturated,
        "left_at_last_arrival": path.left_at_last_arrival,
        "utilisation_fraction": path.utilisation_fraction,
        "throughput_hz": result.throughput_hz,
        "waiting_mean": path.mean_waiting,
        "waiting_max": path.most_waiting,
        "in_system_mean": path.mean_in_system,
        "energy_per_request_j": pj_to_j(result.energy_per_request_pj),
        "inference_energy_j": pj_to_j(collected.energy_pj / path.served),
        "weight_read_bytes": collected.weight_read_bytes / path.served,
        "hit_bytes": collected.hit_bytes / path.served,
        "network_switches": result.switches,
        "overtakings": result.overtakings,
        "against_fifo": _against_fifo(result),
        "percentile_error_fraction": max(
            everything[quantity].whole.error_fraction for quantity in TIMES
        ),
        "interval_level_fraction": LEVEL_FRACTION,
        "interval_resamples": RESAMPLES,
        "block_requests": collected.block_requests,
        "blocks": len(everything[Quantity.RESPONSE].blocks),
        "block_correlation": everything[Quantity.QUEUEING].block_correlation(),
        "pollaczek_khinchine_queueing_s": expected_queueing_s(result),
        "all": summarise_group(everything, seed, TIMES),
        "groups": [
            {
                "group": name,
                **summarise_group(groups[group], seed, (Quantity.RESPONSE,)),
            }
            for group, name in named_groups(result)
        ],
    }


def _against_fifo(result: ServingResult) -> dict[str, int] | None:
    against = result.against_fifo
    if against is None:
        return None
    return {
        "fifo_missed": against.fifo_missed,
        "newly_missed": against.newly_missed,
        "newly_met": against.newly_met,
    }


def named_groups(result: ServingResult) -> list[tuple[Group, str]]:
    """The groups that part of the requests fell into, in the order to show them."""
    found = result.collected.groups
    networks = [network.name for network in result.system.traffic.networks]
    several = len(networks) > 1
    listed = [(Group(number), name) for number, name in enumerate(networks) if several]
    for number, arms in result.system.leaves:
        if arms:
            leaf = f"leaf {'-'.join(map(str, arms))}"
            listed.append((Group(number, arms), f"{networks[number]} {leaf}" if several else leaf))
    if Group(warm=True) in found:
        listed += [(Group(warm=True), "warm"), (Group(warm=False), "cold")]
    return [(group, name) for group, name in listed if group in found]


def summarise_group(
    quantities: Quantities, seed: int | None, certain: Sequence[Quantity]
) -> dict[str, Any]:
    """Requests, times in seconds and missed deadlines of a group.

    `certain` quantities get intervals, and none without a seed to resample with.
    """
    missed = quantities[Quantity.MISSED]
    found = None if seed is None else block_intervals(missed.blocks, (), seed)
    return {
        "requests": missed.whole.count,
        **{
            f"{quantity}_s": _times(quantities[quantity], seed if quantity in certain else None)
            for quantity in TIMES
        },
        "missed": missed.whole.total,
        "missed_fraction": missed.whole.mean,
        "missed_interval": list(found.mean) if found else None,
    }


def _times(series: Series, seed: int | None) -> dict[str, Any]:
    whole = series.whole
    found = None
    if seed is not None:
        found = block_intervals(series.blocks, tuple(QUANTILES.values()), seed)
    intervals = None
    if found:
        ends = {name: found.quantiles[fraction] for name, fraction in QUANTILES.items()}
        intervals = {
            name: [ps_to_s(1) * end for end in pair]
            for name, pair in {"mean": found.mean, **ends}.items()
        }
    return {
        "mean": ps_to_s(1) * whole.mean,
        **{name: ps_to_s(whole.quantile(fraction)) for name, fraction in QUANTILES.items()},
        "max": ps_to_s(whole.largest),
        "intervals": intervals,
    }


def expected_queueing_s(result: ServingResult) -> float | None:
    """Mean wait by the Pollaczek-Khinchine formula, where it holds; else None.

    Lambda E[S^2] / (2 (1 - rho)), with the rate as given and the services as simulated: Poisson
    arrivals, served in their order, each service independent of all others.
    """
    if not _is_m_g_1(result.system) or result.switches:
        return None
    service = result.collected.groups[Group()][Quantity.SERVICE].whole
    times_s = ps_to_s(1) * service.values.astype(np.float64)
    second_moment = float(times_s**2 @ service.counts) / service.count
    rate_hz = float(sum(source.arrivals.rate_hz or 0 for source in result.system.traffic.sources))
    load = rate_hz * ps_to_s(1) * service.mean
    return rate_hz * second_moment / (2 * (1 - load)) if load < 1 else None


def _is_m_g_1(system: System) -> bool:
    poisson = all(isinstance(s.arrivals, PoissonArrivals) for s in system.traffic.sources)
    return poisson and system.independent and system.scheduling is Scheduling.FIFO
