import io
import sys
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import nn

from simulator.__main__ import main
from simulator.outcomes_file import most_probable, outcomes_from_file
from simulator.probes_file import probes_from_file
from workloads.models.resnet import BasicBlock
from workloads.probing.calibration import expected_calibration_error, fit_temperature
from workloads.probing.features import blocks_of
from workloads.probing.probe import Examples, _fitted, train_probe

TREE = Path(__file__).resolve().parent.parent.parent / "examples" / "digits_tree"


def test_the_calibration_error_by_hand():
    probabilities = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.42, 0.58]])
    targets = torch.tensor([0, 1, 1, 1])
    # 15 bins: 0.9 twice in one, half right: 2 x 0.4; 0.6 and 0.58 in (8/15, 9/15], both right:
    # |0.4 + 0.42|. Over 4 inputs.
    expected = (0.8 + 0.82) / 4
    assert expected_calibration_error(probabilities, targets) == pytest.approx(expected, abs=1e-6)
    assert expected_calibration_error(torch.eye(2), torch.tensor([0, 1])) == 0


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_known_temperature_is_found(temperature):
    generator = torch.Generator().manual_seed(1)
    true = torch.randn(40_000, 3, generator=generator) * 2
    targets = torch.multinomial(true.softmax(1), 1, generator=generator)[:, 0]
    found = fit_temperature(true * temperature, targets)
    assert found == pytest.approx(temperature, rel=0.05)
    stated = (true * temperature / found).softmax(1)
    assert expected_calibration_error(stated, targets) < 0.01
    if temperature != 1.0:
        before = expected_calibration_error((true * temperature).softmax(1), targets)
        assert before > 0.05


def test_a_probe_learns_what_can_be_read_and_nothing_else():
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(1200, 6, generator=generator) * 5 + 40
    decisions = (features[:, 2] > features[:, 4]).long()
    noise = torch.randint(0, 2, (1200,), generator=generator)
    met = torch.rand(400, generator=generator) < 0.7
    for truth, low, high in ((decisions, 0.97, 1.0), (noise, 0.4, 0.6)):
        result = train_probe(
            Examples(features[:800], truth[:800]),
            Examples(features[800:], truth[800:]),
            met,
            (16, 2),
            seed=0,
        )
        assert low <= result.accuracy_fraction <= high
        said = result.probabilities.argmax(1) == truth[800:]
        assert result.accuracy_fraction == pytest.approx(float(said[met].double().mean()))
        assert result.params == 6 * 16 + 16 + 2 * 16 + 16 * 2 + 2


def test_the_probe_reads_features_as_they_are():
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(300, 4, generator=generator) * torch.tensor([1e-2, 1.0, 30.0, 5.0]) + 7
    decisions = (features[:, 0] > 7).long()
    torch.manual_seed(0)
    probe = _fitted(features, decisions, (8, 2))
    with torch.no_grad():
        assert (probe(features).argmax(1) == decisions).double().mean() > 0.97


def test_norms_and_activations_belong_to_the_block_they_follow():
    stage = nn.Sequential(BasicBlock(4, 4, 4, 1), BasicBlock(4, 4, 4, 1))
    parts = OrderedDict(
        conv1=nn.Conv2d(3, 4, 1), bn1=nn.BatchNorm2d(4), relu=nn.ReLU(), layer1=stage
    )
    trunk = nn.Sequential(parts).eval()
    blocks = blocks_of(trunk, "trunk")
    assert [block.name for block in blocks] == ["trunk.conv1", "trunk.layer1.0", "trunk.layer1.1"]
    assert len(blocks[0].modules) == 3
    state = x = torch.randn(2, 3, 5, 5)
    for block in blocks:
        state = block(state)
    assert torch.equal(state, trunk(x))
    assert [block.name for block in blocks_of(BasicBlock(4, 4, 4, 1), "level1.0")] == ["level1.0"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_command_measures_what_its_file_says(tmp_path, capsys, monkeypatch):
    command = ["probe", "--tree", str(TREE), "--out", str(tmp_path), "--per-input"]
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert main(command) == 0
    # 1,438 and 359 inputs in batches of 256, then a probe for each of four blocks.
    assert "probe: 1 of 8, running the tree" in terminal.getvalue()
    assert "probe: 4 of 4, branch2.1; " in terminal.getvalue()
    assert "branch2.1" in capsys.readouterr().out
    probes = probes_from_file(tmp_path / "probes.json")
    outcomes = outcomes_from_file(TREE / "outcomes.json")
    names = [place.name for place in outcomes.branches]
    assert [branch.branch for branch in probes.branches] == names
    for at, branch in enumerate(probes.branches):
        prefix = outcomes.branches[at].prefix
        met = [
            n
            for n, entry in enumerate(outcomes.inputs)
            if outcomes.leaves[entry.leaf][: len(prefix)] == prefix
        ]
        assert branch.inputs == pytest.approx(len(met), abs=2)
        for probe in branch.probes:
            right = sum(
                most_probable("", probe.probabilities[n])
                == most_probable("", outcomes.inputs[n].probabilities[at])
                for n in met
            )
            # The committed outcomes were computed elsewhere: near ties may fall otherwise.
            assert probe.accuracy_fraction == pytest.approx(right / len(met), abs=3 / len(met))
        assert branch.probes[0].accuracy_fraction > 0.95  # it reads what the router reads
        assert branch.probes[0].accuracy_fraction > branch.commonest_fraction
    earliest = probes.branches[0].probes[-1]
    assert earliest.after == "trunk.conv1"
    assert earliest.accuracy_fraction < probes.branches[0].probes[0].accuracy_fraction


def test_a_folder_without_a_build_is_named(tmp_path, capsys):
    assert main(["probe", "--tree", str(tmp_path), "--out", str(tmp_path / "o")]) == 2
    assert str(tmp_path / "request.json") in capsys.readouterr().err
