"""Small trees whose node sizes are chosen, for tests of what a device keeps between inferences."""

from __future__ import annotations

from simulator.ir import Program, Tensor, Workload
from tests.networks import Net, branch, program, tensor, workload

CHANNELS = 32


def _arm(name: str, x: Tensor, k: int, into: str = "") -> Net:
    net = Net(name)
    net.linear(x, k, bias=False, into=into)
    return net


def flat_tree(n_arms: int = 4, arm_channels: int = 256) -> Workload:
    """A trunk and `n_arms` leaves of one size, equally likely: arms compete on equal terms."""
    x = tensor("input", 1, CHANNELS)
    trunk = Net("trunk")
    y = trunk.linear(x, CHANNELS, bias=False)
    arms = [program(_arm(f"leaf.{i}", y, arm_channels)) for i in range(n_arms)]
    prog = program(trunk, branch("branch", y, arms), inputs=(x,))
    return workload(prog, *[1 / n_arms] * n_arms)


def deep_tree(shares: tuple[float, ...] = (0.4, 0.3, 0.2, 0.1)) -> Workload:
    """Two levels of two arms: trunk 1 KiB, level 1 of 2 KiB, leaves of 3 KiB, small routers."""
    x = tensor("input", 1, CHANNELS)
    trunk = Net("trunk")
    y = trunk.linear(x, CHANNELS, bias=False)
    arms = []
    for i in range(2):
        middle = Net(f"level.{i}")
        z = middle.linear(y, 2 * CHANNELS, bias=False)
        leaves = [program(_arm(f"leaf.{i}.{j}", z, 48)) for j in range(2)]
        arms.append(program(middle, branch(f"below.{i}", z, leaves)))
    prog: Program = program(trunk, branch("top", y, arms), inputs=(x,))
    return workload(prog, *shares)
