"""The tornado's numbers against runs of their own, its files and its order."""

import json
from pathlib import Path

import pytest

from simulator.__main__ import main
from simulator.ir import Route
from simulator.policy import Policy
from simulator.program_file import workload_from_json
from simulator.sensitivity import Sensitivity, analyse_sensitivity
from simulator.simulation import RunResult, run_workload
from simulator.spec_file import Override, load_spec, with_overrides

ROOT = Path(__file__).parent.parent
PROGRAM = ROOT / "workloads/programs/sigmab_resnet50_cifar100.json"


@pytest.fixture(scope="module")
def run() -> RunResult:
    spec = load_spec(ROOT / "accelerator_specs/edge_npu.yaml")
    workload = workload_from_json(PROGRAM.read_text(), PROGRAM.name)
    routes = [Route(arms=(0, 0)), Route(arms=(0, 0)), Route(arms=(1, 1))]
    return run_workload(workload, spec, Policy.ON_DEMAND, routes)


LPDDR4_PJ_PER_BYTE = 64 - 1200 / 2048 - 0.036 / 6.4e9 * 1e12
"""Accelergy's 8 pJ per bit, less an activate per row and background power for a byte's time."""


@pytest.fixture(scope="module")
def found(run) -> Sensitivity:
    return analyse_sensitivity(run)


@pytest.mark.parametrize(
    ("constant", "overrides"),
    [
        (
            "DRAM energy per byte",
            {
                "energy.dram_read_pj_per_byte": 2.5 * LPDDR4_PJ_PER_BYTE,
                "energy.dram_write_pj_per_byte": 2.5 * LPDDR4_PJ_PER_BYTE,
            },
        ),
        ("MAC energy", {"energy.mac_pj": 0.26}),
        ("logic static power", {"energy.logic_static_w": 0.04}),
        ("vector lanes", {"vector_unit.lanes": 128}),
        ("branch latency", {"sequencer.branch_latency_ns": 200}),
    ],
)
def test_the_high_end_is_what_a_run_with_that_constant_costs(run, found, constant, overrides):
    effect = next(e for e in found.effects if e.uncertainty.name == constant)
    spec = with_overrides(run.spec, [Override(*item) for item in overrides.items()])
    again = run_workload(run.workload, spec, run.policy, run.routes)
    latency = again.mean({arms: result.latency_ps for arms, result in again.results.items()})
    assert effect.high.energy_j == pytest.approx(again.mean_energy.total_pj / 1e12, rel=1e-9)
    assert effect.high.latency_s == pytest.approx(latency / 1e12)
    assert effect.high.value == pytest.approx(next(iter(overrides.values())))


def test_contributions_fill_the_energy(found):
    # A constant's share is its change over the factor's; all shares together are the whole,
    # whatever is varied: DRAM's commands, MAC, vector, scratchpad and the static powers.
    shares = [
        (e.high.energy_j - found.energy_j) / (e.uncertainty.high_factor - 1)
        for e in found.effects
        if "." not in e.uncertainty.field
    ]
    assert sum(shares) == pytest.approx(found.energy_j, rel=1e-9)


def test_effects_are_in_falling_order_and_dram_energy_leads(found):
    spreads = [effect.energy_spread_j for effect in found.effects]
    assert spreads == sorted(spreads, reverse=True)
    assert found.effects[0].uncertainty.name == "DRAM energy per byte"


def test_more_efficient_dram_is_faster(found):
    effect = next(e for e in found.effects if e.uncertainty.name == "DRAM efficiency")
    # Beside a device the efficiency is what the system leaves: 1, which cannot be raised.
    assert effect.high.latency_s == found.latency_s < effect.low.latency_s


def test_the_command_writes_table_data_and_figure(capsys, tmp_path):
    words = ["sensitivity", "--spec", "edge_npu", "--workload", "dense_resnet50_cifar100"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "DRAM energy per byte" in printed
    assert "Where the ranges come from" in printed
    data = json.loads((tmp_path / "out/sensitivity.json").read_text())
    assert data["schema"] == "simulator.sensitivity"
    assert all(effect["range_source"] for effect in data["effects"])
    assert (tmp_path / "out/tornado.png").read_bytes().startswith(b"\x89PNG")
