"""`study residency`: what carrying weights over to the next input is worth, by stream and room."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.ir import Workload
from simulator.mapping.placement import Placement
from simulator.policy import Policy
from simulator.runtime.device import Device as Npu
from simulator.runtime.region_size import largest_harmless_region
from simulator.runtime.residency import ONLINE, Residency, ResidencyPolicy, Scope
from simulator.runtime.run_stream import device_for, run_stream
from simulator.runtime.stream_result import StreamResult
from simulator.runtime.streams import Stream, StreamKind, population_of_shares
from simulator.spec import AcceleratorSpec
from simulator.study.execute import Progress
from simulator.study.outcome import Status
from simulator.study.questions.lab import Device, Lab, Point
from simulator.study.questions.question import Question, Row, number, span, where
from simulator.study.questions.regime import metric
from simulator.study.questions.saving import DENSE, TREE

BASE = "edge_npu"
CAPACITIES_KIB = (2048, 4096, 8192, 16384)
PERSISTENCES = (0.0, 0.5, 0.9, 0.99)
INPUTS = 2000
QUICK_CAPACITIES_KIB = (4096,)
QUICK_PERSISTENCES = (0.9,)
QUICK_POLICIES = (ResidencyPolicy.NONE, ResidencyPolicy.LRU)
NONE, BELADY = ResidencyPolicy.NONE.value, ResidencyPolicy.BELADY.value
ALL = Scope.ALL.value
PLACED = "placed in order"
"""Not carried over but pinned for good: `--placement fill`."""
COLUMNS = (
    *("workload", "scratchpad_kib", "region_kib", "persistence", "residency", "scope"),
    *("hit_percent", "latency_ms", "energy_mj", "weight_read_mb"),
    *("latency_saving_percent", "energy_saving_percent", "latency_gain_points"),
)


def collect(lab: Lab, quick: bool) -> list[Row]:
    """Every way of keeping weights on every stream and scratchpad, the dense network's first."""
    capacities = QUICK_CAPACITIES_KIB if quick else CAPACITIES_KIB
    persistences = QUICK_PERSISTENCES if quick else PERSISTENCES
    policies = QUICK_POLICIES if quick else tuple(ResidencyPolicy)
    runs_each = len(policies) * (1 + len(persistences) * len(Scope))
    progress = Progress(len(capacities) * runs_each)
    rows: list[Row] = []
    for kib in capacities:
        device = Device(BASE, (("scratchpad.capacity_kib", kib),))
        dense = _Bench(lab, DENSE, device, progress)
        mine = dense.rows(policies, (0.0,), (Scope.ALL,))
        tree = _Bench(lab, TREE, device, progress)
        mine += tree.rows(policies, persistences, tuple(Scope))
        if not quick:
            mine += _placed(lab, dense, (0.0,)) + _placed(lab, tree, persistences)
        rows += [_against_dense(row, mine) for row in mine]
    return rows


