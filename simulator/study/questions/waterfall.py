"""`study waterfall`: from the analytic saving to the delivered one, in steps that sum exactly."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from simulator.spec import AcceleratorSpec
from simulator.study.outcome import Outcome, Status
from simulator.study.questions.lab import Device, Lab, Point, active_saving_percent
from simulator.study.questions.question import Question, Row, distinct, number, where
from simulator.study.questions.regime import RULE, metric, regime_of
from simulator.study.questions.saving import (
    COMPUTE_BOUND,
    DENSE,
    GUESS_NOTE,
    GUESSES,
    LEAST_WAIT_PERCENT,
    TREE,
    WEIGHT_BOUND,
    policies,
    realizable,
    route_wait_percent,
    tree_for,
)

ON_DEMAND, ORACLE = "on_demand", "oracle"
DEVICES = (WEIGHT_BOUND, COMPUTE_BOUND, Device("eyeriss"))
LATENCY, ENERGY = "latency", "energy"
ANALYTIC, DELIVERED = "analytic saving", "delivered"
COLUMNS = (
    *("device", "regime", "measure", "policy", "number", "step"),
    *("change_points", "saving_percent"),
)
Stage = tuple[str, float]
"""What a stage takes into account beyond the one before, and the saving in percent with it."""


def collect(lab: Lab, quick: bool) -> list[Row]:
    """The stages of every device, for latency and for energy."""
    devices = DEVICES[:1] if quick else DEVICES
    asked = [ON_DEMAND, ORACLE] if quick else policies()
    demand = lab.evaluate([Point(device, TREE, ON_DEMAND) for device in devices])
    tried = {
        device: [p for p in asked if p not in GUESSES or wait >= LEAST_WAIT_PERCENT]
        for device, wait in zip(devices, map(route_wait_percent, demand), strict=True)
    }
    points = [
        [
            Point(device, DENSE),
            *(Point(device, tree_for(policy), policy) for policy in tried[device]),
        ]
        for device in devices
    ]
    outcomes = iter(lab.evaluate([point for row in points for point in row]))
    analytic = active_saving_percent(lab.workload(DENSE), lab.workload(TREE))
    rows: list[Row] = []
    for device in devices:
        dense = next(outcomes)
        trees = {policy: next(outcomes) for policy in tried[device]}
        best = _best_guess(trees)
        stages = {
            LATENCY: _latency_stages(lab.spec(device), dense, trees, best),
            ENERGY: _energy_stages(dense, trees, best),
        }
        head: Row = {"device": device.name, "regime": regime_of(dense).value}
        for measure, found in stages.items():
            mine = {**head, "measure": measure, "policy": best}
            rows += _rows(mine, [(ANALYTIC, analytic), *found])
    return rows


def _rows(head: Row, stages: Sequence[Stage]) -> list[Row]:
    """One row per stage with its change, and a last one that repeats what is delivered."""
    lines = [(stages[0][0], stages[0][1], stages[0][1])]
    lines += [(after[0], after[1] - before[1], after[1]) for before, after in pairwise(stages)]
    lines.append((DELIVERED, 0.0, stages[-1][1]))
    return [
        {**head, "number": at, "step": step, "change_points": change, "saving_percent": saving}
        for at, (step, change, saving) in enumerate(lines)
    ]


def _best_guess(trees: dict[str, Outcome]) -> str:
    """The fastest policy that does more than wait, and that a device can follow; else on_demand."""
    guesses = {
        policy: metric(tree, "latency_mean_ps")
        for policy, tree in trees.items()
        if realizable(policy) and policy != ON_DEMAND and tree.status is Status.OK
    }
    return min(guesses, key=lambda policy: guesses[policy]) if guesses else ON_DEMAND


def _saving_percent(dense: float, tree: float) -> float:
    return 100 * (1 - tree / dense)


def _latency_stages(
    spec: AcceleratorSpec, dense: Outcome, trees: dict[str, Outcome], best: str
) -> list[Stage]:
    """If only weights took time; if all bytes did; if compute did too; and as it is."""
    oracle, demand, guess = trees[ORACLE], trees[ON_DEMAND], trees[best]

    def both(cost: str) -> tuple[float, float]:
        return metric(dense, cost), metric(oracle, cost)

    wanted = [
        metric(o, "weight_read_bytes") + metric(o, "activation_dram_bytes") for o in (dense, oracle)
    ]
    on_bus = [metric(o, "dram_read_bytes") + metric(o, "dram_write_bytes") for o in (dense, oracle)]
    full_rate = [
        max(metric(o, "dram_busy_ps"), _at_full_rate_ps(spec, metric(o, "macs")))
        for o in (dense, oracle)
    ]
    overlapped = [max(metric(o, "dram_busy_ps"), metric(o, "compute_ps")) for o in (dense, oracle)]
    latency = metric(dense, "latency_mean_ps")
    guess_ps = metric(guess, "latency_mean_ps")
    stages = [
        ("weights read again", _saving_percent(*both("weight_read_bytes"))),
        ("activations", _saving_percent(*wanted)),
        ("burst padding", _saving_percent(*on_bus)),
        ("DRAM efficiency", _saving_percent(*both("dram_busy_ps"))),
        ("arithmetic", _saving_percent(*full_rate)),
        ("array padding, vector unit", _saving_percent(*overlapped)),
        ("imperfect overlap", _saving_percent(latency, metric(oracle, "latency_mean_ps"))),
        ("waiting for the route", _saving_percent(latency, metric(demand, "latency_mean_ps"))),
    ]
    if best != ON_DEMAND:
        hit_ps = guess_ps - metric(guess, "mispredict_refetch_ps")
        stages.append((f"{best}: hidden", _saving_percent(latency, hit_ps)))
        stages.append((f"{best}: mispredicted", _saving_percent(latency, guess_ps)))
    return stages


def _at_full_rate_ps(spec: AcceleratorSpec, macs: float) -> float:
    """Time the whole array would need, every PE busy in every cycle."""
    array, precision = spec.pe_array, spec.precision
    rate = float(array.mac_rate(precision.weight_bits, precision.activation_bits))
    return macs / (array.pes * array.clock_hz * rate) * 1e12


def _energy_stages(dense: Outcome, trees: dict[str, Outcome], best: str) -> list[Stage]:
    """If only weights drew energy; then one consumer after the other."""
    oracle, demand, guess = trees[ORACLE], trees[ON_DEMAND], trees[best]

    def saved(*parts: str) -> float:
        return _saving_percent(
            sum(metric(dense, part) for part in parts), sum(metric(demand, part) for part in parts)
        )

    dynamic = ("energy_dram_pj", "energy_mac_pj", "energy_vector_pj", "energy_scratchpad_pj")
    faster = metric(oracle, "latency_mean_ps") / metric(demand, "latency_mean_ps")
    without_wait_pj = sum(metric(demand, part) for part in dynamic)
    without_wait_pj += metric(demand, "energy_static_pj") * faster
    total_pj = metric(dense, "energy_pj")
    stages = [
        ("weights read again", saved("weight_read_bytes")),
        ("activations", saved("weight_read_bytes", "activation_dram_bytes")),
        ("burst padding", saved("dram_read_bytes", "dram_write_bytes")),
        ("DRAM efficiency", saved("energy_dram_pj")),
        ("arithmetic", saved(*dynamic[:3])),
        ("scratchpad", saved(*dynamic)),
        ("static energy", _saving_percent(total_pj, without_wait_pj)),
        ("waiting for the route", _saving_percent(total_pj, metric(demand, "energy_pj"))),
    ]
    if best != ON_DEMAND:
        stages.append(
            (f"{best}: speculation", _saving_percent(total_pj, metric(guess, "energy_pj")))
        )
    return stages


def claims(rows: Sequence[Row]) -> list[str]:
    """Delivered against analytic, and the step that takes most, device by device."""
    found = []
    for device in distinct(rows, "device"):
        parts = []
        for measure in (LATENCY, ENERGY):
            mine = where(rows, device=device, measure=measure)
            steps = [row for row in mine if row["step"] not in (ANALYTIC, DELIVERED)]
            worst = min(steps, key=lambda row: number(row, "change_points"))
            parts.append(
                f"{number(mine[-1], 'saving_percent'):.1f} % as {measure}, where "
                f"{worst['step']} takes most ({number(worst, 'change_points'):.1f} points)"
            )
        analytic = number(where(rows, device=device)[0], "saving_percent")
        regime = where(rows, device=device)[0]["regime"]
        text = f"{device} ({regime}): of {analytic:.1f} % arrive {'; '.join(parts)}."
        found.append(text.replace("-", "−").replace("−bound", "-bound"))
    return found


QUESTION = Question(
    name="waterfall",
    title="From the analytic saving to the delivered one",
    asks="where the analytic saving goes on its way to latency and energy",
    method=(
        "Every stage takes one more thing into account and states the saving if nothing else cost "
        "anything; the difference of two stages is a step, so the steps sum to the delivered "
        "saving exactly. Their sizes depend on the order, which is the same everywhere.\n\n"
        "Latency: only weights move; activations move too; in whole bursts; as long as the DRAM "
        "really takes; or the multiply-accumulates at the array's full rate, if they take longer; "
        "or the compute units with padding; then the oracle's latency, in which transfer and "
        "compute do not overlap perfectly; then that of fetching on demand; then that of the "
        "fastest policy a device can follow, without and with the time lost to wrong guesses.\n\n"
        "Energy: only weights cost; activations; whole bursts; as DRAM really draws it; "
        "arithmetic; scratchpad; static power over the oracle's latency; over that of fetching on "
        f"demand; then the energy of the same policy. {GUESS_NOTE}\n\n{RULE}"
    ),
    columns=COLUMNS,
    shown=(
        ("device", "device"),
        ("measure", "measure"),
        ("step", "step"),
        ("change_points", "points"),
        ("saving_percent", "saving %"),
    ),
    collect=collect,
    claims=claims,
)
