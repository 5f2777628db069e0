"""Widths of single tensors: traffic, capacity, MAC rate and energy follow them."""

import json
from pathlib import Path

import pytest

from simulator.__main__ import main
from simulator.activation_bits import (
    ActivationBitsRule,
    check_activation_rules,
    matched_tensors,
    with_activation_bits,
)
from simulator.errors import UserError
from simulator.fast.recurrence import replay
from simulator.ir import Program, Route, Segment, Workload
from simulator.policy import Policy
from simulator.program_file import workload_from_json, workload_to_json
from simulator.simulation import RunResult, run_workload
from simulator.weight_bits import WeightBitsRule, with_weight_bits
from tests.devices import device
from tests.networks import Net, tensor

ROOT = Path(__file__).parent.parent
TREE = ROOT / "workloads/programs/sigmab_resnet50.json"


def chain() -> Workload:
    """Two 1x1 convolutions one after the other, in segments of their own."""
    x = tensor("image", 1, 16, 16, 16)
    first, second = Net("first"), Net("second")
    y = first.conv(x, 32)
    second.conv(y, 16)
    steps = tuple(Segment(name=net.name, layers=tuple(net.layers)) for net in (first, second))
    return Workload(
        name="chain", description="t", source="t", program=Program(inputs=(x,), steps=steps)
    )


def ruled(workload: Workload, *rules: str) -> Workload:
    return with_activation_bits(workload, [ActivationBitsRule.parse(rule) for rule in rules])


def run(*rules: str, **fields: object) -> RunResult:
    spec = device(**fields)
    return run_workload(ruled(chain(), *rules), spec, Policy.ON_DEMAND, [Route(arms=())])


def test_the_input_and_the_output_move_at_their_width():
    plain, narrow = run().typical, run("image=4", "second=16").typical
    assert plain.layers[0].ifmap_bytes == 16 * 16 * 16
    assert narrow.layers[0].ifmap_bytes == 16 * 16 * 16 // 2
    assert plain.layers[1].ofmap_bytes == 16 * 16 * 16
    assert narrow.layers[1].ofmap_bytes == 2 * 16 * 16 * 16


def test_what_stays_on_chip_takes_its_width_in_the_scratchpad():
    # 16 x 16 x 32 values lie between the two; at 8 bits 8 KiB, at 4 bits half of that.
    (wide,) = run().compiled.schedules.values()
    (narrow,) = run("first=4").compiled.schedules.values()
    assert wide.groups[1].resident_bytes - narrow.groups[1].resident_bytes == 4096


def test_the_array_runs_at_the_width_of_its_input():
    # 16-bit inputs halve the rate of the layer that reads them, and of no other.
    plain = run(pe_array__rate_at_16_bits=0.5).typical
    wide = run("first=16", pe_array__rate_at_16_bits=0.5).typical
    assert wide.layers[0].pe_busy_ps == plain.layers[0].pe_busy_ps
    assert wide.layers[1].pe_busy_ps == 2 * plain.layers[1].pe_busy_ps


def test_multiplications_cost_the_product_of_the_widths():
    # At 45 nm: 0.2 pJ for 8 x 8 bits and 0.1 pJ to add; 0.4 pJ for 8 x 16 bits.
    fields = {"energy__mac_pj": 0.3, "energy__node_nm": 45}
    plain, wide = run(**fields).typical, run("first=16", **fields).typical
    assert wide.layers[0].energy.mac_pj == pytest.approx(plain.layers[0].energy.mac_pj)
    assert wide.layers[1].energy.mac_pj == pytest.approx(
        plain.layers[1].energy.mac_pj * (0.4 + 0.1) / (0.2 + 0.1)
    )
    assert wide.energy.mac_pj == pytest.approx(sum(layer.energy.mac_pj for layer in wide.layers))


def test_one_node_in_floating_point_costs_what_floats_cost():
    # At 45 nm fp16 takes 1.1 + 0.4 pJ where int8 takes 0.2 + 0.1; int8 weights are widened.
    fields = {"energy__mac_pj": 0.3, "energy__node_nm": 45}
    plain, floats = run(**fields).typical, run("first=fp16", **fields).typical
    assert floats.layers[0].energy.mac_pj == pytest.approx(plain.layers[0].energy.mac_pj)
    assert floats.layers[1].energy.mac_pj == pytest.approx(
        plain.layers[1].energy.mac_pj * 1.5 / 0.3
    )
    weights = with_weight_bits(chain(), [WeightBitsRule.parse("second=fp32")])
    spec = device(**fields)
    wide = run_workload(weights, spec, Policy.ON_DEMAND, [Route(arms=())]).typical
    assert wide.layers[1].energy.mac_pj == pytest.approx(plain.layers[1].energy.mac_pj * 4.6 / 0.3)
    assert wide.layers[1].weight_bytes == 4 * plain.layers[1].weight_bytes