class _Bench:
    """One workload on one device: its region, and its runs."""

    def __init__(self, lab: Lab, workload: str, device: Device, progress: Progress) -> None:
        self._lab, self._progress, self.device = lab, progress, device
        self.workload: Workload = lab.workload(workload)
        self.spec: AcceleratorSpec = lab.spec(device)
        policy = Policy.ON_DEMAND
        self.region_bytes = largest_harmless_region(self.workload, self.spec, policy)[0]
        region = Residency(region_bytes=self.region_bytes)
        self._npu = Npu(self.workload, self.spec, policy, region)
        source = self.workload.leaf_shares_source
        self._population = population_of_shares(self._npu.itinerary, source)

    def rows(
        self,
        policies: Sequence[ResidencyPolicy],
        persistences: Sequence[float],
        scopes: Sequence[Scope],
    ) -> list[Row]:
        """One per policy, scope and stream; all share a plan, and what has been simulated of it.

        What keeps nothing has the whole scratchpad for its plan.
        """
        found: list[Row] = []
        for policy in policies:
            for scope in scopes:
                if policy is ResidencyPolicy.NONE and scope is not Scope.ALL:
                    self._count(len(persistences))
                    continue
                residency = Residency(policy, region_bytes=self.region_bytes, scope=scope)
                if policy is ResidencyPolicy.NONE:
                    residency = Residency()
                found += self._streams(residency, persistences)
        return found

    def _streams(self, residency: Residency, persistences: Sequence[float]) -> list[Row]:
        rows = []
        for persistence in persistences:
            kind, seed = StreamKind.MARKOV, self._lab.seed
            stream = Stream(kind, self._population, INPUTS, seed, persistence)
            npu = device_for(self._npu, residency, stream)
            rows.append(self._row(residency, persistence, run_stream(npu, stream)))
            self._count(1)
        return rows

    def _row(self, residency: Residency, persistence: float, result: StreamResult) -> Row:
        return {
            "workload": self.workload.name,
            "scratchpad_kib": self.spec.scratchpad.capacity_kib,
            "region_kib": residency.region_bytes / 1024,
            "persistence": persistence,
            "residency": residency.policy.value,
            "scope": residency.scope.value,
            "hit_percent": 100 * result.hit_fraction,
            "latency_ms": result.mean("latency_ps") / 1e9,
            "energy_mj": result.mean("energy_pj") / 1e9,
            "weight_read_mb": result.mean("weight_read_bytes") / 1e6,
        }

    def _count(self, runs: int) -> None:
        self._progress.finished += runs
        self._lab.watch(self._progress)


def _placed(lab: Lab, bench: _Bench, persistences: Sequence[float]) -> list[Row]:
    """Weights that are placed on chip for good, in execution order, as far as there is room."""
    name, options = bench.workload.name, (("placement", Placement.FILL.value),)
    (found,) = lab.evaluate([Point(bench.device, name, options=options)])
    if found.status is Status.INFEASIBLE:
        return []
    read_bytes = metric(found, "weight_read_bytes")
    (streamed,) = lab.evaluate([Point(bench.device, name)])
    return [
        {
            "workload": name,
            "scratchpad_kib": bench.spec.scratchpad.capacity_kib,
            "region_kib": 0.0,
            "persistence": persistence,
            "residency": PLACED,
            "scope": ALL,
            "hit_percent": 100 * (1 - read_bytes / metric(streamed, "weight_read_bytes")),
            "latency_ms": metric(found, "latency_mean_ps") / 1e9,
            "energy_mj": metric(found, "energy_pj") / 1e9,
            "weight_read_mb": read_bytes / 1e6,
        }
        for persistence in persistences
    ]


def _against_dense(row: Row, rows: Sequence[Row]) -> Row:
    """A row with what it saves against the dense network that keeps weights in its best way.

    The gain is against the same network that keeps nothing.
    """
    dense = where(rows, workload=DENSE)
    fastest = min(number(each, "latency_ms") for each in dense)
    thriftiest = min(number(each, "energy_mj") for each in dense)
    (cold,) = where(
        rows, workload=row["workload"], persistence=row["persistence"], residency=NONE, scope=ALL
    )
    return {
        **row,
        "latency_saving_percent": 100 * (1 - number(row, "latency_ms") / fastest),
        "energy_saving_percent": 100 * (1 - number(row, "energy_mj") / thriftiest),
        "latency_gain_points": 100
        * (number(cold, "latency_ms") - number(row, "latency_ms"))
        / fastest,
    }


