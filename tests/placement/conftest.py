"""A tree small enough to try every placement of."""

from __future__ import annotations

import pytest

from simulator.ir import Workload
from tests.networks import Net, branch, program, tensor, workload


@pytest.fixture(scope="session")
def small_tree() -> Workload:
    image = tensor("image", 1, 8, 10, 10)
    trunk = Net("trunk")
    x = trunk.relu(trunk.conv(trunk.conv(image, 24, r=3), 24, r=3))
    arms = []
    for name, width in (("left", 48), ("right", 32)):
        arm = Net(name)
        arm.linear(arm.average(arm.conv(x, width, r=3)), 10, into="scores")
        arms.append(program(arm))
    return workload(program(trunk, branch("pick", x, arms), inputs=(image,)), 0.7, 0.3)
