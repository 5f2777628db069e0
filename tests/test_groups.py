"""Which layers are fused into one pass, and which tensors are alive while it runs."""

from __future__ import annotations

from simulator.ir import Dims, Layer, Op, Program, Segment, Tensor, TensorKind
from simulator.mapping.groups import (
    GroupedBranch,
    Liveness,
    all_groups,
    analyse_liveness,
    group_program,
    path_groups,
)
from tests.networks import Net, branch, program, tensor

X = tensor("x", 1, 8, 6, 6)


def grouped(prog: Program) -> dict[str, list[str]]:
    """Short names of the layers in each group, by the main layer's."""
    return {
        short(g.name): [short(layer.name) for layer in g.epilogue]
        for g in all_groups(group_program(prog))
    }


def short(name: str) -> str:
    """`conv2d0` for net.0.conv2d."""
    net, index, op = name.rsplit(".", 2)
    return f"{op}{index}" if net == "net" else f"{net}:{op}{index}"


def liveness(prog: Program) -> dict[str, Liveness]:
    found = analyse_liveness(group_program(prog), prog.inputs)
    return {short(name): live for name, live in found.items()}


def bottleneck(net: Net, x: Tensor, width: int) -> Tensor:
    """1x1, 3x3, 1x1 with batch norm and a projected shortcut, in the traced order."""
    y = net.relu(net.batch_norm(net.conv(x, width)))
    y = net.relu(net.batch_norm(net.conv(y, width, r=3)))
    y = net.batch_norm(net.conv(y, 4 * width))
    shortcut = net.batch_norm(net.conv(x, 4 * width))
    return net.relu(net.add(y, shortcut))


def test_a_bottleneck_is_four_passes_the_last_of_which_adds() -> None:
    net = Net("net")
    bottleneck(net, X, 4)
    prog = program(net, inputs=(X,))
    assert grouped(prog) == {
        "conv2d0": ["batch_norm1", "relu2"],
        "conv2d3": ["batch_norm4", "relu5"],
        "conv2d6": ["batch_norm7"],
        "conv2d8": ["batch_norm9", "add10", "relu11"],
    }
    last = all_groups(group_program(prog))[-1]
    assert [t.name for t in last.operands] == ["net.7.batch_norm"]
    assert [t.name for t in last.inputs] == ["x", "net.7.batch_norm"]
    assert last.ofmap.name == "net.11.relu"
    assert [w.params for w in last.weights] == [8 * 16, 32]


def test_a_tensor_read_twice_is_written() -> None:
    net = Net("net")
    y = net.conv(X, 8)
    net.add(net.relu(y), net.batch_norm(y))
    assert grouped(program(net, inputs=(X,))) == {
        "conv2d0": [],
        "relu1": [],
        "batch_norm2": ["add3"],
    }


def test_a_tensor_added_to_itself_is_written() -> None:
    net = Net("net")
    y = net.conv(X, 8)
    net.add(y, y)
    assert grouped(program(net, inputs=(X,))) == {"conv2d0": [], "add1": []}


def test_only_element_wise_layers_are_fused_and_not_past_others() -> None:
    net = Net("net")
    y = net.max_pool(net.relu(net.conv(X, 8)), 2, 2)
    net.softmax(net.linear(net.average(net.relu(y)), 5))
    assert grouped(program(net, inputs=(X,))) == {
        "conv2d0": ["relu1"],
        "max_pool2": ["relu3"],
        "adaptive_avg_pool4": [],
        "linear5": [],
        "softmax6": [],
    }


def test_what_changes_size_or_subtracts_is_not_fused() -> None:
    small, large = tensor("small", 1, 8), tensor("large", 1, 8, 6, 6)
    net = Net("net")
    y = net.linear(small, 8)
    net.layers.append(
        Layer(
            name="net.1.add",
            op=Op.ADD,
            dims=Dims(k=8, c=8, p=6, q=6),
            ifmaps=(large, y),
            ofmap=tensor("sum", 1, 8, 6, 6),
        )
    )
    z = net.conv(tensor("sum", 1, 8, 6, 6), 8)
    net.layers.append(
        Layer(
            name="net.3.subtract",
            op=Op.SUBTRACT,
            dims=Dims(k=8, c=8, p=6, q=6),
            ifmaps=(z, large),
            ofmap=tensor("difference", 1, 8, 6, 6),
        )
    )
    assert grouped(program(net, inputs=(small, large))) == {
        "linear0": [],
        "add1": [],
        "conv2d2": [],
        "subtract3": [],
    }


