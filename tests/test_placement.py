"""Which weights stay on chip at compile time."""

from itertools import pairwise
from pathlib import Path

import pytest

from simulator.errors import InfeasiblePlanError
from simulator.ir import Dims, Layer, Op, Program, Segment, Tensor, WeightBlock
from simulator.mapping.placement import Placement, pin_weights
from simulator.mapping.plan import MappingProblem
from simulator.spec_file import Override, load_spec, with_overrides

SPEC = load_spec(Path(__file__).parent.parent / "accelerator_specs/edge_npu.yaml")


def chain(*widths: int, shared: bool = False) -> Program:
    """Fully-connected layers of the given widths; each weight matrix one block."""
    tensors = [Tensor(name=f"t{i}", shape=(1, w)) for i, w in enumerate(widths)]
    layers = [
        Layer(
            name=f"fc{i}",
            op=Op.LINEAR,
            dims=Dims(k=k, c=c),
            ifmaps=(tensors[i],),
            ofmap=tensors[i + 1],
            weights=(WeightBlock(name="w" if shared else f"w{i}", params=k * c),),
        )
        for i, (c, k) in enumerate(pairwise(widths))
    ]
    return Program(inputs=(tensors[0],), steps=(Segment(name="s", layers=tuple(layers)),))


def with_capacity(kib: int):
    return with_overrides(SPEC, [Override("scratchpad.capacity_kib", kib)])


def test_streaming_pins_nothing():
    assert pin_weights(chain(64, 64), SPEC, Placement.STREAM).n_bytes == 0


def test_fill_takes_whole_layers_in_order_and_skips_what_does_not_fit():
    # 256 KiB, 1 MiB and 256 KiB of weights; 1 KiB of activations at most.
    program = chain(256, 1024, 1024, 256)
    working = MappingProblem(program, SPEC).resident_budget()
    kib = -(-(working + 2 * 256 * 1024) // 1024)
    pinned = pin_weights(program, with_capacity(kib), Placement.FILL)
    assert pinned.groups == {"fc0", "fc2"}
    assert pinned.n_bytes == 2 * 256 * 1024


def test_a_shared_block_is_kept_once():
    pinned = pin_weights(chain(128, 128, 128, shared=True), SPEC, Placement.FILL)
    assert pinned.groups == {"fc0", "fc1"}
    assert pinned.n_bytes == 128 * 128


def test_keep_all_names_the_scratchpad_it_would_take():
    program = chain(1024, 1024, 1024, 1024)
    with pytest.raises(InfeasiblePlanError) as caught:
        pin_weights(program, SPEC, Placement.KEEP_ALL)
    kib = -(-caught.value.demand_bytes // 1024)
    kept = pin_weights(program, with_capacity(kib), Placement.KEEP_ALL)
    assert kept.n_bytes == 3 * 1024 * 1024
    with pytest.raises(InfeasiblePlanError):
        pin_weights(program, with_capacity(kib - 1), Placement.KEEP_ALL)
