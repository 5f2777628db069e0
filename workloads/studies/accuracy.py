"""What the tree costs in accuracy, and what each part of the method contributes.

Dense against the default tree, its ablations (arXiv 2606.09924, table VI) and each degree of
ties, on a bundled set that does not saturate, over several seeds.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from simulator.errors import WorkloadError
from workloads.building.figures_of_merit import dense_figures, tree_figures
from workloads.building.provenance import provenance
from workloads.building.stages import (
    DenseStage,
    Setting,
    continued_stage,
    dense_stage,
    tree_stage,
)
from workloads.data.registry import load_dataset
from workloads.sigma_branch.distribute import DistributionConfig, Partition
from workloads.sigma_branch.loss import LossWeights
from workloads.sigma_branch.ties import Tie
from workloads.sigma_branch.tracing import trace_tree
from workloads.studies.accuracy_presets import AccuracyPreset, preset_named
from workloads.training.checkpoint import write_atomically
from workloads.training.compute import choose_compute
from workloads.training.history import EpochRecord
from workloads.training.loop import CheckpointPolicy
from workloads.training.progress import TerminalProgress

SCHEMA = "study.accuracy"
VERSION = 1
DATA_SEED = 0
DENSE = "dense"
CONTINUED = "dense_continued"


@dataclass(frozen=True)
class Variant:
    """One way to make and fine-tune the tree; the defaults are the paper's."""

    label: str
    partition: Partition = Partition.KMEANS
    tie: Tie = Tie.NONE
    responsibility: float = field(default_factory=lambda: LossWeights().responsibility)


VARIANTS: dict[str, Variant] = {
    "default": Variant("SigmaB default"),
    "random_partition": Variant("random partition", partition=Partition.RANDOM),
    "no_responsibility": Variant("lambda_resp = 0", responsibility=0.0),
    "tied_channels": Variant("tied: shared channels", tie=Tie.SHARED_CHANNELS),
    "tied_planes": Variant("tied: planes and shared channels", tie=Tie.PLANES_AND_SHARED),
}


def study_accuracy(
    data: str, preset_name: str, out: Path, resume: bool, stream: TextIO
) -> dict[str, Any]:
    """Run the study, or what is left of it, and return its results.

    Checkpoints and finished parts lie under ``out``; a killed study that is resumed ends in
    the same results.

    Raises:
        UserError: an unknown set or preset, files of another study, or a training that fails.
    """
    preset = preset_named(data, preset_name)
    work = out / f"accuracy_{data}.work"
    _claim(work, preset, resume)
    dataset = load_dataset(data, seed=DATA_SEED, size=preset.size)
    compute = choose_compute()
    progress = TerminalProgress(stream)
    runs: list[dict[str, Any]] = []
    for seed in preset.seeds:
        setting = Setting(
            dataset, preset.recipe, seed, compute, progress, preset.measure_every_epochs
        )
        runs += _Repetition(preset, setting, work / f"seed{seed}").run()
    return {
        "schema": SCHEMA,
        "schema_version": VERSION,
        "data": data,
        "preset": preset_name,
        "command": f"python -m simulator study accuracy --data {data} --preset {preset_name}",
        "set_up": _plain(preset),
        "provenance": provenance(dataset, compute),
        "labels": {
            DENSE: "dense",
            CONTINUED: "dense, trained on as long as the trees",
            **{name: variant.label for name, variant in VARIANTS.items()},
        },
        "runs": runs,
    }


class _Repetition:
    """One seed: the dense network, then every variant made from it."""

    def __init__(self, preset: AccuracyPreset, setting: Setting, folder: Path) -> None:
        self.preset = preset
        self.setting = setting
        self.folder = folder

    def run(self) -> list[dict[str, Any]]:
        dense: DenseStage | None = None
        runs = []
        for name in (DENSE, CONTINUED, *VARIANTS):
            part = self.folder / name / "result.json"
            if not part.exists():
                part.parent.mkdir(parents=True, exist_ok=True)
                started_s = time.process_time()
                dense = dense or self._dense()
                result = self._result(name, dense)
                result["cpu_s"] = round(time.process_time() - started_s, 1)
                write_atomically(part, (json.dumps(result) + "\n").encode())
            runs.append(_read(part))
        return runs

    def _dense(self) -> DenseStage:
        return dense_stage(self.setting, self.preset.model, None, self._checkpoint(DENSE))

    def _result(self, name: str, dense: DenseStage) -> dict[str, Any]:
        if name == DENSE:
            return self._dense_result(name, dense)
        if name == CONTINUED:
            stage = continued_stage(self.setting, dense, self._checkpoint(name))
            return self._dense_result(name, stage)
        return self._tree(name, dense)

    def _checkpoint(self, name: str) -> CheckpointPolicy:
        return CheckpointPolicy(self.folder / name / "training.pt", resume=True)

    def _dense_result(self, name: str, stage: DenseStage) -> dict[str, Any]:
        return {
            "variant": name,
            "seed": self.setting.seed,
            **dense_figures(stage, self.setting.dataset.input_shape),
            "history": _history(stage.history),
        }

    def _tree(self, name: str, dense: DenseStage) -> dict[str, Any]:
        variant, setting = VARIANTS[name], self.setting
        config = DistributionConfig(
            fractions=self.preset.fractions,
            partition=variant.partition,
            tie=variant.tie,
            seed=setting.seed,
        )
        stage = tree_stage(
            setting, dense.model, config, variant.responsibility, self._checkpoint(name)
        )
        program = trace_tree(stage.distribution.tree, (1, *setting.dataset.input_shape))
        n_dense = sum(parameter.numel() for parameter in dense.model.parameters())
        return {
            "variant": name,
            "seed": setting.seed,
            **tree_figures(stage, dense.model, program, n_dense),
            "history": _history(stage.history),
        }


def _claim(work: Path, preset: AccuracyPreset, resume: bool) -> None:
    """Make the folder of the study's own, or see that it holds this study."""
    mark = work / "set_up.json"
    text = json.dumps(_plain(preset), sort_keys=True) + "\n"
    if mark.exists():
        if not resume:
            raise WorkloadError(f"{work}: holds a study already; add --resume or remove it")
        if mark.read_text(encoding="utf-8") != text:
            raise WorkloadError(f"{work}: holds a study with another set-up; remove it to go on")
        return
    work.mkdir(parents=True, exist_ok=True)
    write_atomically(mark, text.encode())


def _plain(preset: AccuracyPreset) -> dict[str, Any]:
    """The set-up as JSON holds it."""
    recipe = preset.recipe
    schedule = {"kind": type(recipe.schedule).__name__, **vars(recipe.schedule)}
    content = {**asdict(preset), "recipe": {**asdict(recipe), "schedule": schedule}}
    plain: dict[str, Any] = json.loads(json.dumps(content))
    return plain


def _history(records: tuple[EpochRecord, ...]) -> list[Mapping[str, Any]]:
    return [record.to_plain() for record in records]


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise WorkloadError(f"{path}: is damaged; remove it to run this part again") from None
    return found