def test_segments_are_not_fused_and_the_routers_last_group_decides() -> None:
    trunk = Net("net")
    y = trunk.conv(X, 8)
    arms = []
    for arm in range(2):
        net = Net(f"arm{arm}")
        net.relu(y)
        arms.append(program(net))
    steps = group_program(program(trunk, branch("b", y, arms), inputs=(X,)))
    assert [g.name for g in all_groups(steps) if g.is_decision] == ["b.router.2.argmax"]
    assert isinstance(steps[1], GroupedBranch)
    assert [g.name for g in path_groups(steps, [1])] == [
        "net.0.conv2d",
        "b.router.0.adaptive_avg_pool",
        "b.router.1.linear",
        "b.router.2.argmax",
        "arm1.0.relu",
    ]


def test_a_residual_lives_through_the_layers_in_between() -> None:
    net = Net("net")
    bottleneck(net, net.conv(X, 16), 4)
    found = liveness(program(net, inputs=(X,)))
    assert {name: [t.name for t in live.through] for name, live in found.items()} == {
        "conv2d0": [],
        "conv2d1": [],  # reads it itself
        "conv2d4": ["net.0.conv2d"],
        "conv2d7": ["net.0.conv2d"],
        "conv2d9": [],
    }
    # The sum may take the place of the residual, which it reads element by element.
    assert found["conv2d9"].overwrites is not None
    assert found["conv2d9"].overwrites.name == "net.8.batch_norm"
    assert found["conv2d1"].overwrites is None
    assert [name for name, live in found.items() if live.is_network_output] == ["conv2d9"]


def test_a_convolution_never_overwrites_what_it_still_reads() -> None:
    net = Net("net")
    y = net.conv(X, 8)
    net.add(net.conv(y, 8, r=3), y)  # every output needs y's whole neighbourhood
    found = liveness(program(net, inputs=(X,)))
    assert [t.name for t in found["conv2d1"].inputs] == ["net.0.conv2d"]
    assert found["conv2d1"].overwrites is None


def test_an_element_wise_layer_overwrites_an_input_that_dies() -> None:
    net = Net("net")
    y = net.conv(X, 8)
    net.softmax(net.add(net.relu(y), y))
    found = liveness(program(net, inputs=(X,)))
    assert found["conv2d0"].overwrites is None
    assert found["relu1"].overwrites is not None
    assert found["relu1"].overwrites.name == y.name
    assert found["softmax3"].overwrites is None  # needs a whole row before it writes any of it


def test_an_index_tensor_is_not_overwritten_by_activations() -> None:
    index = Tensor(name="index", shape=(1, 8), kind=TensorKind.INDEX)
    layer = Layer(
        name="net.0.scale",
        op=Op.SCALE,
        dims=Dims(k=8, c=8),
        ifmaps=(index,),
        ofmap=tensor("y", 1, 8),
    )
    prog = Program(inputs=(index,), steps=(Segment(name="net", layers=(layer,)),))
    assert liveness(prog)["scale0"].overwrites is None


def test_an_arm_keeps_what_it_reads_itself_and_what_follows_the_join() -> None:
    trunk, after = Net("trunk"), Net("after")
    y = trunk.conv(X, 8)
    z = trunk.conv(y, 8)
    left, right = Net("left"), Net("right")
    left.copy(left.conv(y, 8), into="join")
    right.copy(z, into="join")
    join = tensor("join", 1, 8, 6, 6)
    after.add(join, z)
    prog = program(trunk, branch("b", z, [program(left), program(right)]), after, inputs=(X,))
    found = analyse_liveness(group_program(prog), prog.inputs)
    through = {name: {t.name for t in live.through} for name, live in found.items()}
    assert through["trunk.1.conv2d"] == set()  # y is read here
    assert through["b.router.1.linear"] == {y.name, z.name}  # either arm may run
    assert through["left.0.conv2d"] == {z.name}  # for the addition after the join
    assert through["left.1.copy"] == {z.name}
    assert through["right.0.copy"] == set()  # y is dead on this side, z is read
    assert [name for name, live in found.items() if live.is_network_output] == ["after.0.add"]
    assert found["b.router.2.argmax"].ofmap is None
