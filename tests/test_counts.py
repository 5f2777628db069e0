import pytest

from simulator.counts import count_program, count_route, flops_fvcore
from simulator.errors import RouteError
from simulator.ir import Branch, Dims, Layer, Op, Program, Segment, Tensor, WeightBlock


def linear(name: str, source: Tensor, width: int, *blocks: WeightBlock) -> Layer:
    return Layer(
        name=name,
        op=Op.LINEAR,
        dims=Dims(k=width, c=source.elements),
        ifmaps=(source,),
        ofmap=Tensor(name=name, shape=(1, width)),
        weights=blocks,
    )


X = Tensor(name="input", shape=(1, 4))
SHARED = WeightBlock(name="shared", params=8)


@pytest.fixture
def program() -> Program:
    """A router of 4 x 2 and two arms that share 8 of their 12 parameters."""
    arms = tuple(
        Program(
            steps=(
                Segment(
                    name=f"arm{i}",
                    layers=(
                        linear(f"arm{i}", X, 3, SHARED, WeightBlock(name=f"own{i}", params=4)),
                    ),
                ),
            )
        )
        for i in range(2)
    )
    gate = linear("gate", X, 2, WeightBlock(name="gate.weight", params=8, bits=16))
    router = Segment(name="router", layers=(gate,))
    return Program(inputs=(X,), steps=(Branch(name="branch", router=router, arms=arms),))


def test_a_block_shared_by_both_arms_is_stored_once(program):
    counts = count_program(program, 8)
    assert counts.params_total == 8 + 8 + 4 + 4  # gate, shared, own0, own1
    assert counts.params_in_common == 8
    assert [r.params_active for r in counts.routes] == [8 + 8 + 4] * 2
    assert [r.params_active_eq4 for r in counts.routes] == [12] * 2
    assert [r.macs for r in counts.routes] == [4 * 2 + 4 * 3] * 2


def test_a_blocks_own_precision_beats_the_given_one(program):
    counts = count_program(program, 4)
    by_name = {s.name: s.weight_bytes for s in counts.segments}
    assert by_name == {"router": 16, "arm0": 6, "arm1": 6}  # 8 x 16 bit; (8 + 4) x 4 bit
    assert counts.weight_bytes_total == 16 + 4 + 2 + 2


@pytest.mark.parametrize(
    ("arms", "message"), [((), "arm None"), ((2,), "arm 2"), ((0, 1), "1 arms more")]
)
def test_a_route_that_does_not_fit_is_refused(program, arms, message):
    with pytest.raises(RouteError, match=message):
        count_route(program, arms, 8)


def vector(op: Op, shape_in: tuple[int, ...], shape_out: tuple[int, ...]) -> Layer:
    return Layer(
        name="layer",
        op=op,
        dims=Dims(),
        ifmaps=(Tensor(name="x", shape=shape_in),),
        ofmap=Tensor(name="y", shape=shape_out),
    )


@pytest.mark.parametrize(
    ("op", "shape_in", "shape_out", "flops"),
    [
        (Op.BATCH_NORM, (1, 4, 3, 3), (1, 4, 3, 3), 72),  # 2 x 36
        (Op.LAYER_NORM, (1, 7), (1, 7), 35),  # 5 x 7
        (Op.ADAPTIVE_AVG_POOL, (1, 4, 3, 3), (1, 4, 1, 1), 36),  # 1 per input element
        (Op.MEAN_REDUCE, (1, 4, 3), (1, 4), 0),
        (Op.RELU, (1, 4), (1, 4), 0),
    ],
)
def test_fvcore_rule_by_operator(op, shape_in, shape_out, flops):
    assert flops_fvcore(vector(op, shape_in, shape_out)) == flops
