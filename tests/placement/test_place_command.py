import json
from pathlib import Path

import pytest

from simulator.__main__ import main
from simulator.program_file import workload_to_json

TREE = Path(__file__).resolve().parent.parent.parent / "examples" / "digits_tree"
SMALL = ("--set", "scratchpad.capacity_kib=16")


def place(*options: str) -> int:
    return main(["place", "--spec", "edge_npu", "--workload", str(TREE), *options])


@pytest.fixture(scope="module")
def placed(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("placed")
    accuracy = ("--accuracy", str(TREE / "accuracies.json"), "--accuracy-budget", "0,1%")
    assert place(*SMALL, *accuracy, "--widths", "8,4", "--out", str(out)) == 0
    return out


def test_every_row_keeps_within_its_budget(placed):
    data = json.loads((placed / "placements.json").read_text())
    trained = data["accuracy_as_trained_fraction"]
    chosen = [row for row in data["rows"] if row["accuracy_budget_fraction"] is not None]
    assert [row["name"] for row in chosen] == ["exact", "greedy"] * 2
    for row in chosen:
        assert (
            trained - row["predicted_accuracy_fraction"] <= row["accuracy_budget_fraction"] + 1e-8
        )
        assert row["kept_bytes"] + row["working_bytes"] <= data["scratchpad_bytes"]
        assert row["latency_s"] <= row["predicted_latency_s"] * (1 + 1e-9)
        assert {node["bits"] for node in row["nodes"].values()} <= {8, 4}
    for exact, greedy in zip(chosen[::2], chosen[1::2], strict=True):
        assert exact["latency_s"] <= greedy["latency_s"]
    assert chosen[2]["latency_s"] <= chosen[0]["latency_s"] < data["rows"][0]["latency_s"]


def test_the_figure_is_drawn(placed):
    assert (placed / "placements.png").read_bytes().startswith(b"\x89PNG")


def test_a_placement_file_names_every_segment(placed):
    data = json.loads((placed / "placement_1pct.json").read_text())
    assert data["schema"] == "simulator.placement"
    assert len(data["nodes"]) == 14
    assert data["nodes"]["trunk"]["tier"] in ("pinned", "dram")


def test_one_width_needs_no_accuracies(capsys):
    assert place(*SMALL, "--widths", "8", "--json") == 0
    data = json.loads(capsys.readouterr().out)
    streamed, in_order, exact, greedy = data["rows"]
    assert exact["measured_accuracy_fraction"] is None
    assert exact["latency_s"] <= min(streamed["latency_s"], in_order["latency_s"])
    assert exact["latency_s"] <= greedy["latency_s"]


def test_the_table_says_what_it_is_worth(capsys):
    accuracy = ("--accuracy", str(TREE / "accuracies.json"), "--widths", "8,4")
    assert place(*SMALL, *accuracy, "--inferences", "20") == 0
    out = capsys.readouterr().out
    assert "predicted latency is within" in out
    assert "level2.3" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            (),
            "--accuracy: needed to trade bits for accuracy: nothing is known of sigmab_resnet_tiny",
        ),
        (("--widths", "8,5"), "--widths 8,5: must be different ones of"),
        (("--widths", "8,8"), "--widths 8,8: must be different ones of"),
        (("--tiers", "sram"), "--tiers sram: must be"),
        (("--widths", "8", "--persistence", "1"), "--persistence 1.0: must be"),
        (("--accuracy-budget", "x%"), "--accuracy-budget x%: x%: must be a share"),
        (("--accuracy-budget=-1%",), "must be a share"),
        (("--widths", "8", "--set", "scratchpad.capacity_kib=1"), "does not fit"),
    ],
)
def test_bad_options_end_in_one_line(capsys, options, message):
    assert place(*options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.splitlines()[-1].startswith("error: ")


def test_accuracies_of_another_tree_are_refused(tmp_path, small_tree, capsys):
    program = tmp_path / "small.json"
    program.write_text(workload_to_json(small_tree))
    command = ["place", "--spec", "edge_npu", "--workload", str(program)]
    assert main([*command, "--accuracy", str(TREE / "accuracies.json")]) == 2
    assert "no accuracy of test with" in capsys.readouterr().err
