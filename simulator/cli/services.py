"""What commands need from the packages the simulator itself never imports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.ir import Workload


@dataclass(frozen=True)
class Services:
    """Handed to every command by `simulator.__main__`, the composition root.

    Attributes:
        specs_dir: folder of the shipped accelerator specs.
        programs_dir: folder of the shipped, already traced programs.
        trace: traces the named PyTorch workload (imports torch when called).
        reports: returns the `reports.figures` module (imports matplotlib when called).
        sweep_reports: returns the `reports.sweep` module.
        explore_reports: returns the `reports.explore` module.
        build: builds a tree from options, resuming if asked to; returns its metrics.
        build_reports: returns the `reports.sigma_branch` module.
        study_accuracy: (data set, preset, folder, resume) to the study's results.
        study_reports: returns the `reports.studies.accuracy` module.
    """

    specs_dir: Path
    programs_dir: Path
    trace: Callable[[str], Workload]
    reports: Callable[[], Any]
    sweep_reports: Callable[[], Any]
    explore_reports: Callable[[], Any]
    build: Callable[[Mapping[str, Any], bool], dict[str, Any]]
    build_reports: Callable[[], Any]
    study_accuracy: Callable[[str, str, Path, bool], dict[str, Any]]
    study_reports: Callable[[], Any]
