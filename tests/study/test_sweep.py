"""The command as it is typed: complete, repeatable, and not to be brought down."""

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simulator.__main__ import main
from simulator.study.evaluate import evaluate_task
from simulator.study.execute import Progress, Runner
from simulator.study.store import Store
from simulator.study.workers import InProcess, LocalProcesses, WorkersError

ROOT = Path(__file__).resolve().parent.parent.parent
AXES = ["--vary", "scratchpad.capacity_kib=1:512:x2", "--vary", "policy=on_demand,oracle"]
FIGURES = {"scratchpad.png", "pareto.png", "effects.png"}
BUS = (
    *("dram_read_bytes", "dram_write_bytes", "weight_read_bytes", "activation_dram_bytes"),
    *("dram_busy_ps", "latency_mean_ps"),
)


def words(program: Path, out: Path, *more: str, axes: list[str] = AXES) -> list[str]:
    command = ["sweep", "--spec", "edge_npu", "--set", "scratchpad.banks=1", "--workload"]
    command += [str(program), "--set", "scratchpad.ports=2", "--inferences", "50"]
    return [*command, *axes, "--out", str(out), *more]


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "sweep.csv").open() as file:
        return list(csv.DictReader(file))


def quick(*more: str) -> list[str]:
    return ["--workers", "1", "--no-figures", *more]


def test_every_point_is_a_row_and_infeasible_ones_say_why(program_path, tmp_path, capsys):
    assert main([*words(program_path, tmp_path), "--workers", "1"]) == 0
    found = rows(tmp_path)
    assert [int(row["number"]) for row in found] == list(range(20))
    assert [row["scratchpad.capacity_kib"] for row in found[:4]] == ["1", "1", "2", "2"]
    infeasible = [row for row in found if row["status"] == "infeasible"]
    assert infeasible
    assert all("does not fit" in row["reason"] for row in infeasible)
    assert all(row["latency_mean_ps"] == "" for row in infeasible)
    feasible = [row for row in found if row["status"] == "ok"]
    assert {(row["policy"], row["engine"]) for row in feasible} == {
        ("on_demand", "vector"),
        ("oracle", "vector"),
    }
    for demand, oracle in zip(feasible[::2], feasible[1::2], strict=True):
        assert float(oracle["latency_mean_ps"]) <= float(demand["latency_mean_ps"])
    described = json.loads((tmp_path / "sweep.json").read_text())
    assert described["n_points"] == 20
    assert {path.name for path in tmp_path.iterdir()} >= FIGURES
    assert "fastest" in capsys.readouterr().out


def test_a_row_is_what_run_says(program_path, tmp_path, capsys):
    main(words(program_path, tmp_path, *quick()))
    row = rows(tmp_path)[-2]
    capsys.readouterr()
    command = ["run", "--spec", "edge_npu", "--workload", str(program_path), "--inferences", "50"]
    for field in ("scratchpad.banks=1", "scratchpad.ports=2", "scratchpad.capacity_kib=512"):
        command += ["--set", field]
    main([*command, "--json"])
    summary = json.loads(capsys.readouterr().out)
    assert float(row["latency_mean_ps"]) / 1e12 == pytest.approx(summary["latency_s"]["mean"])
    assert float(row["energy_pj"]) / 1e12 == pytest.approx(summary["energy_j"]["total"])
    assert float(row["weight_read_bytes"]) == pytest.approx(summary["weight_read_bytes"])


def test_again_nothing_is_computed_and_the_bytes_are_the_same(program_path, tmp_path, capsys):
    main(words(program_path, tmp_path, *quick()))
    first = (tmp_path / "sweep.csv").read_bytes()
    said = capsys.readouterr().out
    main(words(program_path, tmp_path, *quick("--json")))
    again = json.loads(capsys.readouterr().out)
    assert again["points"] == again["reused"] == 20
    assert again["infeasible"] + sum(again["engines"].values()) == 20
    fastest = min(float(row["latency_mean_ps"] or "inf") for row in rows(tmp_path))
    assert again["fastest"]["latency_mean_ps"] == fastest
    assert "fastest" in said
    assert (tmp_path / "sweep.csv").read_bytes() == first


def test_another_sweep_finds_the_points_they_share(program_path, tmp_path, capsys):
    main(words(program_path, tmp_path, *quick()))
    capsys.readouterr()
    axes = ["--vary", "scratchpad.capacity_kib=64,96,128"]
    main(words(program_path, tmp_path, *quick("--json"), axes=axes))
    found = json.loads(capsys.readouterr().out)
    assert (found["points"], found["reused"]) == (3, 2)


