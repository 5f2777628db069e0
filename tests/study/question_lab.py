"""A laboratory for studies with networks small enough to simulate in milliseconds."""

from __future__ import annotations

from pathlib import Path

from simulator.ir import Workload
from simulator.spec import AcceleratorSpec
from simulator.study.questions.lab import Lab
from simulator.study.store import Store
from simulator.study.workers import InProcess
from tests.devices import device
from tests.networks import Net, program, tensor, workload
from tests.study.conftest import small_tree


def small_dense() -> Workload:
    """One path with more weights than any path of `small_tree`."""
    image = tensor("image", 1, 8, 12, 12)
    trunk = Net("dense")
    x = trunk.relu(trunk.conv(image, 32, r=3))
    trunk.linear(trunk.average(trunk.conv(x, 128, r=3)), 10)
    return workload(program(trunk, inputs=(image,)))


def load_workload(name: str) -> Workload:
    """The small dense network or the small tree under a shipped name."""
    found = small_dense() if name.startswith("dense") else small_tree()
    return found.model_copy(update={"name": name})


def load_spec(name: str) -> AcceleratorSpec:
    """The plain device under a shipped name."""
    return device().model_copy(update={"name": name})


def small_lab(folder: Path, spec_names: tuple[str, ...] = ("edge_npu", "other")) -> Lab:
    """Everything small, evaluated right here."""
    store = Store(folder / "results.sqlite")
    return Lab(spec_names, load_spec, load_workload, store, InProcess(), lambda progress: None)
