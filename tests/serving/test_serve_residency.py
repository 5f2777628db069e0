"""Queues in front of devices that keep weights: against `stream`, and what sharing does."""

import json

import pytest

from simulator.__main__ import main
from simulator.program_file import workload_to_json
from tests.study.conftest import small_tree

REGION = ("--residency", "lru", "--region", "64KiB")


@pytest.fixture(scope="module")
def trees(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("programs")
    found = []
    for name in ("first", "second"):
        path = folder / f"{name}.json"
        path.write_text(workload_to_json(small_tree().model_copy(update={"name": name})))
        found.append(str(path))
    return found


def summary(capsys, *words: str):
    assert main([*words, "--spec", "edge_npu", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def serve(capsys, workload: str, *more: str, count: int = 600):
    return summary(capsys, "serve", "--workload", workload, "--inferences", str(count), *more)


@pytest.mark.parametrize("residency", ["lru", "pinned_backbone"])
@pytest.mark.parametrize("policy", ["on_demand", "most_probable"])
def test_services_are_those_of_the_stream_command(capsys, trees, residency, policy):
    """Markov inputs at leisure: the same device, driven by another command."""
    options = ("--policy", policy, "--residency", residency)
    options += ("--predictor", "markov") if policy != "on_demand" else ()
    options += ("--region", "20KiB", "--stream", "markov", "--persistence", "0.8", "--seed", "3")
    command = ("stream", "--workload", trees[0], "--inferences", "600", *options)
    (expected,) = summary(capsys, *command)["residency"]
    found = serve(capsys, trees[0], *options, "--arrivals", "periodic:50")
    assert found["all"]["service_s"]["mean"] == pytest.approx(expected["latency_s"]["mean"])
    assert found["inference_energy_j"] == pytest.approx(expected["energy_j"])
    assert found["weight_read_bytes"] == pytest.approx(expected["weight_read_bytes"])
    assert found["hit_bytes"] > 0


def test_networks_that_take_turns_lose_their_weights_and_those_with_a_part_do_not(capsys, trees):
    both = ",".join(trees)
    arrivals = ("--arrivals", "periodic:100,periodic:100")
    turns = serve(capsys, both, *arrivals, *REGION)
    parted = serve(capsys, both, *arrivals, *REGION, "--sharing", "partition")
    nothing = serve(capsys, both, *arrivals)
    assert turns["network_switches"] == parted["network_switches"] == 599
    assert turns["hit_bytes"] == 0
    assert turns["weight_read_bytes"] == pytest.approx(nothing["weight_read_bytes"])
    assert parted["region_bytes"] == [32 * 1024, 32 * 1024]
    assert parted["hit_bytes"] > 0.98 * nothing["weight_read_bytes"]
    names = [group["group"] for group in parted["groups"]]
    assert names[-2:] == ["warm", "cold"]
    # Only the first of each network finds nothing.
    assert parted["groups"][-1]["requests"] == 2


def test_batching_finds_more_weights_on_chip(capsys, trees):
    options = (*REGION[:3], "20KiB", "--scope", "branches", "--arrivals", "poisson:260000")
    options += ("--deadline", "1ms")
    fifo = serve(capsys, trees[0], *options)
    batched = serve(capsys, trees[0], *options, "--scheduling", "leaf_batched")
    assert batched["overtakings"] > 0
    assert batched["hit_bytes"] > 1.1 * fifo["hit_bytes"]
    assert batched["all"]["service_s"]["mean"] < fifo["all"]["service_s"]["mean"]
    assert batched["against_fifo"]["fifo_missed"] == fifo["all"]["missed"]


def test_several_orders_stand_side_by_side(capsys, trees):
    options = (*REGION[:3], "20KiB", "--scope", "branches", "--deadline", "1ms")
    words = ("--scheduling", "fifo,leaf_batched", "--load", "0.5,0.9")
    found = serve(capsys, trees[0], *options, *words, count=300)
    assert [system["system"] for system in found] == ["first, fifo", "first, leaf_batched"]
    assert found[0]["saturation_hz"] == found[1]["saturation_hz"]
    slow, fast = (system["points"][1]["all"]["response_s"]["mean"] for system in found)
    assert fast < slow


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--sharing", "partition"], ["--sharing partition", "--residency"]),
        ([*REGION, "--placement", "fill"], ["--placement fill", "--residency"]),
        (["--scheduling", "lifo"], ["--scheduling", "lifo", "fifo"]),
        (["--scheduling", "fifo,edf", "--deadline", "5ms"], ["--scheduling", "--load"]),
        (["--stream", "data_set"], ["--stream data_set", "real inputs"]),
        ([*REGION[:3], "8MiB"], ["--region 8MiB"]),
    ],
)
def test_bad_options_are_refused_in_one_line(capsys, trees, more, expected):
    words = ["serve", "--spec", "edge_npu", "--workload", trees[0], "--arrivals", "poisson:5"]
    assert main([*words, *more]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1, printed.err
    for text in expected:
        assert text in printed.err
