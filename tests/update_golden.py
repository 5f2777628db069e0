"""Golden figures of a few runs: whole numbers, and what they were made from.

    python -m tests.update_golden

rewrites all of them. A change in a golden belongs in the commit that causes it, which says why.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from simulator.ir import Route
from simulator.policy import Policy
from simulator.program_file import workload_from_json
from simulator.simulation import run_workload
from simulator.spec_file import Override, load_spec

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests/golden"


@dataclass(frozen=True)
class Case:
    """One inference along one route."""

    name: str
    workload: str
    policy: Policy
    arms: tuple[int, ...] = ()
    overrides: tuple[str, ...] = ()


CASES = (
    Case("dense", "dense_resnet50", Policy.ON_DEMAND),
    Case("on_demand", "sigmab_resnet50", Policy.ON_DEMAND, (1, 1)),
    Case("oracle", "sigmab_resnet50", Policy.ORACLE, (1, 1)),
    Case("points", "sigmab_pointnet2", Policy.ON_DEMAND, (0, 1)),
    Case("tokens", "sigmab_vit_small", Policy.ON_DEMAND, (1, 0)),
    Case(
        "spilled",
        "dense_resnet50_cifar100",
        Policy.ON_DEMAND,
        overrides=("scratchpad.capacity_kib=333", "pe_array.clock_hz=333_000_000"),
    ),
)


def produce(case: Case) -> dict[str, Any]:
    """The case's figures, with the inputs by content."""
    program_path = ROOT / f"workloads/programs/{case.workload}.json"
    spec_path = ROOT / "accelerator_specs/edge_npu.yaml"
    workload = workload_from_json(program_path.read_text(), program_path.name)
    spec = load_spec(spec_path, [Override.parse(text) for text in case.overrides])
    run = run_workload(workload, spec, case.policy, [Route(arms=case.arms)])
    result = run.typical
    schedule = result.timeline.schedule
    return {
        "made_from": {
            "program": program_path.name,
            "program_sha256": hashlib.sha256(program_path.read_bytes()).hexdigest(),
            "spec": spec_path.name,
            "spec_fields_sha256": hashlib.sha256(numbers_of(spec.numbers())).hexdigest(),
            "overrides": list(case.overrides),
            "policy": case.policy.value,
            "arms": list(case.arms),
            "rewritten_by": "python -m tests.update_golden",
        },
        "figures": {
            "latency_ps": result.latency_ps,
            "compute_ps": result.compute_ps,
            "stalls_ps": {kind.value: time for kind, time in result.stalls_ps.items()},
            "counts": asdict(result.counts),
            "weight_read_bytes": result.weight_read_bytes,
            "scratchpad_peak_bytes": result.scratchpad_peak_bytes,
            "budget_bytes": schedule.budget_bytes,
            "layers": len(result.layers),
            "tiles": len(schedule.tiles.group),
            "commands": len(schedule.commands.kind),
            "events": result.event_count,
        },
    }


def numbers_of(numbers: dict[str, int | float]) -> bytes:
    """A spec's numbers as bytes; comments and sources do not count."""
    return json.dumps(numbers, sort_keys=True).encode()


def path_of(case: Case) -> Path:
    return FOLDER / f"{case.name}.json"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for case in CASES:
        path_of(case).write_text(json.dumps(produce(case), indent=2) + "\n")


if __name__ == "__main__":
    main()
