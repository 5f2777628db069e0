"""Runs for the tests of reports, simulated once: a shipped workload and small hand-made ones."""

from functools import cache

from simulator.ir import Route, Workload
from simulator.mapping.placement import Placement
from simulator.policy import Policy
from simulator.program_file import workload_from_json
from simulator.simulation import RunResult, run_workload
from tests.devices import device
from tests.networks import Net, branch, program, tensor, workload
from tests.test_imports import ROOT

NAMES = ("sigmab", "tree", "oracle", "pinned", "dense")


@cache
def run_named(name: str) -> RunResult:
    """One of NAMES: each exercises a different part of the figures."""
    routes = [(0,), (1,), (1,)]
    if name == "tree":
        return _run(tree_workload(), routes, scratchpad__capacity_kib=8)
    if name == "oracle":
        return _run(tree_workload(), routes, Policy.ORACLE, scratchpad__capacity_kib=32)
    if name == "pinned":
        placement = Placement.KEEP_ALL
        return _run(tree_workload(), routes, placement=placement, scratchpad__capacity_kib=64)
    if name == "dense":
        return _run(dense_workload(), [()], scratchpad__capacity_kib=12)
    return _run(sigmab_workload(), [(0, 1), (1, 0), (0, 1)], scratchpad__capacity_kib=512)


def tree_workload() -> Workload:
    """Two convolutions, then one of two classifiers of different width."""
    image = tensor("input", 1, 8, 16, 16)
    trunk = Net("trunk")
    x = trunk.relu(trunk.conv(image, 16, r=3))
    x = trunk.relu(trunk.conv(x, 32, r=3, stride=2))
    arms = []
    for index, width in enumerate((64, 256)):
        arm = Net(f"arm{index}")
        arm.linear(arm.linear(arm.average(x), width), 10)
        arms.append(program(arm))
    return workload(program(trunk, branch("gate", x, arms), inputs=(image,)), 0.5, 0.5)


def dense_workload() -> Workload:
    """Convolutions whose activations do not fit a small scratchpad."""
    image = tensor("input", 1, 8, 16, 16)
    net = Net("network")
    x = net.relu(net.conv(image, 32, r=3))
    x = net.max_pool(net.conv(x, 32, r=3), 2, 2)
    net.linear(net.average(x), 10)
    return workload(program(net, inputs=(image,)))


def sigmab_workload() -> Workload:
    """The smallest SigmaB-Net that is shipped."""
    path = ROOT / "workloads" / "programs" / "sigmab_pointnet2.json"
    return workload_from_json(path.read_text(encoding="utf-8"), str(path))


def _run(
    work: Workload,
    routes: list[tuple[int, ...]],
    policy: Policy = Policy.ON_DEMAND,
    placement: Placement = Placement.STREAM,
    **fields: int,
) -> RunResult:
    taken = [Route(arms=arms) for arms in routes]
    return run_workload(work, device(**fields), policy, taken, None, placement)
