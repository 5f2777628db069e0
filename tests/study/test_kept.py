"""Points that keep weights between inputs are what `stream` makes of them; the rest is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from simulator.__main__ import main
from simulator.result import StallKind

DIGITS = "examples/digits_tree"
GIVEN = ["--spec", "edge_npu", "--set", "scratchpad.banks=1", "--set", "scratchpad.ports=2"]
SMALL = [*GIVEN, "--set", "scratchpad.capacity_kib=64"]
MARKOV = ["--stream", "markov", "--persistence", "0.9", "--inferences", "300", "--seed", "3"]


def sweep(out: Path, workload: str, *more: str, given: list[str] = SMALL) -> list[dict[str, str]]:
    command = ["sweep", *given, "--workload", workload, "--workers", "1", "--out", str(out)]
    assert main([*command, *more]) == 0
    with (out / "sweep.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("scope", "granularity", "kib"), [("all", "tile", 12), ("branches", "node", 24)]
)
@pytest.mark.parametrize("built", [False, True], ids=["markov", "data_set"])
def test_a_point_is_what_stream_makes_of_it(
    program_path, tmp_path, capsys, built, scope, granularity, kib
):
    workload, order = (DIGITS, []) if built else (str(program_path), MARKOV)
    policies = ("none", "lru", "lfu", "pinned_backbone", "belady")
    axes = [f"residency.region_kib={kib}", f"residency.scope={scope}"]
    axes += [f"residency.granularity={granularity}", f"residency={','.join(policies)}"]
    vary = [word for axis in axes for word in ("--vary", axis)]
    rows = sweep(tmp_path, workload, *order, *vary, "--no-figures")
    capsys.readouterr()
    words = ["stream", *SMALL, "--workload", workload, *order, "--residency", ",".join(policies)]
    words += ["--region", f"{kib}KiB", "--scope", scope, "--granularity", granularity, "--json"]
    assert main(words) == 0
    found = {each["residency"]: each for each in json.loads(capsys.readouterr().out)["residency"]}
    for row, policy in zip(rows, policies, strict=True):
        each = found[policy]
        assert float(row["latency_mean_ps"]) == pytest.approx(each["latency_s"]["mean"] * 1e12)
        for name in ("p50", "p99", "max"):
            assert int(row[f"latency_{name}_ps"]) == round(each["latency_s"][name] * 1e12)
        assert float(row["energy_pj"]) == pytest.approx(each["energy_j"] * 1e12)
        assert float(row["weight_read_bytes"]) == pytest.approx(each["weight_read_bytes"])
        moved = float(row["dram_read_bytes"]) + float(row["dram_write_bytes"])
        assert moved == pytest.approx(each["dram_bytes"])
        parts = sum(float(row[f"{kind.value}_ps"]) for kind in StallKind)
        assert float(row["compute_ps"]) + parts == pytest.approx(float(row["latency_mean_ps"]))
        assert row["engine"] == "recurrence"
        assert row["macs"] == ""  # an inference of a stream does not tell
    assert len({row["energy_pj"] for row in rows}) >= 3


def test_the_same_bytes_by_two_workers(program_path, tmp_path):
    vary = ["--vary", "dram.bandwidth=1G,4G", "--vary", "residency=none,lru", "--no-figures"]
    for count in ("1", "2"):
        sweep(tmp_path / count, str(program_path), *MARKOV, *vary, "--workers", count)
    one, two = ((tmp_path / count / "sweep.csv").read_bytes() for count in ("1", "2"))
    assert one == two


def test_a_limit_on_p99_is_on_the_stream(program_path, tmp_path, capsys):
    # Long runs of one leaf: fewer than one input in a hundred finds another's weights.
    order = ["--stream", "markov", "--persistence", "0.999", "--inferences", "1000"]
    words = ["explore", *SMALL, "--workload", str(program_path), *order, "--workers", "1"]
    words += ["--vary", "residency=none,lru", "--vary", "residency.region_kib=32"]
    words += ["--objectives", "p99,max", "--json", "--out", str(tmp_path)]
    assert main(words) == 0
    (best,) = json.loads(capsys.readouterr().out)["front"]
    assert best["choices"]["residency"] == "lru"
    assert best["p99"] < 0.9 * best["max"]  # the first input finds nothing on chip
    assert main([*words, "--constraint", f"p99 < {best['p99'] - 1} ps"]) == 0
    assert json.loads(capsys.readouterr().out)["front"] == []


def test_what_goes_with_no_region_is_a_row_with_its_reason(program_path, tmp_path):
    vary = ["--vary", "residency.region_kib=8,64", "--vary", "policy=on_demand,tied"]
    rows = sweep(tmp_path, str(program_path), *vary, "--vary", "residency=lru", "--no-figures")
    reasons = {(row["residency.region_kib"], row["policy"]): row["reason"] for row in rows}
    assert reasons["8", "on_demand"] == ""
    assert "keep weights with another policy" in reasons["8", "tied"]
    assert reasons["64", "on_demand"] == (
        "residency.region_kib 64: the scratchpad has 64 KiB, and plans need some"
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--vary", "residency=lry"], "did you mean 'lru'?"),
        (["--vary", "residency=lru", "--vary", "residency.region_kib=0"], "whole KiB from 1, or"),
        (["--vary", "residency=lru", "--vary", "residency.scope=arms"], "one of all, branches"),
        (["--vary", "residency.region_kib=8"], "needs an axis residency"),
        (["--vary", "residency=lru", "--vary", "placement=stream,fill"], "leave placement out"),
        (["--vary", "residency=lru", "--placement", "fill"], "leave placement out"),
        (["--vary", "residency=lru", "--bounds"], "--bounds: residency"),
        (["--vary", "residency=lru", "--inferences", "30000"], "takes at most 20000"),
        (["--vary", "residency=lru", "--stream", "shuffled"], "needs real inputs"),
        (["--vary", "residency=lru", "--stream", "class_bursts"], "needs real inputs"),
        (["--vary", "residency=lru", "--persistence", "0.5"], "only of --stream markov"),
        (["--vary", "policy=on_demand", "--stream", "markov"], "add --vary residency"),
    ],
)
def test_refused(program_path, tmp_path, capsys, words, expected):
    command = ["sweep", *SMALL, "--workload", str(program_path), "--out", str(tmp_path / "out")]
    assert main([*command, *words]) == 2
    said = capsys.readouterr().err
    assert expected in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()
