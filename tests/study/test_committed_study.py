"""The study that is committed shows what the simulator says today."""

import csv
from pathlib import Path

import pytest

from simulator.__main__ import main

STUDIES = Path(__file__).parent.parent.parent / "docs" / "studies"
COMMAND = (
    "python -m simulator sweep --spec edge_npu --workload dense_resnet50,sigmab_resnet50 "
    "--vary scratchpad.capacity_kib=128:16384:x2 --vary policy=on_demand,oracle --out DIR"
)
RENEW = f"renew it: {COMMAND}; then copy DIR/scratchpad.* and DIR/sweep.csv to docs/studies"


@pytest.mark.parametrize("workload", ["dense_resnet50", "sigmab_resnet50"])
def test_scratchpad_study_is_current(tmp_path, workload):
    command = ["sweep", "--spec", "edge_npu", "--workload", workload, "--no-figures"]
    axes = ["--vary", "scratchpad.capacity_kib=2048"]
    assert main([*command, *axes, "--workers", "1", "--out", str(tmp_path)]) == 0
    with (tmp_path / "sweep.csv").open() as file:
        (now,) = csv.DictReader(file)
    with (STUDIES / "scratchpad.csv").open() as file:
        rows = list(csv.DictReader(file))
    same = ("workload", "policy", "scratchpad.capacity_kib")
    (kept,) = (row for row in rows if all(row[name] == now[name] for name in same))
    for metric in ("latency_mean_ps", "energy_pj", "dram_read_bytes"):
        assert float(kept[metric]) == pytest.approx(float(now[metric]), rel=1e-12), RENEW