def test_processes_give_the_same_bytes(program_path, tmp_path):
    main(words(program_path, tmp_path / "serial", *quick()))
    more = ["--workers", "2", "--no-figures"]
    main(words(program_path, tmp_path / "parallel", *more))
    serial, parallel = (tmp_path / name / "sweep.csv" for name in ("serial", "parallel"))
    assert serial.read_bytes() == parallel.read_bytes()


def test_two_axes_of_numbers_make_a_heat_map(program_path, tmp_path):
    axes = ["--vary", "scratchpad.capacity_kib=1,64,128", "--vary", "dram.bandwidth=2G,4G"]
    main([*words(program_path, tmp_path, axes=axes), "--workers", "1"])
    assert (tmp_path / "heat.png").read_bytes().startswith(b"\x89PNG")


def test_a_sweep_without_a_feasible_point_still_has_its_table(program_path, tmp_path, capsys):
    axes = ["--vary", "scratchpad.capacity_kib=1,2"]
    assert main([*words(program_path, tmp_path, axes=axes), "--workers", "1"]) == 0
    assert "2 infeasible" in capsys.readouterr().out
    assert [row["status"] for row in rows(tmp_path)] == ["infeasible", "infeasible"]
    assert not list(tmp_path.glob("*.png"))


def test_drawn_axes_repeat_with_their_seed(program_path, tmp_path):
    axes = ["--vary", "scratchpad.capacity_kib=64:512:loglhs:16", "--samples", "6"]
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        main(words(program_path, tmp_path / name, *quick("--seed", seed), axes=axes))
    a, b, c = ((tmp_path / name / "sweep.csv").read_bytes() for name in "abc")
    assert a == b != c
    sizes = [int(row["scratchpad.capacity_kib"]) for row in rows(tmp_path / "a")]
    assert all(size % 16 == 0 and 64 <= size <= 512 for size in sizes)


MANY = ["--vary", "scratchpad.capacity_kib=64:1280:+24", "--vary", "policy=on_demand,oracle"]


def stored(path: Path) -> int:
    try:
        with sqlite3.connect(path, timeout=30) as db:
            return db.execute("SELECT count(*) FROM points").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def start_and_wait(command: list[str], folder: Path, least: int) -> subprocess.Popen[str]:
    """Start a sweep and return while it is running, at least so many points finished."""
    process = subprocess.Popen(
        [sys.executable, "-m", "simulator", *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    end = time.monotonic() + 60
    while stored(folder / "results.sqlite") < least and time.monotonic() < end:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    return process


@pytest.mark.parametrize("workers", ["1", "2"])
def test_killed_and_started_again_it_ends_in_the_same_bytes(program_path, tmp_path, workers):
    command = words(
        program_path, tmp_path / "killed", "--workers", workers, "--no-figures", axes=MANY
    )
    process = start_and_wait(command, tmp_path / "killed", 20)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    kept = stored(tmp_path / "killed" / "results.sqlite")
    assert 20 <= kept < 102
    assert not (tmp_path / "killed" / "sweep.csv").exists()
    assert main(command) == 0
    main(words(program_path, tmp_path / "calm", *quick(), axes=MANY))
    killed, calm = ((tmp_path / name / "sweep.csv").read_bytes() for name in ("killed", "calm"))
    assert killed == calm


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_says_how_to_go_on(program_path, tmp_path, workers):
    endless = [*MANY, "--vary", "pe_array.rows=1:64:+1"]  # it must not be done by then
    command = words(program_path, tmp_path, "--workers", workers, axes=endless)
    process = start_and_wait(command, tmp_path, 5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "the same command goes on from there" in said
    assert "Traceback" not in said


def test_two_processes_on_one_store_share_the_work(program_path, tmp_path):
    command = words(program_path, tmp_path, *quick(), axes=MANY)
    process = start_and_wait(command, tmp_path, 5)
    assert main(command) == 0
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert len(rows(tmp_path)) == 102


def test_a_crashed_worker_is_replaced(context, tmp_path):
    class Crashing(LocalProcesses):
        crashed = False

        def submit(self, task, family=None):
            if not self.crashed:
                self.crashed = True
                return self._pools[0].submit(os._exit, 1)
            return super().submit(task, family)

    points = [(n, {"scratchpad.capacity_kib": 16 * (n + 1)}) for n in range(6)]
    workers = Crashing(1)
    try:
        with Store(tmp_path / "s.sqlite") as store:
            progress = Progress(6)
            Runner(store, "s", context, workers).run(points, progress, lambda _: None)
            assert progress.finished == 6
            assert len(list(store.rows("s"))) == 6
    finally:
        workers.close()


def test_a_pool_that_breaks_while_tasks_are_handed_out_is_replaced(context, tmp_path):
    class Breaking(LocalProcesses):
        broken = False

        def submit(self, task, family=None):
            if not self.broken:
                self.broken = True
                self._pools[0].submit(os._exit, 1).exception()  # waits for the pool to break
            return super().submit(task, family)

    points = [(n, {"scratchpad.capacity_kib": 16 * (n + 1)}) for n in range(3)]
    workers = Breaking(1)
    try:
        with Store(tmp_path / "s.sqlite") as store:
            Runner(store, "s", context, workers).run(points, Progress(3), lambda _: None)
            assert len(list(store.rows("s"))) == 3
    finally:
        workers.close()


def test_workers_that_always_die_end_the_study_with_advice(context, tmp_path):
    class Dying(LocalProcesses):
        def submit(self, task, family=None):
            return self._pools[0].submit(os._exit, 1)

    workers = Dying(1)
    try:
        with (
            Store(tmp_path / "s.sqlite") as store,
            pytest.raises(WorkersError, match="worker processes died 4 times"),
        ):
            Runner(store, "s", context, workers).run([(0, {})], Progress(1), lambda _: None)
    finally:
        workers.close()


def test_a_point_another_process_finished_meanwhile_is_not_computed(context, tmp_path):
    class Counting(InProcess):
        tasks = 0

        def submit(self, task, family=None):
            self.tasks += 1
            return super().submit(task, family)

    workers = Counting()
    with Store(tmp_path / "s.sqlite") as store:
        Runner(store, "one", context, InProcess()).run([(0, {})], Progress(1), lambda _: None)
        progress = Progress(1)
        Runner(store, "two", context, workers).run([(0, {})], progress, lambda _: None)
    assert (workers.tasks, progress.reused) == (0, 1)


def test_equal_points_of_a_task_are_evaluated_once(context, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "simulator.study.workers.evaluate_task",
        lambda task: seen.extend(task.choices) or evaluate_task(task),
    )
    same = [(n, {"scratchpad.capacity_kib": 64 if n else 128}) for n in range(9)]
    with Store(tmp_path / "s.sqlite") as store:
        Runner(store, "s", context, InProcess()).run(same, Progress(9), lambda _: None)
        assert len(list(store.rows("s"))) == 9
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--vary", "scratchpad.size=1"], "nothing of that name can be varied"),
        (["--workers", "0"], "--workers 0: must be from 1"),
        (["--iso-area", "-3"], "--iso-area -3: must be an area"),
        (["--iso-area"], "with --iso-area the capacity follows"),
    ],
)
def test_wrong_options_leave_nothing_behind(program_path, tmp_path, capsys, more, expected):
    assert main([*words(program_path, tmp_path / "out"), *more]) == 2
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "out" / "sweep.csv").exists()


