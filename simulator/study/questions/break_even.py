"""`study break_even`: how often a guess must be right for speculation to pay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from simulator.compile import compile_program
from simulator.derive import derive_result
from simulator.fast.recurrence import replay
from simulator.ir import Workload, leaf_routes
from simulator.mapping.case import Case, Wants
from simulator.policy import Policy, PolicyChoice, PredictorName
from simulator.prefetch.predictor import make_predictor
from simulator.spec import AcceleratorSpec
from simulator.study.execute import Progress
from simulator.study.questions.lab import Device, Lab
from simulator.study.questions.question import Question, Row, distinct, number, where
from simulator.study.questions.regime import RULE, regime_of
from simulator.study.questions.saving import COMPUTE_BOUND, TREE, WEIGHT_BOUND, dense_runs

ROOMY = Device("edge_npu", (("scratchpad.capacity_kib", 8192),), "edge_npu, 8 MiB")
DEVICES = (WEIGHT_BOUND, ROOMY, COMPUTE_BOUND, Device("tpu_v1"), Device("ethos_u55_256"))
GUESSES = {
    "at the decision before": PolicyChoice(Policy.MOST_PROBABLE),
    "3 blocks before the router": PolicyChoice(Policy.EARLY_ROUTER, early_blocks=3),
    "1 block before the router": PolicyChoice(Policy.EARLY_ROUTER, early_blocks=1),
}
"""When a guess is made, and the policy that makes it then."""
ACCURACIES = (0.0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
QUICK_ACCURACIES = (0.0, 1.0)
IN_A_MILLION = 1_000_000
"""Cases are weighted by integers out of so many."""
COLUMNS = (
    *("device", "regime", "guess", "accuracy_fraction", "latency_ms", "energy_mj"),
    *("on_demand_latency_ms", "on_demand_energy_mj"),
    *("latency_gain_percent", "energy_gain_percent"),
    *("speculation_early_mb", "speculation_wasted_mb"),
    *("break_even_latency_fraction", "break_even_energy_fraction"),
    "prior_accuracy_fraction",
)
NEVER, ALWAYS, NOWHERE = "never", "always", "no difference"
LEAST_PERCENT = 0.05
"""Gains and losses below this count as none."""


def collect(lab: Lab, quick: bool) -> list[Row]:
    """Every accuracy of every guess on every device, against fetching on demand."""
    devices, accuracies = (DEVICES[:1], QUICK_ACCURACIES) if quick else (DEVICES, ACCURACIES)
    guesses = dict(list(GUESSES.items())[: 1 if quick else None])
    progress = Progress(len(devices) * (len(accuracies) * len(guesses) + 1))
    dense = dense_runs(lab, devices)
    tree = lab.workload(TREE)
    prior = prior_accuracy(tree)
    rows: list[Row] = []
    for device, base in zip(devices, dense, strict=True):
        spec = lab.spec(device)
        demand = _mean(tree, spec, _ON_DEMAND, None)
        for guess, choice in guesses.items():
            head: Row = {"device": device.name, "regime": regime_of(base).value, "guess": guess}
            mine: list[Row] = []
            for accuracy in accuracies:
                found = _mean(tree, spec, choice, accuracy)
                mine.append({**head, **_row(accuracy, found, demand)})
                progress.finished += 1
                lab.watch(progress)
            tail: Row = {
                f"break_even_{what}_fraction": crossing(mine, f"{what}_gain_percent")
                for what in ("latency", "energy")
            }
            rows += [{**row, **tail, "prior_accuracy_fraction": prior} for row in mine]
    return rows


_ON_DEMAND = PolicyChoice(Policy.ON_DEMAND)


@dataclass(frozen=True)
class _Means:
    """Means per inference, by how often each case occurs."""

    latency_ps: float
    energy_pj: float
    early_bytes: float
    wasted_bytes: float


def _mean(
    workload: Workload, spec: AcceleratorSpec, choice: PolicyChoice, accuracy: float | None
) -> _Means:
    """Guesses right this often at every branch; without an accuracy nothing is guessed.

    The plan is the fastest for that mix of right and wrong guesses.
    """
    weights = dict(_cases(workload, accuracy))
    compiled = compile_program(workload.program, spec, choice, weights)
    total = sum(weights.values())
    sums = [0.0] * 4
    for case, schedule in compiled.schedules.items():
        result = derive_result(replay(schedule), tuple(case), spec, 0, 0)
        speculation = result.speculation
        found = (
            float(result.latency_ps),
            result.energy.total_pj,
            float(speculation.early_bytes),
            float(speculation.wasted_bytes),
        )
        sums = [old + weights[case] * new / total for old, new in zip(sums, found, strict=True)]
    return _Means(*sums)


def _cases(workload: Workload, accuracy: float | None) -> Iterator[tuple[tuple[int, ...], int]]:
    """Every leaf with every pattern of right and wrong guesses, and how often it occurs."""
    for arms, share in zip(leaf_routes(workload.program), workload.leaf_shares, strict=True):
        if accuracy is None:
            yield arms, round(share * IN_A_MILLION)
            continue
        for pattern in product((True, False), repeat=len(arms)):
            probability = share
            for right in pattern:
                probability *= accuracy if right else 1 - accuracy
            weight = round(probability * IN_A_MILLION)
            if weight:
                guesses = [
                    arm if right else 1 - arm for arm, right in zip(arms, pattern, strict=True)
                ]
                yield Case(arms, tuple(Wants((guess,)) for guess in guesses)), weight


def prior_accuracy(workload: Workload) -> float:
    """How often the likeliest arm by leaf shares is taken, over all decisions."""
    predictor = make_predictor(PredictorName.PRIOR, workload)
    right = met = 0.0
    for arms, share in zip(leaf_routes(workload.program), workload.leaf_shares, strict=True):
        for depth, arm in enumerate(arms):
            probabilities = predictor.probabilities(arms[:depth])
            right += share * (probabilities.index(max(probabilities)) == arm)
            met += share
    return right / met


def _row(accuracy: float, found: _Means, demand: _Means) -> Row:
    return {
        "accuracy_fraction": accuracy,
        "latency_ms": found.latency_ps / 1e9,
        "energy_mj": found.energy_pj / 1e9,
        "on_demand_latency_ms": demand.latency_ps / 1e9,
        "on_demand_energy_mj": demand.energy_pj / 1e9,
        "latency_gain_percent": 100 * (1 - found.latency_ps / demand.latency_ps),
        "energy_gain_percent": 100 * (1 - found.energy_pj / demand.energy_pj),
        "speculation_early_mb": found.early_bytes / 1e6,
        "speculation_wasted_mb": found.wasted_bytes / 1e6,
    }


def crossing(rows: Sequence[Row], column: str) -> float | str:
    """The accuracy above which a gain is positive, between two accuracies by a straight line.

    `always` or `never` where the gain has one sign, and `no difference` where there is none.
    """
    gains = [(number(row, "accuracy_fraction"), number(row, column)) for row in rows]
    if all(abs(gain) < LEAST_PERCENT for _, gain in gains):
        return NOWHERE
    if gains[0][1] > -LEAST_PERCENT:
        return ALWAYS
    if gains[-1][1] < LEAST_PERCENT:
        return NEVER
    for (low, loss), (high, gain) in pairwise(gains):
        if loss < 0 <= gain:
            return low + (high - low) * -loss / (gain - loss)
    return NEVER


def claims(rows: Sequence[Row]) -> list[str]:
    """The break-even of every guess on every device, and what right and wrong guesses are worth."""
    texts = []
    lines = [
        where(rows, device=device, guess=guess)
        for device in distinct(rows, "device")
        for guess in distinct(rows, "guess")
    ]
    for mine in lines:
        worst, best = mine[0], mine[-1]
        texts.append(
            f"{worst['device']} ({worst['regime']}), guessed {worst['guess']}: "
            f"{_pays(worst, 'latency')}; {_pays(worst, 'energy')}; latency "
            f"{_change(worst, 'latency')} if every guess is wrong, {_change(best, 'latency')} if "
            "every guess is right."
        )
    prior = number(rows[0], "prior_accuracy_fraction")
    paying = {
        what: [mine for mine in lines if _is_paid(mine[0][f"break_even_{what}_fraction"], prior)]
        for what in ("latency", "energy")
    }
    first = (
        f"Guessing the likeliest arm by leaf shares is right in {100 * prior:.1f} % of the "
        f"decisions. A guess that good pays in latency in {len(paying['latency'])} of {len(lines)} "
        f"combinations of device and time of the guess, in energy in {len(paying['energy'])}."
    )
    return [first, *texts]


def _is_paid(threshold: object, accuracy: float) -> bool:
    return threshold == ALWAYS or (isinstance(threshold, float) and accuracy > threshold)


def _pays(row: Row, what: str) -> str:
    threshold = row[f"break_even_{what}_fraction"]
    if threshold == ALWAYS:
        return f"speculation pays in {what} at any accuracy"
    if threshold == NEVER:
        return f"it never pays in {what}"
    if threshold == NOWHERE:
        return f"it makes no difference in {what}"
    return f"it pays in {what} above {100 * float(threshold or 0):.0f} % accuracy"


def _change(row: Row, what: str) -> str:
    text = f"{-number(row, f'{what}_gain_percent'):+.1f} %"
    return text.replace("-", "−").replace("+0.0", "0.0").replace("−0.0", "0.0")


QUESTION = Question(
    name="break_even",
    title="How often a guess must be right",
    asks="at which accuracy of a guess speculation stops paying",
    method=(
        "At every branch one arm is guessed: when the branch before it is decided (at the start "
        "for the first), or by an early router three blocks or one block before the router "
        "proper, whose own layers cost time. Its weights are fetched while the DRAM would stand "
        "idle; a wrong guess is called off at the decision. The guess is right with the given "
        "probability, independently at every branch, and the plan is the fastest for that mix. "
        "Gains are against fetching on demand. Break-even is read off a straight line between "
        "neighbouring accuracies; changes "
        f"below {LEAST_PERCENT} % count as none.\n\n" + RULE
    ),
    columns=COLUMNS,
    shown=(
        ("device", "device"),
        ("regime", "regime"),
        ("guess", "guessed"),
        ("accuracy_fraction", "accuracy"),
        ("latency_ms", "ms"),
        ("energy_mj", "mJ"),
        ("latency_gain_percent", "latency gain %"),
        ("energy_gain_percent", "energy gain %"),
        ("speculation_early_mb", "early MB"),
        ("speculation_wasted_mb", "wasted MB"),
        ("break_even_latency_fraction", "pays in latency above"),
        ("break_even_energy_fraction", "pays in energy above"),
    ),
    collect=collect,
    claims=claims,
)
