"""`study prefetch`: how much of the analytic saving arrives, under each policy, on each device."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.study.questions.lab import Device, Lab, Point
from simulator.study.questions.question import Question, Row, distinct, number, percent, span, where
from simulator.study.questions.regime import RULE, Regime
from simulator.study.questions.saving import (
    COMPUTE_BOUND,
    DENSE,
    GUESSES,
    POLICY_NOTE,
    SAVING_COLUMNS,
    WEIGHT_BOUND,
    policies,
    realizable,
    savings,
    tree_for,
)

ON_DEMAND = "on_demand"
COLUMNS = ("device", "policy", "workload", *SAVING_COLUMNS)


def collect(lab: Lab, quick: bool) -> list[Row]:
    """Every policy on every device; a quick one, what needs no guess on the README's two."""
    devices = [WEIGHT_BOUND, COMPUTE_BOUND]
    if not quick:
        devices += [Device(name) for name in lab.spec_names if name != WEIGHT_BOUND.spec]
    tried = [p for p in policies() if not quick or (realizable(p) and p not in GUESSES)]
    asked = [(device, policy) for device in devices for policy in tried]
    dense = [Point(device, DENSE) for device, _ in asked]
    trees = [Point(device, tree_for(policy), policy) for device, policy in asked]
    found = savings(lab, dense, trees)
    return [
        {"device": device.name, "policy": policy, "workload": tree.workload, **row}
        for (device, policy), tree, row in zip(asked, trees, found, strict=True)
    ]


def claims(rows: Sequence[Row]) -> list[str]:
    """How much arrives by regime, what the policies change, and where they make it worse."""
    feasible = where(rows, reason="")
    analytic = number(feasible[0], "active_parameter_saving_percent")
    demand = where(feasible, policy=ON_DEMAND)
    parts = []
    for regime in Regime:
        mine = where(demand, regime=regime.value)
        if mine:
            latency = span((number(row, "latency_saving_percent") for row in mine), "%")
            energy = span((number(row, "energy_saving_percent") for row in mine), "%")
            devices = f"{len(mine)} {regime.value} device{'s' if len(mine) > 1 else ''}"
            parts.append(f"{latency} of latency and {energy} of energy on {devices}")
    first = (
        f"Of {analytic:.1f} % fewer active parameters, fetching on demand delivers "
        f"{'; '.join(parts)}."
    )
    return [first, *(_policy_claim(feasible, policy) for policy in distinct(feasible, "policy"))]


def _policy_claim(rows: Sequence[Row], policy: str) -> str:
    """What one policy does to latency and traffic against fetching on demand."""
    mine = where(rows, policy=policy)
    if policy == ON_DEMAND:
        waits = [100 * number(r, "route_wait_ms") / number(r, "latency_ms") for r in mine]
        return f"`{policy}`: {span(waits, '%')} of the time is spent waiting for the route."
    gains, extra = {}, []
    for row in mine:
        (base,) = where(rows, policy=ON_DEMAND, device=row["device"])
        gains[str(row["device"])] = number(row, "latency_saving_percent") - number(
            base, "latency_saving_percent"
        )
        extra.append(100 * (number(row, "weight_read_mb") / number(base, "weight_read_mb") - 1))
    most, least = max(gains, key=lambda d: gains[d]), min(gains, key=lambda d: gains[d])
    slower = [device for device, gain in gains.items() if gain < -0.005]
    text = (
        f"`{policy}`{'' if realizable(policy) else ' (a bound)'}: "
        f"{_signed(gains[most])} points of latency against on_demand at best ({most}), "
        f"{_signed(gains[least])} at worst ({least}), over {len(mine)} devices"
    )
    if slower:
        text += f"; slower on {len(slower)} of them"
    reads = "as many weight bytes" if max(map(abs, extra)) < 0.05 else _reads(extra)
    return f"{text}; {reads}."


def _reads(extra_percent: Sequence[float]) -> str:
    low, high = min(extra_percent), max(extra_percent)
    if f"{low:.1f}" == f"{high:.1f}":
        return f"{_signed(low)} % weight bytes"
    return f"{_signed(low)} to {_signed(high)} % weight bytes"


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−").replace("+0.0", "0.0").replace("−0.0", "0.0")


def answer_table(rows: Sequence[Row]) -> str:
    """The README's table: the two leading devices, as Markdown."""
    lines = [
        "| | " + " | ".join(f"{_device_head(rows, d.name)}" for d in (WEIGHT_BOUND, COMPUTE_BOUND)),
    ]
    lines[0] += " |"
    lines.append("|---|---|---|")
    first = where(rows, device=WEIGHT_BOUND.name)
    analytic = percent(number(first[0], "active_parameter_saving_percent"))
    lines.append(f"| fewer active parameters (analytic) | {analytic} | {analytic} |")
    for policy in distinct(first, "policy"):
        cells = []
        for device in (WEIGHT_BOUND, COMPUTE_BOUND):
            (row,) = where(rows, device=device.name, policy=policy)
            cells.append(
                f"{percent(number(row, 'latency_saving_percent'))} latency, "
                f"{percent(number(row, 'energy_saving_percent'))} energy"
            )
        name = f"`{policy}`{'' if realizable(policy) else ' (a bound)'}"
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _device_head(rows: Sequence[Row], device: str) -> str:
    (row,) = where(rows, device=device, policy=ON_DEMAND)
    return f"{row['regime']} NPU ({device})"


QUESTION = Question(
    name="prefetch",
    title="How much of the analytic saving arrives",
    asks="how much of the analytic saving arrives as latency and energy, by policy and device",
    method=(
        "ResNet-50 for ImageNet, int8 or as the device computes, batch 1, from a cold scratchpad, "
        "each device as it is shipped and `edge_npu` also with four times its bandwidth. The "
        "baseline is the dense network, which prefetches its weights across layers for as much as "
        f"there is room. {POLICY_NOTE}\n\n{RULE}"
    ),
    columns=COLUMNS,
    shown=(
        ("device", "device"),
        ("regime", "regime"),
        ("policy", "policy"),
        ("latency_saving_percent", "latency saved %"),
        ("energy_saving_percent", "energy saved %"),
        ("latency_arrived_percent", "arrived as latency %"),
        ("energy_arrived_percent", "arrived as energy %"),
        ("mac_saving_percent", "MACs saved %"),
        ("dense_latency_ms", "dense ms"),
        ("latency_ms", "tree ms"),
        ("route_wait_ms", "route wait ms"),
        ("speculation_early_mb", "early MB"),
        ("speculation_wasted_mb", "wasted MB"),
        ("reason", "infeasible because"),
    ),
    collect=collect,
    claims=claims,
)
