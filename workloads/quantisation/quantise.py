"""`quantise`: what a built tree still gets right with weights of few bits, node by node."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from simulator.outcomes_file import outcomes_to_json
from simulator.steps import Steps
from workloads.building.load import Built, load_build
from workloads.building.outcomes import outcomes_of
from workloads.building.provenance import provenance
from workloads.quantisation.activations import calibrate
from workloads.quantisation.evaluate import Arithmetic, evaluate_widths, right_of
from workloads.quantisation.nodes import Widths, node_names, tied_nodes
from workloads.quantisation.request import Choices, QuantiseRequest, placed_widths
from workloads.quantisation.weights import UNQUANTISED, WIDTHS, ScaleRule
from workloads.sigma_branch.all_paths import AllPaths
from workloads.training.checkpoint import write_atomically
from workloads.training.compute import Compute, choose_compute

ACCURACIES_FILE = "accuracies.json"
ACCURACY_SCHEMA, ACCURACY_VERSION = "simulator.accuracies", 1
DEFAULT_BITS = "precision.weight_bits"
"""The field of a spec that gives weights without a width of their own one."""


@dataclass(frozen=True)
class _Combination:
    """Widths to measure and the choices under which the simulator finds the result."""

    choices: Choices
    widths: Widths


def quantise(request: QuantiseRequest, out: Path, steps: Steps | None = None) -> dict[str, Any]:
    """Measure a tree in every combination asked for and write what the simulator reads.

    Writes `accuracies.json`, and `outcomes_{b}bit.json` for every width: what the tree says of
    every test input if the specialisers and heads are in `b` bits, the trunk and the routers as
    trained, which is what a low-precision stand-in for a weight that is not on chip computes.

    Returns:
        What `accuracies.json` holds.

    Raises:
        UserError: a folder without a build, or options that do not fit the tree.
    """
    built = load_build(request.tree)
    compute = choose_compute(request.device)
    names = node_names(built.tree)
    combinations = _combinations(request, built, names)
    standins = [_standin(names, bits) for bits in WIDTHS]
    activations = None
    if request.activation_bits is not None:
        activations = calibrate(built.tree, built.dataset.train, request.activation_bits, compute)
    arithmetic = Arithmetic(ScaleRule(request.scale), activations)
    widths = [combination.widths for combination in combinations]
    found = evaluate_widths(
        built.tree, built.dataset.test, [*widths, *standins], arithmetic, compute, steps
    )
    data = _accuracies(request, built, compute, combinations, found[: len(widths)])
    _write(out / ACCURACIES_FILE, _one_entry_a_line(data))
    for bits, paths in zip(WIDTHS, found[len(widths) :], strict=True):
        variant = f"specialisers and heads in {bits} bits, {_how(request)}"
        outcomes = outcomes_of(paths, built.workload, built.dataset, variant)
        _write(out / f"outcomes_{bits}bit.json", outcomes_to_json(outcomes))
    return data


def _combinations(
    request: QuantiseRequest, built: Built, names: tuple[str, ...]
) -> list[_Combination]:
    """As trained; all in one width; each node alone; the axes; the placements: each once."""
    found = [_Combination({DEFAULT_BITS: b}, dict.fromkeys(names, b)) for b in (32, *WIDTHS)]
    for group in tied_nodes(built.tree):
        for bits in WIDTHS:
            choices = {DEFAULT_BITS: UNQUANTISED} | {f"bits.{name}": bits for name in group}
            found.append(_Combination(choices, dict.fromkeys(group, bits)))
    asked = request.combinations(names, built.tree.shape.depth)
    found += [_Combination(choices, widths) for choices, widths in asked]
    for path in request.placements:
        widths = placed_widths(path)
        choices = {DEFAULT_BITS: UNQUANTISED} | {f"bits.{n}": b for n, b in widths.items()}
        found.append(_Combination(choices, widths))
    return list({frozenset(each.choices.items()): each for each in found}.values())


def _standin(names: tuple[str, ...], bits: int) -> Widths:
    return {name: bits for name in names if name.startswith(("level", "head"))}


def _accuracies(
    request: QuantiseRequest,
    built: Built,
    compute: Compute,
    combinations: list[_Combination],
    found: list[AllPaths],
) -> dict[str, Any]:
    targets: Tensor = built.dataset.test.targets
    reference = found[0].leaf
    entries = []
    for combination, paths in zip(combinations, found, strict=True):
        right = int(right_of(paths, targets).sum())
        entries.append(
            {
                "workload": built.workload.name,
                "choices": combination.choices,
                "accuracy_fraction": right / len(targets),
                "right": right,
                "routes_changed": int((paths.leaf != reference).sum()),
            }
        )
    return {
        "schema": ACCURACY_SCHEMA,
        "schema_version": ACCURACY_VERSION,
        "source": f"the {len(targets)} test inputs of {built.dataset.name}; {_how(request)}",
        "base_bits": request.base_bits,
        "inputs": len(targets),
        "nodes": [list(group) for group in tied_nodes(built.tree)],
        "provenance": provenance(built.dataset, compute),
        "entries": entries,
    }


def _how(request: QuantiseRequest) -> str:
    activations = "as trained"
    if request.activation_bits is not None:
        activations = f"in {request.activation_bits} bits per tensor"
    return (
        f"weights fake-quantised symmetrically per output channel, scale {request.scale}, rounded "
        f"to nearest; norms and biases as trained, activations {activations}"
    )


def _one_entry_a_line(data: dict[str, Any]) -> str:
    lines = [f" {json.dumps(k)}: {json.dumps(v)}" for k, v in data.items() if k != "entries"]
    rows = ",\n".join(f"  {json.dumps(entry)}" for entry in data["entries"])
    return "{\n" + ",\n".join(lines) + ',\n "entries": [\n' + rows + "\n ]\n}\n"


def _write(path: Path, text: str) -> None:
    write_atomically(path, text.encode())
