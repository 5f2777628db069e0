"""The command: what it prints and writes, against `run` and against itself."""

import json
from pathlib import Path

import pytest

from simulator.__main__ import main
from simulator.program_file import workload_to_json
from tests.networks import Net, program, tensor, workload
from tests.study.conftest import small_tree

BATCHED = ("--arrivals", "poisson:5", "--deadline", "1s", "--scheduling", "leaf_batched")


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("programs") / "tree.json"
    path.write_text(workload_to_json(small_tree()))
    return str(path)


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> str:
    image = tensor("image", 1, 8, 8, 8)
    net = Net("net")
    net.linear(net.average(net.conv(image, 16)), 10)
    found = workload(program(net, inputs=(image,))).model_copy(update={"name": "other"})
    path = tmp_path_factory.mktemp("programs") / "other.json"
    path.write_text(workload_to_json(found))
    return str(path)


def words(tree: str, *more: str) -> list[str]:
    return ["serve", "--spec", "edge_npu", "--workload", tree, "--inferences", "2000", *more]


def summary(capsys, *command: str):
    assert main([*command, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def fails(capsys, command: list[str], *expected: str) -> None:
    assert main(command) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1, printed.err
    for text in expected:
        assert text in printed.err


def test_a_single_request_takes_what_run_says(capsys, tree):
    run = summary(capsys, "run", "--spec", "edge_npu", "--workload", tree, "--inferences", "1")
    found = summary(capsys, *words(tree)[:-1], "1", "--arrivals", "poisson:10")
    response = found["all"]["response_s"]
    assert [response[name] for name in ("p50", "p99.9", "max")] == [run["latency_s"]["max"]] * 3
    assert found["energy_per_request_j"] == pytest.approx(run["energy_j"]["total"], rel=1e-12)
    assert found["waiting_max"] == 0
    assert found["offered_load_fraction"] is None


def test_requests_far_apart_take_what_run_says_and_draw_static_energy_between(capsys, tree):
    run = summary(capsys, "run", "--spec", "edge_npu", "--workload", tree, "--inferences", "2000")
    found = summary(capsys, *words(tree, "--arrivals", "periodic:100"))
    for name in ("mean", "p50", "p99", "max"):
        assert found["all"]["response_s"][name] == pytest.approx(run["latency_s"][name], rel=1e-12)
    assert found["all"]["queueing_s"]["max"] == 0
    # 58.2 mW of static power (0.02 + 0.00101, DRAM 0.036 and 0.0012 of refresh) in the rest
    # of each 10 ms.
    idle_s = 0.01 - run["latency_s"]["mean"]
    idle_j = found["energy_per_request_j"] - found["inference_energy_j"]
    assert idle_j == pytest.approx(0.05821 * idle_s, rel=0.002)


@pytest.mark.parametrize("predictor", ["prior", "last_route", "markov"])
def test_a_speculating_policy_serves_as_run_does(capsys, tree, predictor):
    policy = ("--policy", "most_probable", "--predictor", predictor)
    run = summary(
        capsys, "run", "--spec", "edge_npu", "--workload", tree, "--inferences", "2000", *policy
    )
    found = summary(capsys, *words(tree, "--arrivals", "periodic:100", *policy))
    for name in ("mean", "p50", "p99", "max"):
        assert found["all"]["service_s"][name] == pytest.approx(run["latency_s"][name], rel=1e-12)
    assert found["inference_energy_j"] == pytest.approx(run["energy_j"]["total"], rel=1e-9)


def test_saturation_is_said_and_no_interval_given(capsys, tree):
    run = summary(capsys, "run", "--spec", "edge_npu", "--workload", tree, "--inferences", "2000")
    rate = round(1.5 / run["latency_s"]["mean"])
    command = words(tree, "--arrivals", f"periodic:{rate}")
    found = summary(capsys, *command)
    assert found["saturated"]
    assert found["offered_load_fraction"] == pytest.approx(1.5, rel=0.01)
    # The last waits for half a service for each of the 2,000 before it, less what it took itself.
    assert found["left_at_last_arrival"] == pytest.approx(2000 / 3, abs=2)
    assert found["all"]["response_s"]["intervals"] is None
    assert main(command) == 0
    assert "SATURATED" in capsys.readouterr().out


def test_leaf_batching_counts_what_fifo_would_have_met(capsys, tree):
    options = ("--arrivals", "poisson:20000", "--deadline", "1ms", "--scheduling", "leaf_batched")
    found = summary(capsys, *words(tree, *options, "--leaf-accuracy", "0.9"))
    fifo = summary(capsys, *words(tree, *options[:4]))
    against = found["against_fifo"]
    assert against["fifo_missed"] == fifo["all"]["missed"]
    assert found["all"]["missed"] == (
        against["fifo_missed"] - against["newly_met"] + against["newly_missed"]
    )
    # Without residency an order changes who waits, not how long the NPU works.
    assert found["utilisation_fraction"] == pytest.approx(fifo["utilisation_fraction"])
    assert main(words(tree, *options)) == 0
    assert "oracle: an upper bound" in capsys.readouterr().out


def test_several_networks_share_the_npu(capsys, tree, other):
    both = f"{tree},{other}"
    found = summary(capsys, *words(both, "--arrivals", "poisson:100,periodic:300"))
    groups = {group["group"]: group for group in found["groups"]}
    assert set(groups) == {"test", "other", "test leaf 0", "test leaf 1"}
    assert groups["other"]["requests"] == pytest.approx(1500, abs=60)
    assert groups["test"]["requests"] + groups["other"]["requests"] == 2000
    assert found["network_switches"] > 500


def test_pinned_weights_that_another_network_overwrote_are_fetched_again(capsys, tree, other):
    both = f"{tree},{other}"
    arrivals = ("--arrivals", "periodic:100,periodic:100")
    plain = summary(capsys, *words(both, *arrivals))
    pinned = summary(capsys, *words(both, *arrivals, "--placement", "fill"))
    # They alternate: all pinned weights are read each time, so pinning saves no traffic.
    assert pinned["network_switches"] == 1999
    assert pinned["weight_read_bytes"] >= plain["weight_read_bytes"] * 0.99
    alone = summary(capsys, *words(tree, "--arrivals", "periodic:100", "--placement", "fill"))
    assert alone["weight_read_bytes"] < 0.01 * plain["weight_read_bytes"]


def test_traced_arrivals_of_two_networks(capsys, tree, other, tmp_path):
    trace = tmp_path / "trace.csv"
    trace.write_text("arrival_ms,workload\n0,test\n0,other\n5,other\n")
    command = words(f"{tree},{other}")[:-2]
    found = summary(capsys, *command, "--arrivals", f"trace:{trace}")
    assert found["requests"] == 3
    trace.write_text("arrival_ms,workload\n0,test\n0,nobody\n")
    fails(capsys, [*command, "--arrivals", f"trace:{trace}"], "trace.csv", "nobody")


def test_the_sustained_rate_meets_its_target_and_the_next_does_not(capsys, tree):
    limit = "p99 < 60us"
    (found,) = summary(capsys, *words(tree, "--sustain", limit, "--load", "0.2,0.5"))
    capacity = found["capacity"]
    met, missed = capacity["met"], capacity["missed"]
    assert met["value"] <= 60e-6 < missed["value"]
    assert missed["load_fraction"] - met["load_fraction"] <= 0.0011
    assert capacity["monotone"]
    at_met = summary(capsys, *words(tree, "--arrivals", f"poisson:{met['rate_hz']:.6f}"))
    assert at_met["all"]["response_s"]["p99"] == pytest.approx(met["value"], rel=2e-3)
    low, high = found["points"]
    assert low["all"]["response_s"]["mean"] < high["all"]["response_s"]["mean"]
    (none,) = summary(capsys, *words(tree, "--sustain", "mean < 5us"))
    assert none["capacity"]["met"] is None


def test_files_are_the_same_each_time_and_say_where_they_come_from(capsys, tree, other, tmp_path):
    for out in ("a", "b"):
        folder = tmp_path / out
        command = words(tree, "--arrivals", "poisson:3000", "--deadline", "1ms")
        assert main([*command, "--out", str(folder / "run")]) == 0
        command = words(f"{tree},{other}", "--load", "0.3,0.6,1.2", "--each")
        command[command.index("2000")] = "400"
        assert main([*command, "--out", str(folder / "load"), "--sustain", "p90<60us"]) == 0
    for name in ("run/serve.json", "run/response.png", "load/serve.json", "load/load.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    data = json.loads(Path(tmp_path, "a/run/serve.json").read_text())
    assert data["schema"] == "simulator.serving"
    assert data["provenance"]["settings"]["arrivals"] == "poisson:3000"
    assert data["provenance"]["spec"]["name"] == "edge_npu"
    assert len(data["provenance"]["workloads"]["test"]["sha256"]) == 64
    shares = data["distributions"]["all"]["share"]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    capsys.readouterr()


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--arrivals", "poisson"], ["--arrivals", "no rate"]),
        (["--arrivals", "poisson:5,poisson:6"], ["--arrivals", "one for all"]),
        (["--arrivals", "poisson:5", "--deadline", "5"], ["--deadline", "5ms"]),
        (["--arrivals", "poisson:5", "--deadline", "0ms"], ["--deadline", "0ms"]),
        (["--arrivals", "poisson:5", "--scheduling", "edf"], ["edf", "--deadline"]),
        (["--arrivals", "poisson:5", "--leaf-accuracy", "0.5"], ["leaf_batched"]),
        (["--arrivals", "poisson:5", "--shares", "1,2"], ["--shares", "1 positive"]),
        (["--arrivals", "poisson:5", "--skip", "2000"], ["--skip", "2000"]),
        (["--arrivals", "poisson:5", "--each"], ["--each", "--load"]),
        (["--arrivals", "trace:no.csv"], ["no.csv", "cannot be read"]),
        (["--arrivals", "trace:no.csv", "--load", "0.5"], ["trace:no.csv", "own rate"]),
        (
            [*BATCHED, "--policy", "top_p", "--predictor", "markov"],
            ["--predictor markov", "leaf_batched"],
        ),
        (["--load", "0.9:0.1:0.1"], ["--load", "LOW:HIGH:STEP"]),
        (["--sustain", "p98 < 5ms"], ["--sustain", "p98", "p99"]),
        (["--sustain", "p99 < 5"], ["--sustain"]),
        (["--sustain", "missed < 1%"], ["--sustain", "--deadline"]),
    ],
)
def test_bad_options_are_refused_in_one_line(capsys, tree, more, expected):
    fails(capsys, words(tree, *more), *expected)
