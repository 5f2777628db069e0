"""`sweep --bounds` against the exact sweep of the same points, and what it refuses."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from simulator.__main__ import main
from simulator.study.axis import parse_axis
from simulator.study.bounded import BoundedDesign
from simulator.study.closed_form import UNKNOWN
from simulator.study.design import make_design
from simulator.study.screen import Screen
from simulator.study.screens import ScreenTask, make_screen
from tests.simulate import with_part

ROOT = Path(__file__).resolve().parent.parent.parent
AXES = [
    *("--vary", "dram.bandwidth=1G,2G,3500M,5G,7G,11G"),
    *("--vary", "scratchpad.capacity_kib=1,3,16,64"),
    *("--vary", "pe_array.rows=16,64"),
]


def words(program, out, *more: str, axes=AXES) -> list[str]:
    command = ["sweep", "--spec", "edge_npu", "--workload", str(program), "--inferences", "50"]
    command += ["--set", "scratchpad.banks=1", "--set", "scratchpad.ports=2"]
    return [*command, *axes, "--out", str(out), *more]


def rows(path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def contenders_of(original):
    return lambda self, screens, _, best: original(self, screens, UNKNOWN - 1, best)


@pytest.mark.parametrize("knots", [80, 2])
def test_brackets_hold_every_exact_point(program_path, tmp_path, capsys, monkeypatch, knots):
    monkeypatch.setattr("simulator.study.bounded.KNOTS", knots)
    monkeypatch.setattr("simulator.study.bounded.CHUNK", 7)
    # All points that fit contend if the fastest upper bound is not what limits them.
    monkeypatch.setattr(BoundedDesign, "_contenders", contenders_of(BoundedDesign._contenders))
    assert main(words(program_path, tmp_path, "--bounds", "--best", "100", "--json")) == 0
    summary = json.loads(capsys.readouterr().out)
    assert main(words(program_path, tmp_path, "--workers", "1", "--no-figures")) == 0
    exact = {row["number"]: row for row in rows(tmp_path / "sweep.csv")}
    feasible = {n: row for n, row in exact.items() if row["status"] == "ok"}
    found = {row["number"]: row for row in rows(tmp_path / "bounds.csv")}
    assert found.keys() == feasible.keys()
    assert summary["points"] == 48
    assert summary["infeasible"] == 48 - len(feasible) > 0
    for number, row in found.items():
        mean_ps = float(feasible[number]["latency_mean_ps"])
        assert int(row["lower_ps"]) - 1 < mean_ps <= int(row["upper_ps"])
        for field in ("dram.peak_bytes_per_s", "scratchpad.capacity_kib", "pe_array.rows"):
            assert row[field] == exact[number][field]
    widths = sorted(int(row["upper_ps"]) / int(row["lower_ps"]) - 1 for row in found.values())
    assert summary["largest_width_fraction"] == pytest.approx(widths[-1])
    assert summary["median_width_fraction"] == pytest.approx(
        widths[(len(widths) - 1) // 2], abs=1e-4
    )
    assert (widths[-1] == 0) is (knots == 80)


def test_the_fastest_is_among_those_written(program_path, tmp_path, capsys):
    axes = [
        *("--vary", "dram.bandwidth=1G:20G:loglhs"),
        *("--vary", "scratchpad.capacity_kib=2:64:lhs:2", "--samples", "40"),
    ]
    main(words(program_path, tmp_path, "--bounds", "--best", "3", axes=axes))
    said = capsys.readouterr().out
    main(words(program_path, tmp_path, "--workers", "1", "--no-figures", axes=axes))
    exact = [row for row in rows(tmp_path / "sweep.csv") if row["status"] == "ok"]
    fastest = min(exact, key=lambda row: float(row["latency_mean_ps"]))
    kept = rows(tmp_path / "bounds.csv")
    assert fastest["number"] in [row["number"] for row in kept]
    assert 1 <= len(kept) <= 3
    assert "40 points bracketed" in said


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--vary", "policy=on_demand,oracle"], "policy oracle: only on_demand is bracketed"),
        (["--vary", "dram.read_latency_ns=1:9:lhs", "--samples", "3"], "can be drawn"),
        (["--vary", "placement=stream,auto"], "placement"),
        (["--vary", "dram.read_latency_ns=1:40:+1"], "80 combinations of pe_array.rows"),
        (["--best", "0"], "--best 0: must be from 1"),
        (["--cluster", "tcp://localhost:1"], "--cluster: not with --bounds"),
        (["--workers", "0"], "--workers 0: must be from 1 to"),
    ],
)
def test_what_cannot_be_bracketed_is_refused(program_path, tmp_path, capsys, more, expected):
    assert main([*words(program_path, tmp_path / "out"), "--bounds", *more]) == 2
    said = capsys.readouterr().err
    assert expected in said
    assert len(said.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_memory_does_not_grow_with_the_points(context, monkeypatch):
    monkeypatch.setattr("simulator.study.bounded.CHUNK", 1000)
    peaks = []
    for steps in (10, 400):
        axes = [f"dram.peak_bytes_per_s=1000000000:9000000000:+{8 * 10**9 // steps}"]
        axes += ["scratchpad.capacity_kib=16:3200:+16"]
        start = replace(context, spec=with_part(context.spec, "scratchpad", banks=1))
        design = make_design([parse_axis(axis) for axis in axes], None, 0)
        bounded = BoundedDesign(start, design)
        screens = {c: make_screen(task) for c, task in bounded.tasks.items()}
        bounded.run(screens, 5, lambda _: None)
        tracemalloc.start()
        found = bounded.run(screens, 5, lambda _: None)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found.points == design.n_points
    assert peaks[1] < 1.5 * peaks[0] + 100_000


def bracketed(capsys, command: list[str]) -> dict[str, int]:
    assert main([*command, "--bounds", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


class Struck:
    """Makes screens until Ctrl-C strikes; counts them."""

    def __init__(self, after: int) -> None:
        self.after, self.made = after, 0

    def __call__(self, task: ScreenTask) -> Screen:
        if self.made == self.after:
            raise KeyboardInterrupt
        self.made += 1
        return make_screen(task)


def test_an_interrupted_run_keeps_its_tables_and_ends_in_the_same_bytes(
    program_path, tmp_path, capsys, monkeypatch
):
    axes = [*AXES[:-1], "pe_array.rows=16,32,48,64"]
    calm, struck = (words(program_path, tmp_path / n, axes=axes) for n in ("calm", "struck"))
    of_calm = bracketed(capsys, [*calm, "--workers", "2"])
    assert (of_calm["tables"], of_calm["tables_made"]) == (4, 4)
    monkeypatch.setattr("simulator.study.screens.make_screen", Struck(3))
    assert main([*struck, "--bounds", "--workers", "1"]) == 130
    assert capsys.readouterr().err == (
        f"interrupted: 3 of 4 tables are kept in {tmp_path / 'struck' / 'tables'}; the same "
        "command goes on from there\n"
    )
    assert not (tmp_path / "struck" / "bounds.csv").exists()
    monkeypatch.setattr("simulator.study.screens.make_screen", Struck(1))
    assert bracketed(capsys, [*struck, "--workers", "1"])["tables_made"] == 1
    ends = [(tmp_path / name / "bounds.csv").read_bytes() for name in ("calm", "struck")]
    assert ends[0] == ends[1]
    # Nothing has to be made for fewer of the points, but what another design needs is.
    monkeypatch.setattr("simulator.study.screens.make_screen", Struck(0))
    assert bracketed(capsys, [*struck, "--best", "1"])["tables_made"] == 0
    axes[1] = axes[1].replace("11G", "12G")
    other = words(program_path, tmp_path / "struck", axes=axes)
    assert main([*other, "--bounds", "--workers", "1"]) == 130  # Struck: they were to be made


def test_a_damaged_table_is_made_again(program_path, tmp_path, capsys):
    command = words(program_path, tmp_path, "--workers", "1")
    bracketed(capsys, command)
    before = (tmp_path / "bounds.csv").read_bytes()
    first, second = sorted((tmp_path / "tables").iterdir())
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    second.write_bytes(second.read_bytes()[:100])
    assert bracketed(capsys, command)["tables_made"] == 2
    assert (tmp_path / "bounds.csv").read_bytes() == before


def die(_: ScreenTask) -> Screen:
    os._exit(1)


def test_a_worker_that_dies_ends_the_command_in_a_line(program_path, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("simulator.study.screens.make_screen", die)
    assert main([*words(program_path, tmp_path, "--workers", "2"), "--bounds"]) == 2
    said = capsys.readouterr().err
    assert "a worker process died" in said
    assert "the same command goes on" in said
    assert said.count("\n") == 1


def test_a_killed_run_goes_on(program_path, tmp_path, capsys):
    axes = [*AXES[:-1], "pe_array.rows=8:64:+4"]
    command = words(program_path, tmp_path / "killed", "--bounds", "--workers", "2", axes=axes)
    process = subprocess.Popen([sys.executable, "-m", "simulator", *command], cwd=ROOT)
    tables = tmp_path / "killed" / "tables"
    while process.poll() is None and len(list(tables.glob("*.npz"))) < 2:
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    kept = {path: path.stat().st_mtime_ns for path in tables.glob("*.npz")}
    assert 2 <= len(kept) < 15
    assert bracketed(capsys, command)["tables_made"] == 15 - len(kept)
    assert all(path.stat().st_mtime_ns == made_ns for path, made_ns in kept.items())
    bracketed(capsys, words(program_path, tmp_path / "calm", "--workers", "1", axes=axes))
    ends = [(tmp_path / name / "bounds.csv").read_bytes() for name in ("calm", "killed")]
    assert ends[0] == ends[1]
