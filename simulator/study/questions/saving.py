"""What a tree saves against the dense network on one device: the figures every study reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from simulator.policy import SPECULATING, Policy, PolicyChoice
from simulator.study.outcome import Outcome, Status
from simulator.study.questions.lab import Device, Lab, Point, active_saving_percent
from simulator.study.questions.question import Row
from simulator.study.questions.regime import metric, regime_of

DENSE, TREE = "dense_resnet50", "sigmab_resnet50"
TIED_TREE = "sigmab_resnet50_tied"
"""The tree whose siblings hold three quarters of their weights in common."""
COMMON_BLOCKS = "tied"
"""The policy that fetches common blocks first; it says nothing on a tree that has none."""
BOUNDS = (Policy.ORACLE.value,)
"""Policies no device can follow."""

WEIGHT_BOUND = Device("edge_npu", label="edge_npu, 6.4 GB/s")
COMPUTE_BOUND = Device(
    "edge_npu",
    (
        ("dram.peak_bytes_per_s", 25_600_000_000),
        ("dma.outstanding_requests", 256),
        ("scratchpad.ports", 2),
    ),
    "edge_npu, 25.6 GB/s",
)
"""The README's two devices: the shipped one, and the same array with four times the bandwidth."""

GUESSES = tuple(policy.value for policy in SPECULATING)
LEAST_WAIT_PERCENT = 1.0
GUESS_NOTE = (
    f"Where fetching on demand waits for the route less than {LEAST_WAIT_PERCENT:g} % of the time, "
    "policies that guess have next to nothing to gain and are not simulated."
)

_EARLY = PolicyChoice(Policy.EARLY_ROUTER)
POLICY_NOTE = (
    "`tied` runs the tree whose siblings hold weights in common, all other policies the plain "
    "tree. Guesses come from the leaf shares (`--predictor prior`), but for `early_router`: a "
    f"router {_EARLY.early_blocks} block{'s' if _EARLY.early_blocks > 1 else ''} before the router "
    f"proper that is right in a share of {_EARLY.early_accuracy!r} of the decisions "
    f"(assumed; [break_even](break_even.md) varies both). {GUESS_NOTE}"
)
"""What the policies of a table assume, for its page."""

SAVING_COLUMNS = (
    *("regime", "latency_saving_percent", "energy_saving_percent"),
    *("active_parameter_saving_percent", "mac_saving_percent", "weight_read_saving_percent"),
    *("latency_arrived_percent", "energy_arrived_percent"),
    *("latency_ms", "energy_mj", "dense_latency_ms", "dense_energy_mj"),
    *("dense_compute_ms", "dense_dram_busy_ms", "dense_weight_share_percent"),
    *("route_wait_ms", "mispredict_refetch_ms", "weight_read_mb"),
    *("speculation_early_mb", "speculation_wasted_mb", "reason"),
)


def policies() -> list[str]:
    """Every policy there is, in the order of the enumeration."""
    return [policy.value for policy in Policy]


def realizable(policy: str) -> bool:
    """Whether a device can follow the policy without knowing the future."""
    return policy not in BOUNDS


def tree_for(policy: str) -> str:
    """The ResNet-50 tree that a policy is asked of."""
    return TIED_TREE if policy == COMMON_BLOCKS else TREE


def savings(lab: Lab, dense: list[Point], trees: list[Point]) -> list[Row]:
    """The saving of each tree point against the dense point at the same place.

    Guesses are simulated only where there is something to gain, see GUESS_NOTE.
    """
    demand = [replace(point, policy=Policy.ON_DEMAND.value) for point in trees]
    first = lab.evaluate([*dense, *demand])
    waits = [route_wait_percent(outcome) for outcome in first[len(dense) :]]
    asked = [
        at
        for at, (point, wait) in enumerate(zip(trees, waits, strict=True))
        if point.policy not in GUESSES or wait >= LEAST_WAIT_PERCENT
    ]
    found = dict(zip(asked, lab.evaluate([trees[at] for at in asked]), strict=True))
    rows: list[Row] = []
    for at, (base_point, point) in enumerate(zip(dense, trees, strict=True)):
        base = first[at]
        if at in found:
            analytic = active_saving_percent(
                lab.workload(base_point.workload), lab.workload(point.workload)
            )
            rows.append(saving(base, found[at], analytic))
            continue
        reason = f"not simulated: on demand waits {waits[at]:.2f} % of its time for the route"
        blank: Row = dict.fromkeys(SAVING_COLUMNS)
        rows.append({**blank, "regime": regime_of(base).value, "reason": reason})
    return rows


def route_wait_percent(outcome: Outcome) -> float:
    """Share of the time that is spent waiting for the route; all of it if that is not known."""
    if outcome.status is Status.INFEASIBLE:
        return 100.0
    return 100 * metric(outcome, "route_wait_ps") / metric(outcome, "latency_mean_ps")


def saving(dense: Outcome, tree: Outcome, analytic_percent: float) -> Row:
    """SAVING_COLUMNS of one pair of runs; only the reason where one of them is infeasible."""
    for outcome in (dense, tree):
        if outcome.status is Status.INFEASIBLE:
            return {**dict.fromkeys(SAVING_COLUMNS), "reason": outcome.reason}

    def saved_percent(name: str) -> float:
        return 100 * (1 - metric(tree, name) / metric(dense, name))

    latency, energy = saved_percent("latency_mean_ps"), saved_percent("energy_pj")
    weights = metric(dense, "weight_read_bytes")
    return {
        "regime": regime_of(dense).value,
        "latency_saving_percent": latency,
        "energy_saving_percent": energy,
        "active_parameter_saving_percent": analytic_percent,
        "mac_saving_percent": saved_percent("macs"),
        "weight_read_saving_percent": saved_percent("weight_read_bytes"),
        "latency_arrived_percent": 100 * latency / analytic_percent,
        "energy_arrived_percent": 100 * energy / analytic_percent,
        "latency_ms": metric(tree, "latency_mean_ps") / 1e9,
        "energy_mj": metric(tree, "energy_pj") / 1e9,
        "dense_latency_ms": metric(dense, "latency_mean_ps") / 1e9,
        "dense_energy_mj": metric(dense, "energy_pj") / 1e9,
        "dense_compute_ms": metric(dense, "compute_ps") / 1e9,
        "dense_dram_busy_ms": metric(dense, "dram_busy_ps") / 1e9,
        "dense_weight_share_percent": 100
        * weights
        / (weights + metric(dense, "activation_dram_bytes")),
        "route_wait_ms": metric(tree, "route_wait_ps") / 1e9,
        "mispredict_refetch_ms": metric(tree, "mispredict_refetch_ps") / 1e9,
        "weight_read_mb": metric(tree, "weight_read_bytes") / 1e6,
        "speculation_early_mb": metric(tree, "speculation_early_bytes") / 1e6,
        "speculation_wasted_mb": metric(tree, "speculation_wasted_bytes") / 1e6,
        "reason": "",
    }


def dense_runs(lab: Lab, devices: Sequence[Device]) -> list[Outcome]:
    """The dense network on each device, which names its regime."""
    return lab.evaluate([Point(device, DENSE) for device in devices])
