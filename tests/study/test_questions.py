"""Studies: rows that are simulations, claims that follow from rows, files that repeat."""

import json
from functools import partial

import pytest

from reports.sheet import png_bytes
from reports.studies.questions import FIGURES, csv_text, read_rows, write_question
from simulator.__main__ import main, services
from simulator.cli.resolve import resolve_workload
from simulator.policy import Policy
from simulator.routes import draw_routes
from simulator.simulation import run_workload
from simulator.study.outcome import METRICS, Outcome, Status
from simulator.study.questions import break_even, phases, prefetch, waterfall
from simulator.study.questions.lab import Device, Point
from simulator.study.questions.provenance import provenance
from simulator.study.questions.question import number, where
from simulator.study.questions.regime import Regime, regime_of
from simulator.study.questions.registry import QUESTIONS
from tests.study.question_lab import load_spec, load_workload, small_lab


@pytest.fixture
def lab(tmp_path):
    lab = small_lab(tmp_path)
    yield lab
    lab.store.__exit__(None, None, None)


def test_a_point_is_what_a_run_says_on_its_device(lab):
    points = [
        Point(Device("other"), "dense_resnet50"),
        Point(Device("edge_npu", (("dram.peak_bytes_per_s", 10**9),)), "sigmab_resnet50"),
        Point(Device("edge_npu"), "sigmab_resnet50", "oracle"),
    ]
    found = lab.evaluate(points)
    for point, outcome in zip(points, found, strict=True):
        workload = load_workload(point.workload)
        spec = lab.spec(point.device)
        run = run_workload(workload, spec, Policy(point.policy), draw_routes(workload, 1000, 0))
        mean = sum(run.latencies_ps) / 1000
        assert outcome.metric("latency_mean_ps") == pytest.approx(mean, rel=1e-12)
    assert found[1].metric("latency_mean_ps") > found[2].metric("latency_mean_ps")


def outcome(**figures: float) -> Outcome:
    return Outcome("", Status.OK, "", "event", tuple(figures.get(name) for name in METRICS))


@pytest.mark.parametrize(
    ("compute", "bus", "weights", "activations", "regime"),
    [
        (5, 4, 9, 1, Regime.COMPUTE_BOUND),
        (5, 5, 9, 1, Regime.COMPUTE_BOUND),
        (4, 5, 3, 3, Regime.WEIGHT_BOUND),
        (4, 5, 2, 3, Regime.ACTIVATION_BOUND),
    ],
)
def test_the_regime_is_that_of_the_busier_resource(compute, bus, weights, activations, regime):
    dense = outcome(
        compute_ps=compute,
        dram_busy_ps=bus,
        weight_read_bytes=weights,
        activation_dram_bytes=activations,
    )
    assert regime_of(dense) is regime


def test_prefetch_reports_savings_against_the_dense_network_of_the_same_device(lab):
    rows = prefetch.collect(lab, quick=False)
    devices = {row["device"] for row in rows}
    assert devices == {"edge_npu, 6.4 GB/s", "edge_npu, 25.6 GB/s", "other"}
    assert {row["policy"] for row in rows} == {policy.value for policy in Policy}
    dense, tree = load_workload("dense_resnet50"), load_workload("sigmab_resnet50")
    latency = {}
    for name, workload in (("dense", dense), ("tree", tree)):
        run = run_workload(
            workload, load_spec("other"), Policy.ON_DEMAND, draw_routes(workload, 1000, 0)
        )
        latency[name] = sum(run.latencies_ps)
    (row,) = where(rows, device="other", policy="on_demand")
    saved = 100 * (1 - latency["tree"] / latency["dense"])
    assert row["latency_saving_percent"] == pytest.approx(saved)
    arrived = 100 * saved / number(row, "active_parameter_saving_percent")
    assert row["latency_arrived_percent"] == pytest.approx(arrived)
    for device in devices:
        (bound,) = where(rows, device=device, policy="oracle")
        rest = where(rows, device=device, reason="")
        assert number(bound, "latency_saving_percent") >= max(
            number(r, "latency_saving_percent") for r in rest if r["workload"] == bound["workload"]
        )


def test_the_steps_of_a_waterfall_sum_to_what_is_delivered(lab):
    rows = waterfall.collect(lab, quick=False)
    savings = prefetch.collect(lab, quick=False)
    for device in {row["device"] for row in rows}:
        for measure in ("latency", "energy"):
            mine = where(rows, device=device, measure=measure)
            assert mine[0]["step"] == waterfall.ANALYTIC
            assert mine[-1]["step"] == waterfall.DELIVERED
            total = sum(number(row, "change_points") for row in mine)
            assert total == pytest.approx(number(mine[-1], "saving_percent"), abs=1e-9)
            for saving in where(savings, device=device, policy=mine[0]["policy"]):
                delivered = number(saving, f"{measure}_saving_percent")
                assert number(mine[-1], "saving_percent") == pytest.approx(delivered)


