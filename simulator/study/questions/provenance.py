"""What it takes to repeat a study, as data."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from simulator.program_file import workload_to_json
from simulator.study.code_version import CODE_SHA256
from simulator.study.questions.lab import INFERENCES, Lab
from simulator.study.questions.question import Question, Row
from simulator.version import __version__

QUESTION_SCHEMA = "simulator.question"
QUESTION_VERSION = 1


def provenance(question: Question, lab: Lab, rows: Sequence[Row], quick: bool) -> dict[str, Any]:
    """A study's inputs, versions and claims; the same for the same inputs and versions."""
    return {
        "schema": QUESTION_SCHEMA,
        "schema_version": QUESTION_VERSION,
        "study": question.name,
        "title": question.title,
        "asks": question.asks,
        "claims": question.claims(rows),
        "command": f"python -m simulator study {question.name}{' --quick' if quick else ''}",
        "rows": len(rows),
        "columns": list(question.columns),
        "seed": lab.seed,
        "inferences": INFERENCES,
        "specs": {
            name: _sha256(spec.model_dump_json()) for name, spec in sorted(lab.used_specs.items())
        },
        "workloads": {
            name: {
                "source": workload.source,
                "leaf_shares_source": workload.leaf_shares_source,
                "sha256": _sha256(workload_to_json(workload)),
            }
            for name, workload in sorted(lab.used_workloads.items())
        },
        "versions": {
            "simulator": __version__,
            "code_sha256": CODE_SHA256,
            "python": platform.python_version(),
            **{package: version(package) for package in ("numpy", "pydantic", "simpy")},
        },
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
