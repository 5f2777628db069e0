"""Speculation with cancellation: both engines agree, everything fits, nothing is lost count of."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.compile import compile_program
from simulator.derive import derive_result
from simulator.engine import simulate
from simulator.fast.recurrence import replay
from simulator.ir import Branch, Program, leaf_routes
from simulator.mapping.case import Case, Wants
from simulator.mapping.schedule import NONE, Schedule
from simulator.policy import Policy
from simulator.result import InferenceResult, StallKind
from simulator.spec import AcceleratorSpec
from tests.devices import device
from tests.networks import Net, program, tensor
from tests.simulate import roomy, with_part
from tests.strategies import devices, tree_programs

NS = 1000
WANTED = (
    Wants(),
    Wants((0,)),
    Wants((1,)),
    Wants((1, 0)),
    Wants((0, 1), (3, 5)),
    Wants((1, 0), (7, 1)),
)


def compiled(program: Program, spec: AcceleratorSpec, case: Case) -> Schedule:
    return compile_program(program, spec, Policy.MOST_PROBABLE, {case: 1}).schedules[case]


@st.composite
def cases(draw: st.DrawFn, program: Program) -> Case:
    arms = draw(st.sampled_from(leaf_routes(program)))
    return Case(arms, tuple(draw(st.sampled_from(WANTED)) for _ in arms))


@settings(max_examples=25)
@given(tree_programs(deepest=2), devices(), st.data())
def test_trees_with_speculation(
    program: Program, spec: AcceleratorSpec, data: st.DataObject
) -> None:
    granule = data.draw(st.sampled_from((1, 64, 100, 1000, 4096)))
    spec = with_part(roomy(program, spec), "dma", preemption_bytes=granule)
    case = data.draw(cases(program))
    schedule = compiled(program, spec, case)
    engine = simulate(schedule)  # raises where the scratchpad overflows
    assert replay(schedule) == engine.timeline  # to the picosecond, granules included
    result = derive_result(engine.timeline, case.arms, spec, engine.scratchpad_peak_bytes, 0)
    check_partition(result)
    check_bytes(result, spec)


def check_partition(result: InferenceResult) -> None:
    assert min(result.stalls_ps.values()) >= 0
    assert result.compute_ps + sum(result.stalls_ps.values()) == result.latency_ps
    assert result.layers[-1].end_ps == result.latency_ps


def check_bytes(result: InferenceResult, spec: AcceleratorSpec) -> None:
    found, timeline = result.speculation, result.timeline
    parts = (found.useful_bytes, found.wasted_bytes, found.cancelled_bytes)
    assert found.planned_bytes == sum(parts)
    assert min(parts) >= 0
    assert found.early_bytes <= found.useful_bytes
    # What crossed the bus early is what was useful early or wasted.
    bursts = sum(n for early in timeline.early for _, _, n in early.bursts)
    assert bursts == found.early_bytes + found.wasted_bytes
    # The DRAM counts whole bursts of all that the DMA moved.
    commands = timeline.schedule.commands
    ordinary = sum(commands.bus_bytes)
    on_bus = result.counts.dram_read_bytes + result.counts.dram_write_bytes
    assert on_bus >= ordinary + found.wasted_bytes - len(timeline.early) * spec.dram.burst_bytes
    assert result.weight_read_bytes == found.wasted_bytes + sum(
        layer.weight_bytes for layer in result.layers
    )


@settings(max_examples=25)
@given(tree_programs(deepest=2), devices(), st.data())
def test_what_comes_before_a_decision_does_not_depend_on_it(
    program: Program, spec: AcceleratorSpec, data: st.DataObject
) -> None:
    """Two routes that part at a branch agree in every time up to that decision."""
    spec = roomy(program, spec)
    case = data.draw(cases(program))
    plans = compile_program(program, spec, Policy.MOST_PROBABLE, {case: 1})
    turned = (1 - min(case.arms[0], 1), *case.arms[1:])
    other = next((arms for arms in leaf_routes(program) if arms[0] == turned[0]), None)
    assert other is not None
    both = compile_program(
        program, spec, Policy.MOST_PROBABLE, {case: 1, Case(other, case.wants[:1]): 1}
    )
    first, second = (replay(schedule) for schedule in both.schedules.values())
    decision = first.schedule.branch_tiles[0]
    assert decision == second.schedule.branch_tiles[0]
    assert first.pe_start_ps[: decision + 1] == second.pe_start_ps[: decision + 1]
    assert first.vector_end_ps[: decision + 1] == second.vector_end_ps[: decision + 1]
    assert _early_before(first.schedule, decision) == _early_before(second.schedule, decision)
    assert [e.bursts for e in first.early[: len(_early_before(first.schedule, decision))]] == [
        e.bursts for e in second.early[: len(_early_before(second.schedule, decision))]
    ]
    assert plans.schedules[case].branch_tiles


def _early_before(schedule: Schedule, decision: int) -> list[tuple[int, str, int, int]]:
    """Arm, layer, bytes and release of what is speculated on for the first branch."""
    found = schedule.speculation
    if found is None:
        return []
    return [
        (found.arm[q], found.layer[q], found.n_bytes[q], found.release_tile[q])
        for q in found.entries_of.get(decision, range(0))
    ]


def two_arms() -> Program:
    """A layer, a router of one layer and two arms of one layer each, none with a bias."""
    x = tensor("x", 1, 16)
    trunk, gate, left, right = (Net(name) for name in ("trunk", "gate", "left", "right"))
    y = trunk.linear(x, 16, bias=False)
    gate.argmax(gate.linear(y, 2, bias=False))
    left.linear(y, 16, bias=False)
    right.linear(y, 16, bias=False)
    arms = (program(left), program(right))
    return program(trunk, Branch(name="b", router=gate.segment(), arms=arms), inputs=(x,))


def run(wants: Wants, arm: int, **fields: object) -> InferenceResult:
    on_chip = {"io__input_location": "scratchpad", "io__output_location": "scratchpad"}
    spec = device(**(on_chip | fields))
    case = Case((arm,), (wants,))
    engine = simulate(compiled(two_arms(), spec, case))
    return derive_result(engine.timeline, (arm,), spec, engine.scratchpad_peak_bytes, 0)


def bursts_ns(result: InferenceResult) -> list[list[tuple[float, float, int]]]:
    return [
        [(begin / NS, end / NS, n) for begin, end, n in early.bursts]
        for early in result.timeline.early
    ]


def test_a_right_guess_by_hand() -> None:
    # As `test_on_demand_by_hand`: trunk and router have the bus until 46 ns; the decision falls at
    # 148 and holds at 248. The arm's 256 B follow at once, 46 to 78, and lie there at 178.
    right = run(Wants((0,)), 0)
    assert bursts_ns(right) == [[(46, 78, 256)]]
    assert right.latency_ps == 249 * NS  # instead of 391
    assert right.stalls_ps[StallKind.ROUTE_WAIT] == 100 * NS
    found = right.speculation
    assert (found.planned_bytes, found.useful_bytes, found.early_bytes) == (256, 256, 256)
    # 256 B at 50 pJ out of DRAM and 3 pJ into the scratchpad.
    assert found.useful_pj == 256 * 53


def test_a_wrong_guess_by_hand() -> None:
    # The other arm's 256 B were for nothing, but out of the way: as on demand, 391 ns. Of the
    # 142 ns that the arm's load takes, the 32 that the wrong one had the bus are the guess's.
    wrong = run(Wants((1,)), 0)
    assert bursts_ns(wrong) == [[(46, 78, 256)]]
    assert wrong.latency_ps == 391 * NS
    assert wrong.stalls_ps[StallKind.MISPREDICT_REFETCH] == 32 * NS
    assert wrong.stalls_ps[StallKind.ROUTE_WAIT] == (100 + 110) * NS
    assert wrong.speculation.wasted_bytes == 256
    assert wrong.counts.dram_read_bytes == 256 + 32 + 256 + 256


def test_a_decision_calls_off_what_has_not_begun() -> None:
    # At 1 GB/s the trunk has the bus from 10 to 266 and the router until 298. The decision falls
    # at 400 and holds at 410 (10 ns): 112 of the wrong arm's bytes could have begun; granules of
    # 50 B begin at 298, 348 and 398, the last of which ends at 448 and is paid for.
    slow = {"dram__peak_bytes_per_s": 10**9, "sequencer__branch_latency_ns": 10}
    wrong = run(Wants((1,)), 0, **slow, dma__preemption_bytes=50)
    assert bursts_ns(wrong) == [[(298, 448, 150)]]
    assert wrong.speculation.wasted_bytes == 150
    assert wrong.speculation.cancelled_bytes == 106
    # The arm's own load is issued at 410 and waits for the granule: 448 to 704, complete 804.
    assert wrong.timeline.bus_start_ps[-1] == 448 * NS
    assert wrong.latency_ps == 805 * NS


def test_what_is_left_of_the_arm_taken_comes_first() -> None:
    # As above but right: 150 of 256 B are there or on their way; the rest is issued at 410 and
    # takes the bus from 448 for 106 ns; complete at 654.
    slow = {"dram__peak_bytes_per_s": 10**9, "sequencer__branch_latency_ns": 10}
    right = run(Wants((0,)), 0, **slow, dma__preemption_bytes=50)
    assert right.speculation.early_bytes == 150
    assert right.timeline.issue_ps[-1] == 410 * NS
    assert right.timeline.bus_start_ps[-1] == 448 * NS
    assert right.timeline.bus_end_ps[-1] == 554 * NS
    assert right.latency_ps == 655 * NS


def test_siblings_take_turns() -> None:
    # Both arms are one load each here: turns make no difference to two loads but their order.
    both = run(Wants((1, 0), (7, 1)), 0)
    assert bursts_ns(both) == [[(46, 78, 256)], [(78, 110, 256)]]
    speculation = both.timeline.schedule.speculation
    assert speculation is not None
    assert speculation.arm == (1, 0)
    assert speculation.command[0] == NONE
    assert both.latency_ps == 249 * NS


def test_a_case_without_speculation_is_its_route() -> None:
    plain = Case((0, 1), (Wants(), Wants()))
    assert plain == (0, 1)
    assert {(0, 1): "found"}[plain] == "found"
    guess = Case((0, 1), (Wants((1,)), Wants()))
    assert guess != (0, 1)
    assert guess != plain
    assert guess == Case((0, 1), guess.wants)
    assert len({plain, guess, (0, 1)}) == 2
    assert replace(Wants((1,)), arms=()) == Wants()
