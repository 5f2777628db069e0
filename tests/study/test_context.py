"""Choices become scenarios: the right ones, under keys that tell them apart."""

import json

import pytest

from simulator.errors import SpecError, UserError
from simulator.ir import Route
from simulator.policy import Policy, PolicyChoice
from simulator.simulation import run_workload
from simulator.study.area import NVDLA_AREAS, area_of, core_line, fill_area
from simulator.study.axis import parse_axis
from simulator.study.checks import checked_axes
from simulator.study.code_version import CODE_SHA256
from simulator.study.context import Context, count_routes
from simulator.study.evaluate import Task, evaluate, evaluate_task
from simulator.study.outcome import METRICS
from tests.devices import device
from tests.networks import Net, program, tensor, workload


def test_a_scenario_is_what_run_would_simulate(context, tree):
    choices = {"scratchpad.capacity_kib": 32, "policy": "oracle", "bits.arm0*": 4}
    task = Task(context.to_bytes(), CODE_SHA256, (choices,))
    (outcome,) = evaluate_task(task).outcomes
    scenario = context.scenario(choices)
    spec = device(scratchpad__capacity_kib=32)
    assert scenario.spec.scratchpad == spec.scratchpad
    run = run_workload(scenario.workload, spec, scenario.policy, scenario.routes)
    latencies = sorted(run.latencies_ps)
    assert outcome.metric("latency_mean_ps") == pytest.approx(sum(latencies) / len(latencies))
    assert outcome.metric("latency_p99_ps") == latencies[98]  # the 99th of 100
    assert outcome.metric("latency_max_ps") == latencies[-1]
    stalls = sum(outcome.metric(name) for name in METRICS if name.endswith(("_wait_ps",)))
    stalls += sum(outcome.metric(f"{k}_ps") for k in ("mispredict_refetch", "scratchpad_full"))
    total = outcome.metric("compute_ps") + stalls + outcome.metric("drain_ps")
    assert total == pytest.approx(outcome.metric("latency_mean_ps"))
    parts = sum(outcome.metric(name) for name in METRICS if name.startswith("energy_"))
    assert parts == pytest.approx(2 * outcome.metric("energy_pj"))  # the parts and their sum


def test_a_worker_with_other_code_is_refused(context):
    with pytest.raises(UserError, match="install the same version on every machine"):
        evaluate_task(Task(context.to_bytes(), "0" * 64, ({},)))


def test_a_context_survives_the_journey(context):
    again = Context.from_bytes(context.to_bytes())
    assert again.digest == context.digest
    assert again.scenario({}).key == context.scenario({}).key


def test_keys_tell_apart_what_changes_a_result_and_nothing_else(context, tree):
    base = context.scenario({}).key
    different = [
        {"scratchpad.capacity_kib": 128},
        {"policy": "oracle"},
        {"placement": "fill"},
        {"bits.arm0*": 4},
        {"activation_bits.arm0*": 4},
        {"activation_bits.arm0*": "fp16"},
        {"dram.efficiency_fraction": 0.5},
    ]
    keys = [context.scenario(choices).key for choices in different]
    assert len({base, *keys}) == 1 + len(different)
    assert context.scenario({"scratchpad.capacity_kib": 64}).key == base  # as it is
    renamed = context.spec.model_copy(update={"name": "other", "description": "words"})
    same = Context(
        renamed, context.workloads, context.routes, PolicyChoice(Policy.ON_DEMAND), "stream"
    )
    assert same.scenario({}).key == base
    routes = {tree.name: {(0,): 1}}
    other = Context(
        context.spec, context.workloads, routes, PolicyChoice(Policy.ON_DEMAND), "stream"
    )
    assert other.scenario({}).key != base


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("scratchpad.capacity_kb=1", "did you mean 'scratchpad.capacity_kib'"),
        ("scratchpad.capacity_kib=64,many", "'many'"),
        ("scratchpad.capacity_kib=0", "greater than or equal to 1"),
        ("policy=on_demand,guess", "must be one of"),
        ("placement=nowhere", "must be one of"),
        ("workload=other", "must be one of test"),
        ("bits.nothing=4", "no layer or segment"),
        ("bits.arm0*=5", "must be one of 4, 6, 8"),
        ("activation_bits.nothing=4", "no layer, segment or input has such a name"),
        ("activation_bits.arm0*=fp8", "must be one of 4, 6, 8, 16, 32, fp16"),
        ("policy=1:2:lhs", "only numbers can be drawn"),
        ("dram.efficiency_fraction=0.5:2:lhs", "less than or equal to 1"),
    ],
)
def test_values_no_point_can_have_are_refused(context, text, expected):
    with pytest.raises(UserError, match=expected):
        checked_axes(context, [parse_axis(text)])


