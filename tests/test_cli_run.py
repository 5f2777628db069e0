"""The main job as a user types it: run, compare, their output and their files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.__main__ import main

ROOT = Path(__file__).resolve().parent.parent
RUN = ["run", "--spec", "specs/edge_npu.yaml", "--workload"]

SUMMARY_KEYS = [
    "workload",
    "spec",
    "policy",
    "inferences",
    "seed",
    "latency_s",
    "energy_j",
    "dram_energy_j",
    "dram_read_bytes",
    "dram_write_bytes",
    "weight_read_bytes",
    "dram_activates",
    "dram_refreshes",
    "dram_row_hit_fraction",
    "dram_burst_efficiency_fraction",
    "weights_in_dram",
    "macs",
    "params_total",
    "params_active",
    "stalls_s",
    "speculation",
    "prefetch_windows",
    "pe_utilization_fraction",
    "scratchpad_peak_bytes",
]


def summary(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_json_is_the_summary_alone(capsys):
    found = summary(capsys, *RUN, "sigmab_resnet50")
    assert list(found) == SUMMARY_KEYS
    assert list(found["latency_s"]) == ["mean", "p50", "p99", "max"]
    assert set(found["energy_j"]) == {"total", "dram", "scratchpad", "mac", "vector", "static"}
    # arXiv 2606.09924 table III, ImageNet-1K
    assert found["params_active"] == 10_336_014
    assert found["params_total"] == 29_247_274
    assert found["weight_read_bytes"] == 10_336_014  # int8, every active weight exactly once
    assert found["inferences"] == 1000


def test_summary_adds_up(capsys):
    found = summary(capsys, *RUN, "sigmab_resnet50", "--inferences", "7", "--seed", "3")
    energy = found["energy_j"]
    assert energy["total"] == pytest.approx(sum(v for k, v in energy.items() if k != "total"))
    assert energy["dram"] == pytest.approx(sum(found["dram_energy_j"].values()))
    assert 0 < sum(found["stalls_s"].values()) < found["latency_s"]["mean"]
    assert found["seed"] == 3
    peak_macs = 2048 * 1e9 * found["latency_s"]["mean"]
    assert found["pe_utilization_fraction"] == pytest.approx(found["macs"] / peak_macs)


@pytest.mark.parametrize(
    ("workload", "megabytes"), [("sigmab_resnet50", 41), ("dense_resnet50", 102)]
)
def test_fp32_weights_per_inference_are_the_papers(capsys, workload, megabytes):
    # arXiv 2606.09924 section VI-B. FP32 tiles need more scratchpad than int8's; with 16 MiB no
    # weight is read twice.
    wide = ["--set", "precision.weight_bits=32", "--set", "scratchpad.capacity_kib=16384"]
    found = summary(capsys, *RUN, workload, *wide)
    assert round(found["weight_read_bytes"] / 1e6) == megabytes


def test_a_table_names_what_a_person_looks_for(capsys):
    assert main([*RUN, "sigmab_resnet50", "--layers", "3"]) == 0
    printed = capsys.readouterr().out
    for words in (
        "the shipped accelerator_specs/edge_npu.yaml",
        "latency",
        "energy",
        "DRAM traffic",
        "PE utilisation",
        "Where the time went",
        "route wait",
        "The 3 slowest of",
        "What the numbers assume",
        "events",
    ):
        assert words in printed


def test_a_spec_path_wins_over_the_shipped_name(capsys, tmp_path):
    mine = tmp_path / "edge_npu.yaml"
    text = (ROOT / "accelerator_specs/edge_npu.yaml").read_text()
    mine.write_text(text.replace("name: edge_npu", "name: mine"))
    assert main(["run", "--spec", str(mine), "--workload", "dense_resnet50", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["spec"] == "mine"
    assert str(mine) in printed.err


def test_out_holds_the_complete_result(capsys, tmp_path):
    out = tmp_path / "new" / "folder"
    assert main([*RUN, "sigmab_resnet50_cifar100", "--out", str(out), "--no-figures"]) == 0
    result = json.loads((out / "result.json").read_text())
    assert sorted(path.name for path in out.iterdir()) == ["layers.csv", "result.json"]
    assert result["provenance"]["spec"]["scratchpad"]["capacity_kib"] == 2048
    assert result["provenance"]["versions"]["simpy"]
    assert len(result["provenance"]["workload_sha256"]) == 64
    assert "vector_unit.lanes" in result["assumed_fields"]
    for inference in result["inferences"]:
        stalled = sum(inference["stalls_ps"].values())
        assert inference["latency_ps"] == inference["compute_ps"] + stalled
        assert sum(row["duration_ps"] for row in inference["layers"]) == inference["latency_ps"]
    lines = (out / "layers.csv").read_text().splitlines()
    assert len(lines) == 1 + sum(len(found["layers"]) for found in result["inferences"])


def test_same_inputs_give_the_same_bytes_in_another_process(tmp_path):
    for hash_seed, folder in (("1", tmp_path / "a"), ("2", tmp_path / "b")):
        command = [sys.executable, "-m", "simulator", *RUN, "sigmab_resnet50", "--no-figures"]
        subprocess.run(
            [*command, "--out", str(folder)],
            check=True,
            cwd=ROOT,
            capture_output=True,
            env={"PYTHONHASHSEED": hash_seed, "PATH": "/usr/bin:/bin"},
        )
    for name in ("result.json", "layers.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_routes_come_from_a_file(capsys, tmp_path):
    routes = tmp_path / "routes.json"
    arms = [[0, 0], [0, 0], [1, 0], [1, 1]]
    routes.write_text(
        json.dumps(
            {
                "schema": "simulator.routes",
                "schema_version": 1,
                "routes": [{"arms": each} for each in arms],
            }
        )
    )
    found = summary(capsys, *RUN, "sigmab_resnet50", "--routes", str(routes))
    assert found["inferences"] == 4
    assert found["seed"] is None


def test_the_oracle_is_never_slower(capsys):
    demand = summary(capsys, *RUN, "sigmab_resnet50")
    oracle = summary(capsys, *RUN, "sigmab_resnet50", "--policy", "oracle")
    assert oracle["latency_s"]["mean"] < demand["latency_s"]["mean"]
    # Knowing the route, it waits only for the branches themselves to take effect.
    assert oracle["stalls_s"]["route_wait"] <= 2 * 100e-9


def test_compare_prints_savings_against_the_first(capsys):
    words = ["compare", "--spec", "edge_npu", "--workloads", "dense_resnet50,sigmab_resnet50"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "59.6 % fewer active parameters" in printed  # 1 - 10,336,014 / 25,557,032
    found = json.loads(_json_of(capsys, words))
    (saved,) = found["comparisons"]
    dense, sigmab = found["runs"]
    expected = 1 - sigmab["latency_s"]["mean"] / dense["latency_s"]["mean"]
    assert saved["latency_reduction_fraction"] == pytest.approx(expected)
    analytic = 1 - 10_336_014 / 25_557_032
    assert saved["arrived_as_latency_fraction"] == pytest.approx(expected / analytic)


def _json_of(capsys: pytest.CaptureFixture[str], words: list[str]) -> str:
    assert main([*words, "--json"]) == 0
    return capsys.readouterr().out


def test_run_leaves_torch_and_pandas_unloaded():
    script = (
        "import sys; from simulator.__main__ import main; "
        "main(['run', '--spec', 'edge_npu', '--workload', 'dense_resnet50', '--json']); "
        "heavy = {'torch', 'pandas', 'matplotlib'} & set(sys.modules); "
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
