"""Points that keep weights on chip from one input to the next: what a stream of inputs costs there.

Every inference finds what those before it left, so percentiles are over the stream, its first
inputs included, which find the scratchpad empty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from simulator.errors import UserError
from simulator.result import StallKind
from simulator.runtime.device import Device
from simulator.runtime.inference import Inference
from simulator.runtime.region_size import largest_harmless_region
from simulator.runtime.residency import Residency, ResidencyPolicy
from simulator.runtime.tally import Tally
from simulator.study.area import area_of
from simulator.study.context import Scenario
from simulator.study.keeping import REGION, Keeping
from simulator.study.outcome import METRICS, Engine, Number, Outcome, Status
from simulator.units import BYTES_PER_KIB

DEVICES_KEPT = 4


def evaluate_kept(scenario: Scenario, keeping: Keeping) -> Outcome:
    """Serve a point's inputs one after the other, on what the ones before left on chip."""
    try:
        device = _device_for(scenario, keeping)
        served = [device.serve(route.arms) for route in scenario.routes]
    except UserError as error:  # no plan beside the region, or a policy that goes with none
        return Outcome.infeasible(scenario.key, str(error))
    return _outcome_of(scenario, served)


_devices: dict[tuple[object, ...], tuple[Device, Scenario]] = {}


def _device_for(scenario: Scenario, keeping: Keeping) -> Device:
    """A device with an empty scratchpad; one alike that is remembered shares its plan."""
    key = (
        *(id(scenario.workload), id(scenario.spec), scenario.policy.text, keeping.region_kib),
        *(keeping.granularity, keeping.policy is ResidencyPolicy.NONE),
    )
    if key not in _devices:
        while len(_devices) >= DEVICES_KEPT:
            del _devices[next(iter(_devices))]
        region = _residency_of(scenario, keeping)
        device = Device(scenario.workload, scenario.spec, scenario.policy, region)
        _devices[key] = (device, scenario)  # which keeps what the key names alive
    device = _devices[key][0]
    residency = Residency(
        keeping.policy, keeping.granularity, device.residency.region_bytes, scope=keeping.scope
    )
    knows = keeping.policy is ResidencyPolicy.BELADY
    return device.alike(residency, [route.arms for route in scenario.routes] if knows else None)


def _residency_of(scenario: Scenario, keeping: Keeping) -> Residency:
    """A region of the point's size and units.

    Raises:
        UserError: it leaves no scratchpad for plans.
    """
    capacity_bytes = scenario.spec.scratchpad.capacity_bytes
    if keeping.policy is ResidencyPolicy.NONE:
        return Residency()
    if keeping.region_kib is None:
        size = largest_harmless_region(scenario.workload, scenario.spec, scenario.policy)[0]
    else:
        size = keeping.region_kib * BYTES_PER_KIB
        if size >= capacity_bytes:
            raise UserError(
                f"{REGION} {keeping.region_kib}: the scratchpad has "
                f"{scenario.spec.scratchpad.capacity_kib} KiB, and plans need some"
            )
    return Residency(granularity=keeping.granularity, region_bytes=size)


def _outcome_of(scenario: Scenario, served: Sequence[Inference]) -> Outcome:
    """Means and percentiles over a stream; what its inferences do not tell is not known."""
    times = Counter(map(id, served))
    each = {id(inference): inference for inference in served}

    def mean(name: str) -> float:
        total = sum(getattr(each[which], name) * count for which, count in times.items())
        return float(total / len(served))

    latencies = Tally()
    stalls = dict.fromkeys(StallKind, 0)
    for which, count in times.items():
        latencies.add(each[which].latency_ps, count)
        for kind, stall_ps in each[which].stalls_ps.items():
            stalls[kind] += stall_ps * count
    area = area_of(scenario.spec)
    found: dict[str, Number] = {
        "latency_mean_ps": latencies.mean,
        "latency_p50_ps": latencies.percentile(50),
        "latency_p99_ps": latencies.percentile(99),
        "latency_max_ps": latencies.percentile(100),
        "compute_ps": (latencies.total - sum(stalls.values())) / len(served),
        **{f"{kind.value}_ps": stall_ps / len(served) for kind, stall_ps in stalls.items()},
        "energy_pj": mean("energy_pj"),
        "dram_read_bytes": mean("dram_read_bytes"),
        "dram_write_bytes": mean("dram_write_bytes"),
        "weight_read_bytes": mean("weight_read_bytes"),
        "area_mm2": area.total_mm2 if area else None,
    }
    metrics = tuple(found.get(name) for name in METRICS)
    return Outcome(scenario.key, Status.OK, "", Engine.RECURRENCE, metrics)
