"""A tree small enough to sweep in milliseconds, as a program file and as a context."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.ir import Workload
from simulator.policy import Policy, PolicyChoice
from simulator.program_file import workload_to_json
from simulator.routes import draw_routes
from simulator.study.context import Context, count_routes
from tests.devices import device
from tests.networks import Net, branch, program, tensor, workload


def small_tree() -> Workload:
    image = tensor("image", 1, 8, 12, 12)
    trunk = Net("trunk")
    x = trunk.relu(trunk.conv(image, 32, r=3))
    arms = []
    for at, width in enumerate((64, 32)):
        arm = Net(f"arm{at}")
        arm.linear(arm.average(arm.conv(x, width, r=3)), 10, into="scores")
        arms.append(program(arm))
    return workload(program(trunk, branch("pick", x, arms), inputs=(image,)), 0.7, 0.3)


@pytest.fixture(scope="session")
def tree() -> Workload:
    return small_tree()


@pytest.fixture(scope="session")
def program_path(tmp_path_factory: pytest.TempPathFactory, tree: Workload) -> Path:
    path = tmp_path_factory.mktemp("programs") / "small_tree.json"
    path.write_text(workload_to_json(tree))
    return path


@pytest.fixture
def context(tree: Workload) -> Context:
    routes = count_routes(draw_routes(tree, 100, 0))
    return Context(device(), (tree,), {tree.name: routes}, PolicyChoice(Policy.ON_DEMAND), "stream")