def test_floats_survive_a_file_and_have_16_or_32_bits():
    narrow = ruled(chain(), "first=fp16")
    assert workload_from_json(workload_to_json(narrow), "floats") == narrow
    data = json.loads(workload_to_json(narrow))
    data["program"]["steps"][0]["layers"][0]["ofmap"]["bits"] = 8
    with pytest.raises(UserError, match="floating point with bits 8: must be 16 or 32"):
        workload_from_json(json.dumps(data), "chain.json")


def test_scratchpad_reads_and_writes_follow():
    plain, wide = run().typical, run("first=16").typical
    more = (
        wide.layers[1].counts.scratchpad_read_bytes - plain.layers[1].counts.scratchpad_read_bytes
    )
    assert more == 16 * 16 * 32  # a 1x1 convolution of 16 channels reads each input value once
    assert (
        wide.layers[0].counts.scratchpad_write_bytes - plain.layers[0].counts.scratchpad_write_bytes
        == 16 * 16 * 32
    )


def test_the_spec_width_written_out_changes_nothing():
    plain, same = run(), run("*=8")
    assert plain.typical.counts == same.typical.counts
    assert plain.typical.latency_ps == same.typical.latency_ps
    (schedule,) = same.compiled.schedules.values()
    assert replay(schedule).latency_ps == same.typical.latency_ps


def test_of_rules_that_match_the_last_one_holds():
    workload = ruled(chain(), "*=4", "first*=16")
    bits = {t.name: t.bits for layer in workload.program.layers() for t in layer.ifmaps}
    bits |= {layer.ofmap.name: layer.ofmap.bits for layer in workload.program.layers()}
    assert bits["image"] == 4
    assert set(bits.values()) == {4, 16}


def test_a_tree_node_keeps_its_width_through_a_file():
    text = TREE.read_text()
    tree = workload_from_json(text, TREE.name)
    assert workload_to_json(tree) == text, "files of today stay as they are"
    narrow = ruled(tree, "level2.*=4")
    written = workload_to_json(narrow)
    assert workload_from_json(written, "narrow") == narrow
    level = [s for s in narrow.program.segments() if s.name.startswith("level2.")]
    assert level
    assert all(layer.ofmap.bits == 4 for segment in level for layer in segment.layers)
    rest = [s for s in narrow.program.segments() if not s.name.startswith("level2.")]
    assert all(layer.ofmap.bits is None for segment in rest for layer in segment.layers)


def test_a_tensor_has_one_width():
    data = json.loads(workload_to_json(chain()))
    data["program"]["steps"][0]["layers"][0]["ofmap"]["bits"] = 4
    with pytest.raises(UserError, match="with bits None, it was written with bits 4"):
        workload_from_json(json.dumps(data), "chain.json")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("first", "expected PATTERN=BITS"),
        ("first=5", "'5' bits: must be one of 4, 6, 8, 16, 32, fp16, fp32"),
    ],
)
def test_a_malformed_rule_is_refused(text, complaint):
    with pytest.raises(UserError, match=complaint) as error:
        ActivationBitsRule.parse(text)
    assert str(error.value).startswith("--activation-bits")


def test_a_rule_that_matches_nothing_is_refused():
    rule = ActivationBitsRule("frist", 4)
    assert matched_tensors(chain(), rule) == set()
    with pytest.raises(UserError, match="did you mean 'first'"):
        check_activation_rules([chain()], [rule])


def test_the_command_takes_it(tmp_path, capsys):
    path = tmp_path / "chain.json"
    path.write_text(workload_to_json(chain()))
    words = ["run", "--spec", "edge_npu", "--workload", str(path), "--json"]
    assert main(words) == 0
    plain = json.loads(capsys.readouterr().out)
    assert main([*words, "--activation-bits", "image=4"]) == 0
    narrow = json.loads(capsys.readouterr().out)
    key = "dram_read_bytes"
    assert json.dumps(plain) != json.dumps(narrow)
    assert find(narrow, key) < find(plain, key)


def find(data, key):
    """The first value of a key in nested mappings."""
    if isinstance(data, dict):
        if key in data:
            return data[key]
        data = list(data.values())
    if isinstance(data, list):
        for value in data:
            found = find(value, key)
            if found is not None:
                return found
    return None
