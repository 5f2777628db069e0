"""Weight widths by rule and by spec: traffic, capacity, MAC rate and energy follow them."""

import json
from fractions import Fraction
from pathlib import Path

import pytest

from simulator.__main__ import main
from simulator.cost.compute import (
    ComputeSide,
    ScratchpadTraffic,
    TileShape,
    pe_cycles,
    tile_cycles,
)
from simulator.counts import count_program
from simulator.errors import UserError
from simulator.fast.recurrence import replay
from simulator.ir import Route, Workload
from simulator.mapping.placement import Placement
from simulator.policy import Policy
from simulator.program_file import workload_from_json
from simulator.simulation import RunResult, run_workload
from simulator.spec import AcceleratorSpec, PeArray
from simulator.spec_file import Override, load_spec
from simulator.weight_bits import WeightBitsRule, check_rules, with_weight_bits

ROOT = Path(__file__).parent.parent


def edge_npu(**fields: object) -> AcceleratorSpec:
    overrides = [Override(name.replace("__", "."), value) for name, value in fields.items()]
    return load_spec(ROOT / "accelerator_specs/edge_npu.yaml", overrides)


@pytest.fixture(scope="module")
def tree() -> Workload:
    path = ROOT / "workloads/programs/sigmab_resnet50.json"
    return workload_from_json(path.read_text(), path.name)


def ruled(tree: Workload, *rules: str) -> Workload:
    return with_weight_bits(tree, [WeightBitsRule.parse(rule) for rule in rules])


def run(tree: Workload, **fields: object) -> RunResult:
    return run_workload(tree, edge_npu(**fields), Policy.ON_DEMAND, [Route(arms=(0, 0))])


@pytest.mark.parametrize(
    ("weights", "activations", "rate"),
    [
        (8, 8, Fraction(1)),
        (4, 8, Fraction(2)),  # listed
        (6, 8, Fraction(1)),  # padded to the native 8
        (16, 8, Fraction(1, 2)),  # listed
        (8, 16, Fraction(1, 2)),  # the wider operand decides
        (4, 4, Fraction(2)),
        (12, 8, Fraction(1, 2)),  # padded to 16
        (32, 32, Fraction(1, 4)),  # two passes at the rate of 16
    ],
)
def test_mac_rate(weights, activations, rate):
    array = PeArray(
        rows=64,
        cols=32,
        dataflow="dot_product",
        clock_hz=10**9,
        rate_at_4_bits=2.0,
        rate_at_16_bits=0.5,
    )
    assert array.mac_rate(weights, activations) == rate


def test_cycles_follow_the_rate():
    # 100 pixels x 3 x 3 taps, 64 channels into 32: 900 cycles at int8 on 64 x 32.
    tile = TileShape(k=32, c=64, m=100, r=3, s=3)
    nothing = ScratchpadTraffic(0, 0)
    spec = edge_npu()
    found = {b: int(tile_cycles(ComputeSide.of(spec, b), tile, nothing)) for b in (4, 8, 16, 32)}
    assert found == {4: 450, 8: 900, 16: 1800, 32: 3600}


def test_traffic_of_a_rule_is_what_the_blocks_say(tree):
    narrow = ruled(tree, "level2.*=4")
    segments = {s.name: s for s in tree.program.segments()}
    # Whole bytes are saved: each block is rounded up by itself.
    saved = sum(b.params // 2 for layer in segments["level2.0"].layers for b in layer.weights)
    before, after = run(tree).typical, run(narrow).typical
    assert before.weight_read_bytes - after.weight_read_bytes == saved
    assert after.latency_ps < before.latency_ps
    route = count_program(narrow.program, 8).routes[0]
    assert after.weight_read_bytes == route.weight_bytes


def test_energy_of_the_narrow_layers_alone_falls(tree):
    before, after = run(tree).typical, run(ruled(tree, "level2.*=4")).typical
    ratio = {"level2.0": 0.129719 / 0.1965}  # 4 x 8 over 8 x 8 bits at 22 nm, see its own test
    for old, new in zip(before.layers, after.layers, strict=True):
        assert new.energy.mac_pj == pytest.approx(
            old.energy.mac_pj * ratio.get(new.segment, 1.0), rel=1e-3
        )
    assert after.energy.mac_pj == pytest.approx(sum(x.energy.mac_pj for x in after.layers))


def test_pinned_weights_take_half_the_room_at_half_the_width(tree):
    spec = edge_npu(scratchpad__capacity_kib=65536)
    pinned = [
        run_workload(
            each, spec, Policy.ON_DEMAND, [Route(arms=(0, 0))], placement=Placement.KEEP_ALL
        ).compiled.pinned.n_bytes
        for each in (tree, ruled(tree, "*=4"))
    ]
    assert pinned[1] == pytest.approx(pinned[0] / 2, rel=1e-3)


def test_mixed_widths_keep_engine_and_recurrence_together(tree):
    result = run(ruled(tree, "trunk=16", "level1.*=4"))
    for arms, schedule in result.compiled.schedules.items():
        assert replay(schedule).latency_ps == result.results[arms].latency_ps


def test_wider_weights_are_never_faster(tree):
    latencies = [run(ruled(tree, f"*={bits}")).typical.latency_ps for bits in (4, 8, 16)]
    assert latencies == sorted(latencies)


def test_the_last_rule_that_matches_holds(tree):
    program = ruled(tree, "*=4", "trunk.conv1=16", "head.*=8").program
    bits = {layer.name: {b.bits for b in layer.weights} for layer in program.layers()}
    assert bits["trunk.conv1"] == {16}
    assert bits["head.3.fc"] == {8}
    assert bits["level2.3.0.downsample.0"] == {4}


def test_the_result_says_which_rules_it_was_run_with(tree):
    assert ruled(tree, "head.*=4").source.endswith("weight bits head.*=4")


@pytest.mark.parametrize("text", ["level2.*", "=4", "level2.*=5", "level2.*=four"])
def test_a_malformed_rule_is_refused(text):
    with pytest.raises(UserError, match="--bits"):
        WeightBitsRule.parse(text)


def test_a_rule_must_hold_for_something(tree):
    with pytest.raises(UserError, match=r"level3.*did you mean"):
        check_rules([tree], [WeightBitsRule("level3.0", 4)])


def test_bits_on_the_command_line(capsys):
    words = ["--spec", "edge_npu", "--json", "--bits", "level2.*=4"]
    assert main(["run", "--workload", "sigmab_resnet50", *words]) == 0
    narrow = json.loads(capsys.readouterr().out)
    pair = "dense_resnet50,sigmab_resnet50"  # a rule need hold for one of them only
    assert main(["compare", "--workloads", pair, *words]) == 0
    compared = json.loads(capsys.readouterr().out)
    assert compared["runs"][1]["weight_read_bytes"] == narrow["weight_read_bytes"]


def test_parallel_pixels_divide_the_pixels():
    # 7 pixels on 4 planes take two turns; 3 x 3 taps, 64 channels on 8 rows, 16 into 8 columns:
    # 2 x 9 x 8 x 2 = 288 cycles.
    array = PeArray(rows=8, cols=8, dataflow="dot_product", clock_hz=10**9, parallel_pixels=4)
    assert int(pe_cycles(array, TileShape(k=16, c=64, m=7, r=3, s=3))) == 288
    with pytest.raises(ValueError, match="parallel_pixels"):
        PeArray(rows=8, cols=8, dataflow="ideal", clock_hz=10**9, parallel_pixels=4)