def test_values_that_do_not_go_together_are_left_to_the_points(context):
    (axis,) = checked_axes(context, [parse_axis("scratchpad.banks=16,3")])
    assert axis.values == (16, 3)
    with pytest.raises(SpecError, match="do not divide"):
        context.scenario({"scratchpad.banks": 3})


def test_counts_are_drawn_whole(context):
    (axis,) = checked_axes(context, [parse_axis("pe_array.rows=4:64:loglhs")])
    assert axis.multiple_of == 1


def test_the_core_line_is_within_a_tenth_of_every_nvdla_configuration():
    # The line has two parameters for seven published areas, 0.85 to 5.5 mm^2.
    base, per_mac = core_line()
    for macs, kb, published in NVDLA_AREAS:
        spec = device(
            pe_array__rows=macs // 8,
            pe_array__cols=8,
            scratchpad__capacity_kib=kb,
            energy__node_nm=28.0,
        )
        assert area_of(spec).total_mm2 == pytest.approx(published, rel=0.1)
    # Multiplier and adder alone: (397 + 278) um^2 at 40 nm (Aladdin, 8 of 32 bits squared for the
    # multiplier) are 331 um^2 at 28 nm, so a MAC in place is several times its arithmetic.
    assert 331e-6 < per_mac < 10 * 331e-6
    assert 0.3 < base < 1


def test_area_is_unknown_where_no_table_reaches():
    assert area_of(device()) is None  # names no node
    assert area_of(device(energy__node_nm=7.0)) is None


def test_iso_area_leaves_the_rest_to_the_scratchpad():
    spec = device(energy__node_nm=22.0)
    budget = 2.0
    filled = fill_area(spec, budget)
    assert area_of(filled).total_mm2 <= budget
    larger = json.loads(filled.model_dump_json())
    larger["scratchpad"]["capacity_kib"] += filled.scratchpad.banks
    bigger = type(spec).model_validate_json(json.dumps(larger))
    assert area_of(bigger).total_mm2 > budget
    fewer = fill_area(device(energy__node_nm=22.0, pe_array__rows=8), budget)
    assert fewer.scratchpad.capacity_kib > filled.scratchpad.capacity_kib
    with pytest.raises(SpecError, match="leaves no room"):
        fill_area(spec, 0.1)


def test_without_branches_every_policy_gives_the_same_result_under_one_key(tree):
    image = tensor("image", 1, 8, 12, 12)
    net = Net("dense")
    net.linear(net.average(net.conv(net.conv(image, 64, r=3), 64, r=3)), 10)
    dense = workload(program(net, inputs=(image,)))
    context = Context(
        device(), (dense,), {dense.name: {(): 3}}, PolicyChoice(Policy.ON_DEMAND), "stream"
    )
    scenarios = [context.scenario({"policy": policy.value}) for policy in Policy]
    outcomes = evaluate(scenarios)
    assert len({scenario.key for scenario in scenarios}) == 1
    assert len({outcome.metrics for outcome in outcomes}) == 1


def test_routes_are_counted_not_ordered(context):
    routes = [Route(arms=(1,)), Route(arms=(0,)), Route(arms=(1,))]
    assert count_routes(routes) == {(1,): 2, (0,): 1}
