"""Which activations stay on chip, in which order they leave, and what happens if none can stay."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from simulator.compile import compile_program
from simulator.errors import InfeasiblePlanError
from simulator.ir import Branch, Dims, Layer, Op, Program
from simulator.mapping.groups import analyse_liveness, group_program
from simulator.mapping.plan import MappingProblem
from simulator.mapping.residency import Residency, ResidencyChooser
from simulator.policy import Policy
from simulator.spec import AcceleratorSpec
from tests.devices import device
from tests.networks import Net, program, tensor
from tests.simulate import run_route
from tests.strategies import devices, straight_programs

X = tensor("x", 1, 10)


def fan_in() -> Program:
    """a (100 B), b (200 B) and c (50 B, read twice) wait for each other at a concatenation."""
    net = Net("net")
    a, b, c = net.linear(X, 100), net.linear(X, 200), net.linear(X, 50)
    net.linear(c, 20)
    net.layers.append(
        Layer(
            name="net.4.concat",
            op=Op.CONCAT,
            dims=Dims(k=350, c=350),
            ifmaps=(a, b, c),
            ofmap=tensor("all", 1, 350),
        )
    )
    return program(net, inputs=(X,))


def residency(prog: Program, budget: int, spec: AcceleratorSpec) -> Residency:
    """With 10 B of tile buffers for every layer, wherever its tensors are."""
    live = analyse_liveness(group_program(prog), prog.inputs)
    return ResidencyChooser(live, prog.inputs, spec).choose(budget, lambda _live, _in_dram: 10)


NAMES = {
    "net.0.linear": "a",
    "net.1.linear": "b",
    "net.2.linear": "c",
    "net.3.linear": "d",
    "all": "all",
    "x": "x",
}


@pytest.mark.parametrize(
    ("budget", "in_dram"),
    [
        # a + b + c + all = 700 B beside 10 B of tile buffers.
        (710, set()),
        # An output that nothing reads costs one write; a + b + c + d = 370 B stay.
        (709, {"all"}),
        (380, {"all"}),
        (379, {"all", "d"}),  # and so does d, which comes on top of a + b + c
        (370, {"all", "d"}),
        # x + a + b + c = 360 B. Then what is read once, the largest first.
        (369, {"all", "b"}),
        (180, {"all", "b"}),  # a + c + d = 170 B
        (179, {"all", "b", "d"}),
        (170, {"all", "b", "d"}),  # x + a + c = 160 B
        (169, {"all", "b", "a"}),
        (80, {"all", "b", "a"}),  # c + d = 70 B
        (79, {"all", "b", "a", "d"}),
        (69, {"all", "b", "a", "c"}),
        (10, {"all", "b", "a", "c", "d", "x"}),
    ],
)
def test_tensors_leave_in_order_of_the_traffic_they_cause(budget: int, in_dram: set[str]) -> None:
    spec = device(io__input_location="scratchpad", io__output_location="scratchpad")
    found = residency(fan_in(), budget, spec)
    assert {NAMES[name] for name in found.in_dram} == in_dram


def test_inputs_and_outputs_in_dram_are_streamed_unless_read_several_times() -> None:
    found = residency(fan_in(), 1000, device())
    assert {NAMES[name] for name in found.in_dram} == {"all", "d"}  # nothing reads d
    assert found.staged_bytes == {"x": 10}  # three layers read it
    net = Net("net")
    net.linear(X, 5)
    assert residency(program(net, inputs=(X,)), 1000, device()).in_dram == {"x", "net.0.linear"}


def test_tile_buffers_that_exceed_the_budget_are_an_error() -> None:
    with pytest.raises(InfeasiblePlanError, match=r"'net.0.linear'.* needs 10 B .* has 9 B"):
        residency(fan_in(), 9, device())


def test_a_decision_that_an_arm_reads_is_kept_for_it() -> None:
    trunk = Net("trunk")
    y = trunk.linear(X, 40)
    gate = Net("gate")
    probabilities = gate.softmax(gate.linear(y, 2))
    left, right = Net("left"), Net("right")
    left.linear(probabilities, 4)
    right.linear(y, 4)
    arms = (program(left), program(right))
    split = Branch(name="b", router=gate.segment(), arms=arms)
    prog = program(trunk, split, inputs=(X,))
    live = analyse_liveness(group_program(prog), prog.inputs)["gate.1.softmax"]
    assert live.group.is_decision
    assert live.ofmap == probabilities
    run = run_route(prog, device(scratchpad__capacity_kib=1), Policy.ON_DEMAND, (0,))
    moved = {layer.name: (layer.ifmap_bytes, layer.ofmap_bytes) for layer in run.result.layers}
    stored = probabilities.name in run.compiled.plans[(0,)].residency.in_dram
    assert moved["left.0.linear"][0] == moved["gate.1.softmax"][1] == (2 if stored else 0)


def test_a_spilled_tensor_is_written_once_and_read_by_each_reader() -> None:
    # 16 x 12 x 12 = 2,304 B; the scratchpad holds one such tensor, not the two that are
    # alive at each layer.
    x = tensor("x", 1, 16, 12, 12)
    net = Net("net")
    y = net.conv(x, 16)
    z = net.max_pool(net.max_pool(y, 1, 1), 1, 1)
    net.add(z, y)
    prog = program(net, inputs=(x,))
    spec = device(
        scratchpad__capacity_kib=4,
        io__input_location="scratchpad",
        io__output_location="scratchpad",
    )
    run = run_route(prog, spec, Policy.ON_DEMAND)
    in_dram = run.compiled.plans[()].residency.in_dram
    written = sum(layer.ofmap_bytes for layer in run.result.layers)
    read = sum(layer.ifmap_bytes for layer in run.result.layers)
    readers = {"x": 1, y.name: 2, "net.1.max_pool": 1, "net.3.add": 0}
    spilled = {name: n for name, n in readers.items() if name in in_dram}
    assert spilled
    assert written == 2304 * len(spilled.keys() - {"x"})
    assert read == 2304 * sum(spilled.values())


@pytest.mark.parametrize("dataflow", ["dot_product", "weight_stationary"])
def test_the_error_names_a_scratchpad_that_is_enough_and_no_larger_than_needed(
    dataflow: str,
) -> None:
    x = tensor("x", 1, 64, 40, 40)
    net = Net("net")
    net.linear(net.average(net.conv(net.conv(x, 64, r=3), 128, r=3)), 1000)
    prog = program(net, inputs=(x,))
    fields = {"pe_array__dataflow": dataflow, "scratchpad__banks": 1}
    with pytest.raises(InfeasiblePlanError) as caught:
        compile_program(
            prog, device(scratchpad__capacity_kib=1, **fields), Policy.ON_DEMAND, {(): 1}
        )
    error = caught.value
    assert error.resource == "scratchpad"
    assert error.capacity_bytes == 1024 < error.demand_bytes
    kib = -(-error.demand_bytes // 1024)
    for part in ("net.1.conv2d", f"{error.demand_bytes} B of scratchpad", f"{kib} KiB would fit"):
        assert part in str(error)
    assert "\n" not in str(error)
    enough = device(scratchpad__capacity_kib=kib, **fields)
    assert run_route(prog, enough, Policy.ON_DEMAND).result.latency_ps > 0
    with pytest.raises(InfeasiblePlanError):
        compile_program(
            prog, device(scratchpad__capacity_kib=kib - 1, **fields), Policy.ON_DEMAND, {(): 1}
        )


@settings(max_examples=40)
@given(straight_programs(), devices())
def test_what_exceeds_a_budget_is_in_dram_and_bounds_its_traffic(
    prog: Program, spec: AcceleratorSpec
) -> None:
    problem = MappingProblem(prog, spec)
    chooser = ResidencyChooser(problem.liveness, prog.inputs, spec)
    for budget in problem.budgets(spec.scratchpad.capacity_bytes):
        for plan in problem.plans_at(budget):
            never, in_dram = chooser.never_on_chip(budget), plan.residency.in_dram
            assert never <= in_dram
            least = [
                problem.least_dram_bytes(names, problem.path(())) for names in (never, in_dram)
            ]
            tilings = [group.tiling for group in plan.groups.values()]
            assert least[0] <= least[1] <= sum(tiling.least_dram_bytes for tiling in tilings)
