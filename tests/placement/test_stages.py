import pytest

from simulator.ir import Program, WeightBlock, leaf_routes
from simulator.placement.stages import PlacementError, cut
from tests.networks import Net, branch, program, tensor


def arm(name, x):
    net = Net(name)
    net.linear(net.average(net.conv(x, 8, r=3)), 10, into="scores")
    return program(net)


def two_level_tree() -> Program:
    image = tensor("image", 1, 4, 8, 8)
    trunk = Net("trunk")
    x = trunk.conv(image, 16, r=3)
    inner = Net("inner")
    y = inner.conv(x, 8, r=3)
    below = branch("low", y, [arm("c", y), arm("d", y)])
    top = branch("top", x, [arm("a", x), Program(steps=(inner.segment(), below))])
    return program(trunk, top, inputs=(image,))


def test_a_tree_is_cut_at_its_decisions():
    nodes, stages = cut(two_level_tree())
    names = [[nodes[n].name for n in stage.nodes] for stage in stages]
    assert names == [["trunk", "top.router"], ["a"], ["inner", "low.router"], ["c"], ["d"]]
    assert [stage.prefix for stage in stages] == [(), (0,), (1,), (1, 0), (1, 1)]
    weights = {(0,): 3, (1, 0): 5, (1, 1): 2}
    assert set(weights) == set(leaf_routes(two_level_tree()))
    assert [stage.count(weights) for stage in stages] == [10, 3, 7, 5, 2]


def test_bytes_are_padded_block_by_block():
    nodes, _ = cut(two_level_tree())
    trunk = nodes[0]
    assert trunk.n_bytes(8) == 16 * 4 * 9
    assert trunk.n_bytes(6) == 16 * 4 * 9 * 6 // 8
    router = nodes[1]  # 16 x 2 weights and 2 biases in one block: 34 x 6 bits = 25.5 bytes
    assert router.n_bytes(6) == 26


def test_segments_with_a_common_block_are_one_node():
    tree = two_level_tree()
    arms = tree.steps[1].arms
    below = arms[1].steps[1]
    shared = WeightBlock(name="tied", params=8 * 8 * 9)
    tied = []
    for part in below.arms:
        (segment,) = part.steps
        first = segment.layers[0].model_copy(update={"weights": (shared,)})
        changed = segment.model_copy(update={"layers": (first, *segment.layers[1:])})
        tied.append(Program(steps=(changed,)))
    low = below.model_copy(update={"arms": tuple(tied)})
    inner = Program(steps=(arms[1].steps[0], low))
    top = tree.steps[1].model_copy(update={"arms": (arms[0], inner)})
    nodes, stages = cut(tree.model_copy(update={"steps": (tree.steps[0], top)}))
    assert [node.name for node in nodes][-1] == "c+d"
    assert stages[-1].nodes == stages[-2].nodes
    # The common block once, and each arm's own linear layer with its biases.
    assert nodes[-1].n_bytes(8) == 8 * 8 * 9 + 2 * 90


def test_paths_that_meet_again_are_refused():
    image = tensor("image", 1, 4, 8, 8)
    trunk = Net("trunk")
    x = trunk.conv(image, 4, r=3)
    arms = []
    for name in ("a", "b"):
        net = Net(name)
        net.relu(net.conv(x, 4, r=3), into="y")
        arms.append(program(net))
    after = Net("after")
    after.conv(tensor("y", 1, 4, 8, 8), 4)
    with pytest.raises(PlacementError, match="branch top: code follows its arms"):
        cut(program(trunk, branch("top", x, arms), after, inputs=(image,)))