@pytest.mark.parametrize("name", QUESTIONS)
def test_files_are_complete_and_repeat_byte_for_byte(lab, tmp_path, name):
    question = QUESTIONS[name]
    rows = question.collect(lab, True)
    assert rows
    assert all(set(row) == set(question.columns) for row in rows)
    made = provenance(question, lab, rows, True)
    folder = tmp_path / "out"
    folder.mkdir()
    written = write_question(question, rows, made, folder)
    again = {path: path.read_bytes() for path in written}
    assert {f"{name}.{kind}" for kind in ("csv", "json", "md", "png")} <= {p.name for p in written}
    assert write_question(question, question.collect(lab, True), made, folder) == written
    assert again == {path: path.read_bytes() for path in written}
    kept = read_rows(folder / f"{name}.csv")
    assert csv_text(question, kept) == (folder / f"{name}.csv").read_text()
    assert question.claims(kept) == json.loads((folder / f"{name}.json").read_text())["claims"]
    assert png_bytes(partial(FIGURES[name], kept)) == (folder / f"{name}.png").read_bytes()
    assert question.claims(rows)[0] in (folder / f"{name}.md").read_text()
    index = (folder / "README.md").read_text()
    assert f"[{name}]({name}.md)" in index
    assert question.claims(rows)[0] in index


def test_claims_follow_the_rows(lab):
    rows = prefetch.collect(lab, quick=True)
    before = prefetch.claims(rows)
    (row,) = where(rows, device="edge_npu, 6.4 GB/s", policy="on_demand")
    row["latency_saving_percent"] = -12.3
    assert "−12.3" in prefetch.claims(rows)[0]
    assert prefetch.claims(rows) != before


def test_bad_options_are_one_line(tmp_path, capsys):
    assert main(["study", "prefetch", "--out", str(tmp_path), "--workers", "0"]) == 2
    assert "--workers 0: must be from 1" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["study", "prefetch", "--out", str(tmp_path / "file"), "--workers", "1"]) == 2
    assert "is a file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("gains", "threshold"),
    [
        ([-4.0, -1.0, 1.0], 0.75),  # half way between 0.5 and 1
        ([-3.0, 1.0, 2.0], 0.375),  # three quarters of the way from 0 to 0.5
        ([0.0, 1.0, 2.0], break_even.ALWAYS),
        ([-3.0, -2.0, -0.1], break_even.NEVER),
        ([-0.01, 0.02, 0.0], break_even.NOWHERE),
    ],
)
def test_break_even_is_where_the_gain_changes_sign(gains, threshold):
    rows = [
        {"accuracy_fraction": a, "gain": g} for a, g in zip((0.0, 0.5, 1.0), gains, strict=True)
    ]
    assert break_even.crossing(rows, "gain") == threshold


def test_the_prior_is_right_as_often_as_the_likeliest_arms_are_taken():
    tree = resolve_workload("sigmab_resnet50", services())
    # Leaf shares 16.6, 30.8, 17.6 and 35.1 of 100.1: first B, then the second leaf of either arm.
    first, second = 17.6 + 35.1, 30.8 + 35.1
    assert break_even.prior_accuracy(tree) == pytest.approx((first + second) / 2 / 100.1)


def test_a_guess_that_is_always_right_is_the_case_of_perfect_speculation(lab):
    rows = break_even.collect(lab, quick=True)
    wrong, right = rows
    tree = load_workload("sigmab_resnet50")
    demand = run_workload(tree, load_spec("edge_npu"), Policy.ON_DEMAND, draw_routes(tree, 1000, 0))
    assert wrong["speculation_early_mb"] == 0
    assert right["speculation_wasted_mb"] == 0
    assert number(right, "latency_ms") <= number(wrong, "latency_ms")
    leaves = {arms: result.latency_ps for arms, result in demand.results.items()}
    mean = sum(share * leaves[arms] for arms, share in (((0,), 0.7), ((1,), 0.3)))
    assert right["on_demand_latency_ms"] == pytest.approx(mean / 1e9, rel=1e-9)


def test_of_policies_as_good_as_each_other_the_first_wins():
    cell = [
        {"policy": policy, "latency_saving_percent": saving}
        for policy, saving in (
            ("on_demand", 40.0),
            ("most_probable", 42.0),
            ("both_siblings", 42.0 + phases.TIE_POINTS / 2),
            ("oracle", 50.0),
        )
    ]
    assert phases.winner(cell)["policy"] == "most_probable"