def claims(rows: Sequence[Row]) -> list[str]:
    """What the best online policy brings by scratchpad, and how far Belady's is ahead."""
    online = [policy.value for policy in ONLINE]
    tree = where(rows, workload=TREE)
    texts = []
    for kib in sorted({number(row, "scratchpad_kib") for row in tree}):
        mine = where(tree, scratchpad_kib=kib)
        parts = []
        for persistence in _ends({number(row, "persistence") for row in mine}):
            here = where(mine, persistence=persistence)
            best = min(
                (row for row in here if row["residency"] in online),
                key=lambda row: number(row, "latency_ms"),
            )
            parts.append(
                f"{number(best, 'latency_gain_points'):.1f} points of latency at persistence "
                f"{persistence:g} ({best['residency']}, scope {best['scope']}, "
                f"{number(best, 'hit_percent'):.0f} % of weight bytes hit)"
            )
        region = max(number(row, "region_kib") for row in mine)
        texts.append(
            f"With {kib / 1024:g} MiB, of which {region / 1024:.2f} MiB can be spared for weights, "
            f"the best online policy gains {'; '.join(parts)}."
        )
    gaps = [
        number(bound, "hit_percent") - max(number(r, "hit_percent") for r in _others(tree, bound))
        for bound in where(tree, residency=BELADY, scope=ALL)
    ]
    if gaps:
        texts.append(
            f"Knowing all routes to come (Belady) hits {span(gaps, 'points')} more of the weight "
            "bytes than the best online policy."
        )
    return [_headline(tree), *texts]


def _headline(tree: Sequence[Row]) -> str:
    kept = [row for row in tree if row["residency"] not in (NONE, PLACED)]
    worst = min(kept, key=lambda row: number(row, "latency_gain_points"))
    best = max(kept, key=lambda row: number(row, "latency_gain_points"))
    return (
        "Carrying weights over to the next input changes the tree's latency by "
        f"{_signed(-number(worst, 'latency_gain_points'))} to "
        f"{_signed(-number(best, 'latency_gain_points'))} points of the dense network's: most with "
        f"{number(best, 'scratchpad_kib') / 1024:g} MiB at persistence "
        f"{number(best, 'persistence'):g} ({best['residency']}), where the tree saves "
        f"{number(best, 'latency_saving_percent'):.1f} % of latency and "
        f"{number(best, 'energy_saving_percent'):.1f} % of energy against a dense network that "
        "keeps weights as well."
    )


def _others(tree: Sequence[Row], bound: Row) -> list[Row]:
    """The online policies at the place of a bound."""
    same = {name: bound[name] for name in ("scratchpad_kib", "persistence", "scope")}
    online = [policy.value for policy in ONLINE]
    found = [row for row in where(tree, **same) if row["residency"] in online]
    return found or [bound]


def _ends(values: set[float]) -> list[float]:
    return sorted({min(values), max(values)})


def _signed(value: float) -> str:
    text = f"{value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


QUESTION = Question(
    name="residency",
    title="What carrying weights over to the next input is worth",
    asks="what residency across inferences brings, by path locality and scratchpad size",
    method=(
        f"`edge_npu` with scratchpads of other sizes, fetching on demand; {INPUTS:,} inputs whose "
        "leaf is that of the input before with the given persistence, else drawn from the leaf "
        "shares. A region of the scratchpad is managed for weights: the largest that slows the "
        "plan beside it by no more than 1 %. `placed in order` instead pins weights for good, in "
        "execution order, as far as there is room beside the plan. The baseline at each size is "
        "the dense network with that way of keeping weights that makes it fastest. Gains are in "
        "points of the dense network's latency, against the tree that keeps nothing."
    ),
    columns=COLUMNS,
    shown=(
        ("workload", "workload"),
        ("scratchpad_kib", "scratchpad KiB"),
        ("region_kib", "region KiB"),
        ("persistence", "persistence"),
        ("residency", "residency"),
        ("scope", "scope"),
        ("hit_percent", "hit %"),
        ("latency_ms", "ms"),
        ("energy_mj", "mJ"),
        ("latency_saving_percent", "latency saved %"),
        ("energy_saving_percent", "energy saved %"),
    ),
    collect=collect,
    claims=claims,
)