def test_bytes_on_the_bus_are_those_wanted_and_what_fills_up_bursts(program_path, tmp_path):
    main(words(program_path, tmp_path, *quick()))
    row = {name: float(rows(tmp_path)[-1][name] or "nan") for name in BUS}
    on_bus = row["dram_read_bytes"] + row["dram_write_bytes"]
    wanted = row["weight_read_bytes"] + row["activation_dram_bytes"]
    assert wanted <= on_bus < 1.2 * wanted
    at_peak_rate_ps = on_bus / 6.4e9 * 1e12
    assert at_peak_rate_ps <= row["dram_busy_ps"] <= row["latency_mean_ps"]


@pytest.mark.parametrize("pattern", ["trunk*", "arm0*", "image"])
def test_activation_widths_are_what_run_does_with_them(program_path, tmp_path, capsys, pattern):
    widths = ("4", "8", "fp16")
    axes = ["--vary", f"activation_bits.{pattern}={','.join(widths)}"]
    fixed = ("--activation-bits", "arm1*=16", "--bits", "trunk*=4")
    command = words(program_path, tmp_path, *fixed, "--workers", "1", "--no-figures", axes=axes)
    assert main(command) == 0
    capsys.readouterr()
    table = rows(tmp_path)
    assert [row[f"activation_bits.{pattern}"] for row in table] == list(widths)
    given = words(program_path, tmp_path, axes=[])[1:-2]  # neither the command nor --out
    for row, bits in zip(table, widths, strict=True):
        rule = f"{pattern}={bits}"
        assert main(["run", *given, *fixed, "--activation-bits", rule, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert float(row["latency_mean_ps"]) == pytest.approx(found["latency_s"]["mean"] * 1e12)
        assert float(row["energy_pj"]) == pytest.approx(found["energy_j"]["total"] * 1e12)
        assert float(row["dram_read_bytes"]) == pytest.approx(found["dram_read_bytes"])
    assert len({row["energy_pj"] for row in table}) == 3
