"""Reads back what a build left: its data, its tree and the program the simulator knows it by."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.errors import ProgramError, WorkloadError
from simulator.ir import Workload
from simulator.program_file import read_text, workload_from_json
from workloads.building.networks import make_network
from workloads.building.request import BuildRequest
from workloads.data.dataset import Dataset
from workloads.data.registry import load_dataset
from workloads.sigma_branch.adapters import adapter_for
from workloads.sigma_branch.adapters.base import Adapter
from workloads.sigma_branch.tree import SigmaBTree
from workloads.sigma_branch.tree_file import load_tree

REQUEST, TREE, PROGRAM = "request.json", "tree.pt", "program.json"


@dataclass(frozen=True)
class Built:
    """A tree with what it was made from.

    Attributes:
        request: the options of the build.
        dataset: it was trained and measured on.
        tree: fine-tuned, in evaluation mode.
        adapter: of its dense network, whose weights are untrained.
        workload: the traced program.
    """

    request: BuildRequest
    dataset: Dataset
    tree: SigmaBTree
    adapter: Adapter[Any]
    workload: Workload


def load_build(folder: Path) -> Built:
    """Read a folder that `build` wrote.

    Raises:
        UserError: a file that is missing, damaged or of another build, or data that is not there.
    """
    request = _request(folder)
    dataset = load_dataset(request.data, request.path, request.data_seed, request.size)
    adapter: Adapter[Any] = adapter_for(make_network(request.model, dataset, request.seed))
    tree, _ = load_tree(folder / TREE, adapter)
    path = folder / PROGRAM
    workload = workload_from_json(read_text(path, ProgramError), str(path))
    return Built(request, dataset, tree, adapter, workload)


def _request(folder: Path) -> BuildRequest:
    path = folder / REQUEST
    text = read_text(path, WorkloadError)
    try:
        plain = json.loads(text)
        plain.pop("pretrained_sha256", None)
        for key in ("path", "pretrained"):
            plain[key] = plain[key] and Path(plain[key])
        return BuildRequest(**plain, out=folder)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise WorkloadError(f"{path}: is damaged or not of `build`; build the tree anew") from None
