import argparse
import json
from pathlib import Path

import pytest

from simulator.__main__ import services
from simulator.cli import describe, trace
from simulator.cli.resolve import resolve_workload
from simulator.cli.services import Services
from simulator.errors import ProgramError, UserError, WorkloadError
from simulator.program_file import workload_from_json, workload_to_json
from workloads.catalogue import trace_workload


@pytest.fixture(name="services")
def shipped_services() -> Services:
    return services()


def call(command, services: Services, *arguments: str) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    command.execute(parser.parse_args(arguments), services)


def test_describe_json_holds_the_published_counts(services, capsys):
    call(describe, services, "--workload", "sigmab_resnet50", "--json")
    out = json.loads(capsys.readouterr().out)
    assert out["params_total"] == 29_247_274
    assert out["params_active"] == 10_336_014
    assert out["params_active_eq4"] == 10_336_014 - 66_178 - 93_314
    assert out["flops_fvcore"] == 2_833_842_640
    assert out["weight_bytes_active_fp32"] == 4 * 10_336_014
    assert out["weight_bytes_active"] == 10_336_014  # int8
    assert sum(s["params"] for s in out["segments"]) == 29_247_274
    assert [r["arms"] for r in out["routes"]] == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_describe_prints_a_table_a_person_can_read(services, capsys):
    call(describe, services, "--workload", "dense_resnet50", "--bits", "16")
    out = capsys.readouterr().out
    assert "25,557,032" in out
    assert "51,114,064" in out  # bytes at 16 bit
    assert "102.2" in out  # MB in FP32


def test_trace_writes_what_is_shipped(services, tmp_path, capsys):
    out = tmp_path / "program.json"
    call(trace, services, "--workload", "dense_pointnet2", "--out", str(out))
    assert out.read_text() == (services.programs_dir / "dense_pointnet2.json").read_text()
    assert [p.name for p in tmp_path.iterdir()] == ["program.json"]
    assert "50 layers" in capsys.readouterr().out


def test_trace_replaces_an_existing_file_whole(services, tmp_path):
    out = tmp_path / "program.json"
    out.write_text("old")
    call(trace, services, "--workload", "dense_pointnet2", "--out", str(out))
    assert workload_from_json(out.read_text(), "out").name == "dense_pointnet2"


@pytest.mark.parametrize("where", ["missing/program.json", "."])
def test_an_unwritable_output_is_one_line_and_leaves_nothing(services, tmp_path, where):
    with pytest.raises(UserError) as caught:
        call(trace, services, "--workload", "dense_pointnet2", "--out", str(tmp_path / where))
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_workload_is_a_shipped_name_or_a_file(services, tmp_path):
    assert resolve_workload("dense_resnet50", services).name == "dense_resnet50"
    path = tmp_path / "mine.json"
    path.write_text(workload_to_json(trace_workload("dense_pointnet2")))
    assert resolve_workload(str(path), services).name == "dense_pointnet2"


def test_unknown_workload_says_which_is_nearest(services):
    with pytest.raises(WorkloadError, match="did you mean 'sigmab_resnet50'"):
        resolve_workload("sigmab_resnet5O", services)


def test_missing_program_file_is_named(services, tmp_path):
    with pytest.raises(ProgramError, match=r"gone\.json: cannot be read"):
        resolve_workload(str(tmp_path / "gone.json"), services)


def test_a_program_file_in_this_folder_needs_no_separator(services, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.json").write_text(workload_to_json(trace_workload("dense_pointnet2")))
    assert resolve_workload("mine.json", services).name == "dense_pointnet2"
