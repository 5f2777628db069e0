"""`study phases`: which policy wins where, in the plane of scratchpad against machine balance."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.spec import AcceleratorSpec
from simulator.study.questions.lab import Device, Lab, Point
from simulator.study.questions.question import Question, Row, distinct, number, span, where
from simulator.study.questions.regime import RULE
from simulator.study.questions.saving import (
    DENSE,
    GUESSES,
    POLICY_NOTE,
    SAVING_COLUMNS,
    policies,
    realizable,
    savings,
    tree_for,
)

BASE = "edge_npu"
CAPACITIES_KIB = (128, 512, 2048, 8192, 32768)
BALANCES = (20, 80, 320, 1280)
"""MACs per byte of DRAM bandwidth; 320 is edge_npu as shipped."""
QUICK = ((2048,), (320,))
ON_DEMAND = "on_demand"
SHIPPED = "shipped device"
TIE_POINTS = 0.05
"""Policies closer than this are as good as each other; the simpler one is named."""
COLUMNS = (
    *("kind", "device", "scratchpad_kib", "macs_per_byte", "policy"),
    *SAVING_COLUMNS,
)


def collect(lab: Lab, quick: bool) -> list[Row]:
    """Every policy at every cell, and where the shipped devices lie in the plane."""
    capacities, balances = QUICK if quick else (CAPACITIES_KIB, BALANCES)
    cells = [(kib, balance) for balance in balances for kib in capacities]
    asked = [
        (kib, balance, _device(lab, kib, balance), policy)
        for kib, balance in cells
        for policy in policies()
        if not (quick and policy in GUESSES)
    ]
    dense = [Point(device, DENSE) for _, _, device, _ in asked]
    trees = [Point(device, tree_for(policy), policy) for _, _, device, policy in asked]
    found = savings(lab, dense, trees)
    rows: list[Row] = [
        {
            "kind": "cell",
            "device": BASE,
            "scratchpad_kib": kib,
            "macs_per_byte": balance,
            "policy": policy,
            **row,
        }
        for (kib, balance, _, policy), row in zip(asked, found, strict=True)
    ]
    blank: Row = dict.fromkeys(COLUMNS)
    for name in lab.spec_names:
        spec = lab.spec(Device(name))
        place: Row = {"kind": SHIPPED, "device": name, "macs_per_byte": machine_balance(spec)}
        rows.append({**blank, **place, "scratchpad_kib": spec.scratchpad.capacity_kib})
    return rows


def machine_balance(spec: AcceleratorSpec) -> float:
    """Multiply-accumulates the array can do per byte that DRAM can move, at peak."""
    array = spec.pe_array
    return array.pes * array.clock_hz / spec.dram.peak_bytes_per_s


def _device(lab: Lab, capacity_kib: int, balance: int) -> Device:
    """The base device with that scratchpad and bandwidth; enough requests in flight for any."""
    array = lab.spec(Device(BASE)).pe_array
    changes = (
        ("scratchpad.capacity_kib", capacity_kib),
        ("dram.peak_bytes_per_s", array.pes * array.clock_hz // balance),
        ("dma.outstanding_requests", 1024),
        ("scratchpad.ports", 2),
    )
    return Device(BASE, changes)


def winner(rows: Sequence[Row]) -> Row:
    """Of one cell's rows, that of the policy a device should follow for latency."""
    real = [row for row in rows if realizable(str(row["policy"]))]
    most = max(number(row, "latency_saving_percent") for row in real)
    close = (row for row in real if number(row, "latency_saving_percent") >= most - TIE_POINTS)
    return next(close)


def cells(rows: Sequence[Row]) -> list[list[Row]]:
    """The feasible cells' rows, cell by cell."""
    feasible = where(rows, kind="cell", reason="")
    places = dict.fromkeys((row["scratchpad_kib"], row["macs_per_byte"]) for row in feasible)
    return [where(feasible, scratchpad_kib=k, macs_per_byte=b) for k, b in places]


def claims(rows: Sequence[Row]) -> list[str]:
    """Who wins how often and by how much, and what the oracle would add."""
    found = cells(rows)
    winners = [(winner(cell), where(cell, policy=ON_DEMAND)[0]) for cell in found]
    gains = [_gain(best, demand) for best, demand in winners]
    by_policy = []
    for policy in distinct(where(rows, kind="cell"), "policy"):
        mine = [
            gain for gain, (best, _) in zip(gains, winners, strict=True) if best["policy"] == policy
        ]
        if mine:
            by = "" if policy == ON_DEMAND else f", by {span(mine, 'points')}"
            by_policy.append(f"`{policy}` in {len(mine)}{by}")
    savings_percent = [number(best, "latency_saving_percent") for best, _ in winners]
    first = (
        f"Of {len(found)} combinations of scratchpad and bandwidth, the fastest policy a device "
        f"can follow is {'; '.join(by_policy)} over fetching on demand. The winner saves "
        f"{span(savings_percent, '%')} of the dense network's latency."
    )
    bounds = [
        _gain(where(cell, policy="oracle")[0], best)
        for cell, (best, _) in zip(found, winners, strict=True)
    ]
    return [
        first,
        *_by_regime(winners),
        f"Knowing the route beforehand would add {span(bounds, 'points')} to the winner.",
    ]


def _by_regime(winners: Sequence[tuple[Row, Row]]) -> list[str]:
    texts = []
    for regime in distinct([best for best, _ in winners], "regime"):
        mine = [(best, demand) for best, demand in winners if best["regime"] == regime]
        saved = span((number(best, "latency_saving_percent") for best, _ in mine), "%")
        gained = span((_gain(best, demand) for best, demand in mine), "points")
        texts.append(
            f"{regime} ({len(mine)} combinations): {saved} of latency saved, {gained} of it by "
            "the choice of policy."
        )
    return texts


def _gain(row: Row, base: Row) -> float:
    return number(row, "latency_saving_percent") - number(base, "latency_saving_percent")


QUESTION = Question(
    name="phases",
    title="Which policy wins where",
    asks="which policy is fastest by scratchpad size and MACs per byte of bandwidth",
    method=(
        "`edge_npu` (2048 MACs at 1 GHz) with two-ported scratchpads of other sizes and DRAM of "
        "other bandwidths, with enough requests in flight for each. Both networks are planned "
        "anew in every cell. Shipped devices are marked where their own scratchpad and machine "
        "balance put them; they differ in more than these two. Policies within "
        f"{TIE_POINTS} points count as equal, and the first in the order of the policies is "
        f"named. {POLICY_NOTE}\n\n{RULE}"
    ),
    columns=COLUMNS,
    shown=(
        ("scratchpad_kib", "scratchpad KiB"),
        ("macs_per_byte", "MACs per byte"),
        ("regime", "regime"),
        ("policy", "policy"),
        ("latency_saving_percent", "latency saved %"),
        ("energy_saving_percent", "energy saved %"),
        ("device", "device"),
        ("reason", "infeasible because"),
    ),
    collect=collect,
    claims=claims,
)
