"""`probe`: trains early routers on a built tree's decisions and writes what they are worth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from simulator.probes_file import (
    BranchProbes,
    EarlyProbe,
    Probes,
    RouterCalibration,
    probes_to_json,
)
from simulator.steps import Steps
from workloads.building.load import load_build
from workloads.probing.calibration import expected_calibration_error, fit_temperature
from workloads.probing.features import BranchView, n_batches, router_of, view_branches
from workloads.probing.probe import Examples, ProbeResult, train_probe
from workloads.training.checkpoint import write_atomically
from workloads.training.compute import choose_compute

PROBES_FILE = "probes.json"
PROBABILITY_DIGITS = 6
_SEED_STRIDE = 1000


@dataclass(frozen=True)
class ProbeRequest:
    """The options of `probe`.

    Attributes:
        tree: folder of a build.
        seed: of the probes' weights and held-out inputs.
        per_input: write what every probe says of every test input.
        device: where the tree is evaluated.
    """

    tree: Path
    seed: int = 0
    per_input: bool = False
    device: str = "auto"


def probe_tree(request: ProbeRequest, out: Path, steps: Steps | None = None) -> Probes:
    """Train a probe after every block before every router and write `probes.json`.

    Batches of inputs are the `steps`, then probes.

    Raises:
        UserError: a folder without a build.
    """
    built = load_build(request.tree)
    compute = choose_compute(request.device)
    steps = steps or Steps()
    sources = built.dataset.train, built.dataset.test
    steps.restart(sum(map(n_batches, sources)))
    steps.begin("running the tree")
    train, test = (view_branches(built.tree, source, compute, steps) for source in sources)
    steps.restart(sum(len(view.blocks) for view in train.values()))
    branches = []
    for number, place in enumerate(train):
        widths = router_of(built.tree, place).linear.out_features, train[place].logits.shape[1]
        views = (train[place], test[place])
        seed = request.seed + _SEED_STRIDE * number
        name = f"branch{place[0] + 1}.{place[1]}"
        steps.begin(name)
        branches.append(_branch(name, views, widths, seed, request.per_input, steps))
    n_train, n_test = len(built.dataset.train), len(built.dataset.test)
    found = Probes(
        workload=built.workload.name,
        source=f"trained on the decisions for the {n_train} training inputs of "
        f"{built.dataset.name}, measured on its {n_test} test inputs; seed {request.seed}, torch "
        f"{torch.__version__}",
        branches=tuple(branches),
    )
    write_atomically(out / PROBES_FILE, probes_to_json(found).encode())
    return found


def _branch(
    name: str,
    views: tuple[BranchView, BranchView],
    widths: tuple[int, int],
    seed: int,
    per_input: bool,
    steps: Steps,
) -> BranchProbes:
    train, test = views
    probes = []
    last = len(train.blocks) - 1
    for at in range(last, -1, -1):
        result = train_probe(
            Examples(train.features[at][train.met], train.decided[train.met]),
            Examples(test.features[at], test.decided),
            test.met,
            widths,
            seed + at,
        )
        probes.append(_early(result, last - at, train.blocks[at], per_input))
        steps.advance()
    return BranchProbes(
        branch=name,
        inputs=int(test.met.sum()),
        commonest_fraction=_commonest(test),
        router=_calibration(train, test),
        probes=tuple(probes),
    )


def _early(result: ProbeResult, blocks_earlier: int, after: str, per_input: bool) -> EarlyProbe:
    said: Any = None
    if per_input:
        said = tuple(
            tuple(round(value, PROBABILITY_DIGITS) for value in row)
            for row in result.probabilities.double().tolist()
        )
    return EarlyProbe(
        blocks_earlier=blocks_earlier,
        after=after,
        accuracy_fraction=result.accuracy_fraction,
        temperature=result.temperature,
        ece_before_fraction=result.ece_before,
        ece_after_fraction=result.ece_after,
        params=result.params,
        probabilities=said,
    )


def _commonest(view: BranchView) -> float:
    """How often the arm taken most is taken: what guessing it would reach."""
    counts = torch.bincount(view.decided[view.met])
    return float(counts.max() / counts.sum()) if len(counts) else 0.0


def _calibration(train: BranchView, test: BranchView) -> RouterCalibration:
    temperature = fit_temperature(train.logits[train.met], train.better[train.met])
    logits, better = test.logits[test.met], test.better[test.met]
    right = (logits.argmax(1) == better).double()
    return RouterCalibration(
        better_arm_fraction=float(right.mean()) if len(right) else 0.0,
        temperature=temperature,
        ece_before_fraction=expected_calibration_error(logits.softmax(1), better),
        ece_after_fraction=expected_calibration_error((logits / temperature).softmax(1), better),
    )
