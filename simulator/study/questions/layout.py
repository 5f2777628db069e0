"""`study layout`: what the order of a tree's weights in DRAM costs or saves."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.cost.memory import memory_of
from simulator.mapping.layout import place_weights
from simulator.mapping.plan import MappingProblem
from simulator.spec import AcceleratorSpec
from simulator.spec_dram import Alignment, Layout
from simulator.study.outcome import Outcome, Status
from simulator.study.questions.lab import Device, Lab, Point, active_saving_percent
from simulator.study.questions.question import Question, Row, distinct, number, span, where
from simulator.study.questions.regime import RULE, metric
from simulator.study.questions.saving import (
    COMPUTE_BOUND,
    DENSE,
    SAVING_COLUMNS,
    TREE,
    WEIGHT_BOUND,
    dense_runs,
    saving,
)

LAYOUTS = tuple(layout.value for layout in Layout)
ALIGNMENTS = (Alignment.BURST.value, Alignment.ROW.value)
POLICIES = ("on_demand", "both_siblings")
DEVICES = (WEIGHT_BOUND, COMPUTE_BOUND, Device("tpu_v1"), Device("dpu_b4096"))
"""Those whose memory is a DRAM device with banks and rows; to a rate no layout matters."""
BASE = (Layout.LAYER_MAJOR.value, Alignment.ROW.value)
COLUMNS = (
    *("device", "layout", "alignment", "policy", "stored_mb", "padding_kb"),
    *("row_hit_percent", "burst_efficiency_percent", "dram_energy_mj"),
    *SAVING_COLUMNS,
)


def collect(lab: Lab, quick: bool) -> list[Row]:
    """Every layout at every alignment; the dense network has the best layout it can have."""
    devices = DEVICES[:1] if quick else DEVICES
    layouts = LAYOUTS[:2] if quick else LAYOUTS
    policies = POLICIES[:1] if quick else POLICIES
    asked = [
        (device, layout, alignment, policy)
        for device in devices
        for policy in policies
        for layout in layouts
        for alignment in ALIGNMENTS
    ]
    dense = dict(zip((d.name for d in devices), dense_runs(lab, devices), strict=True))
    placed = [_with_layout(device, layout, alignment) for device, layout, alignment, _ in asked]
    points = [Point(there, TREE, a[3]) for there, a in zip(placed, asked, strict=True)]
    analytic = active_saving_percent(lab.workload(DENSE), lab.workload(TREE))
    rows = []
    for (device, layout, alignment, policy), there, tree in zip(
        asked, placed, lab.evaluate(points), strict=True
    ):
        head: Row = {
            "device": device.name,
            "layout": layout,
            "alignment": alignment,
            "policy": policy,
            **_storage(lab, lab.spec(there)),
            **_use(tree),
        }
        rows.append({**head, **saving(dense[device.name], tree, analytic)})
    return rows


def _with_layout(device: Device, layout: str, alignment: str) -> Device:
    changes = (("dram.weight_layout", layout), ("dram.weight_alignment", alignment))
    return Device(device.spec, (*device.changes, *changes), device.name)


def _storage(lab: Lab, spec: AcceleratorSpec) -> Row:
    """Bytes stored, copies included, and addresses that hold nothing."""
    problem = MappingProblem(lab.workload(TREE).program, spec)
    stored = place_weights(problem.steps, spec, memory_of(spec))
    return {"stored_mb": stored.stored_bytes / 1e6, "padding_kb": stored.padding_bytes / 1e3}


def _use(tree: Outcome) -> Row:
    """How well bursts and rows are used."""
    if tree.status is Status.INFEASIBLE:
        return dict.fromkeys(("row_hit_percent", "burst_efficiency_percent", "dram_energy_mj"))
    wanted = metric(tree, "weight_read_bytes") + metric(tree, "activation_dram_bytes")
    on_bus = metric(tree, "dram_read_bytes") + metric(tree, "dram_write_bytes")
    misses = metric(tree, "dram_activates") / metric(tree, "dram_bursts")
    return {
        "row_hit_percent": 100 * (1 - misses),
        "burst_efficiency_percent": 100 * wanted / on_bus,
        "dram_energy_mj": metric(tree, "energy_dram_pj") / 1e9,
    }


def claims(rows: Sequence[Row]) -> list[str]:
    """How far the layouts lie apart, device by device, and which is worst."""
    feasible = where(rows, reason="")
    texts, spreads, others, worsts = [], [], [], []
    for device in distinct(feasible, "device"):
        mine = where(feasible, device=device)
        demand = where(mine, policy=POLICIES[0])
        best = min(demand, key=lambda row: number(row, "latency_ms"))
        worst = max(demand, key=lambda row: number(row, "latency_ms"))
        spread = _spread_percent(demand)
        spreads.append(spread)
        others.append(_spread_percent([row for row in demand if row["layout"] != worst["layout"]]))
        worsts.append(str(worst["layout"]))
        least = min(demand, key=lambda row: number(row, "energy_mj"))
        most = max(demand, key=lambda row: number(row, "energy_mj"))
        drawn = 100 * (number(most, "energy_mj") / number(least, "energy_mj") - 1)
        hits = span((number(row, "row_hit_percent") for row in demand), "%")
        texts.append(
            f"{device} ({best['regime']}): {_named(worst)} takes {spread:.2f} % longer than "
            f"{_named(best)}; "
            f"{most['layout']} draws {drawn:.2f} % more energy than {least['layout']}; "
            f"{hits} of bursts hit an open row."
        )
    padded = [number(row, "padding_kb") / number(row, "stored_mb") / 10 for row in feasible]
    copies = max(number(row, "stored_mb") for row in feasible)
    plain = min(number(row, "stored_mb") for row in feasible)
    first = (
        f"The order of the weights in DRAM changes the tree's latency on demand by "
        f"{min(spreads):.2f} to {max(spreads):.2f} % between the best and the worst of "
        f"{len(LAYOUTS)} layouts; without the worst ({', '.join(dict.fromkeys(worsts))}), by up "
        f"to {max(others):.2f} %. Padding takes up to {max(padded):.2f} % more room, copies of "
        f"whole paths {100 * (copies / plain - 1):.0f} %."
    )
    return [first, *texts]


def _spread_percent(rows: Sequence[Row]) -> float:
    """How much longer the slowest takes than the fastest."""
    latencies = [number(row, "latency_ms") for row in rows]
    return 100 * (max(latencies) / min(latencies) - 1)


def _named(row: Row) -> str:
    return f"{row['layout']} aligned to {row['alignment']}s"


QUESTION = Question(
    name="layout",
    title="What the order of the weights in DRAM is worth",
    asks="what six layouts of a tree's weights in DRAM cost or save",
    method=(
        "SigmaB ResNet-50 on the devices whose memory is a DRAM device with banks and rows. Every "
        "transfer is charged by its own extent: bursts, activates and bank conflicts follow from "
        "the layout (see [DRAM](../dram.md)). Layers begin at a burst or at a row. The dense "
        "baseline is laid out layer by layer, each from a row on.\n\n" + RULE
    ),
    columns=COLUMNS,
    shown=(
        ("device", "device"),
        ("policy", "policy"),
        ("layout", "layout"),
        ("alignment", "aligned to"),
        ("latency_ms", "ms"),
        ("latency_saving_percent", "latency saved %"),
        ("energy_saving_percent", "energy saved %"),
        ("row_hit_percent", "row hits %"),
        ("burst_efficiency_percent", "burst efficiency %"),
        ("stored_mb", "stored MB"),
        ("padding_kb", "padding kB"),
        ("reason", "infeasible because"),
    ),
    collect=collect,
    claims=claims,
)
