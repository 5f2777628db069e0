"""What commands need from the packages the simulator itself never imports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Services:
    """Handed to every command by `simulator.__main__`, the composition root.

    Attributes:
        specs_dir: folder of the shipped accelerator specs.
        programs_dir: folder of the shipped, already traced programs.
        workloads: imports a module of `workloads` (and torch with it) when called: "catalogue".
        reports: imports a module of `reports` (and matplotlib with it) when called: "figures".
    """

    specs_dir: Path
    programs_dir: Path
    workloads: Callable[[str], Any]
    reports: Callable[[str], Any]
