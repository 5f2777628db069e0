"""Ethos-U: additions of their own as Vela prices them, and the cases' bands."""

from pathlib import Path

import pytest

from simulator.fast.recurrence import replay
from simulator.ir import Route
from simulator.policy import Policy
from simulator.simulation import RunResult, run_workload
from simulator.spec_file import Override, load_spec
from simulator.validate import vela
from simulator.validate.case import run_case
from simulator.validate.ethos_u import (
    MOBILENET_CASE,
    RNNOISE_CASE,
    RNNOISE_WEIGHT_BYTES,
    rnnoise_like,
)
from simulator.validate.networks import resnet50

SPECS = Path(__file__).parents[2] / "accelerator_specs"


def load(name: str, overrides):
    return load_spec(SPECS / f"{name}.yaml", overrides)


def run(**fields: object) -> RunResult:
    overrides = [Override(name.replace("__", "."), value) for name, value in fields.items()]
    spec = load("ethos_u65_256", [Override("scratchpad.capacity_kib", 8192), *overrides])
    return run_workload(resnet50(224, 1000), spec, Policy.ON_DEMAND, [Route(arms=())])


@pytest.fixture(scope="module")
def result() -> RunResult:
    return run()


def test_additions_take_a_layer_of_their_own_at_velas_pace(result):
    additions = [layer for layer in result.typical.layers if layer.op == "add"]
    assert len(additions) == 16
    # The first has 56 x 56 x 256 elements at 0.75 cycles: 602,112, which is what Vela prints.
    assert additions[0].vector_busy_ps == 602_112 * 1000
    for arms, schedule in result.compiled.schedules.items():
        assert replay(schedule).latency_ps == result.results[arms].latency_ps


def test_fused_additions_leave_no_layer_and_are_faster(result):
    fused = run(toolchain__fuses_additions=True)
    assert not [layer for layer in fused.typical.layers if layer.op == "add"]
    assert fused.typical.latency_ps < result.typical.latency_ps


def test_the_recurrent_network_reads_the_reference_bytes():
    read = sum(layer.params for layer in rnnoise_like().program.layers())
    assert read == pytest.approx(RNNOISE_WEIGHT_BYTES, abs=len(rnnoise_like().program.steps) * 9)


@pytest.mark.parametrize(
    "case",
    [vela.CASE, vela.HELD_OUT_CASE, MOBILENET_CASE, RNNOISE_CASE],
    ids=lambda case: case.name,
)
def test_the_case_stays_in_its_bands(case):
    assert run_case(case, load).broken() == ()
