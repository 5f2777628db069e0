"""State dicts from elsewhere: what is accepted, and one line on what does not fit."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from workloads.training.errors import TrainingError
from workloads.training.pretrained import load_pretrained

Nets = Callable[..., nn.Module]


def plain(state: dict) -> dict:
    return state


@pytest.mark.parametrize(
    "wrap",
    [
        plain,
        lambda state: {"state_dict": state, "epoch": 90},
        lambda state: {"model": state},
        lambda state: {f"module.{key}": value for key, value in state.items()},
        lambda state: {"state_dict": {f"module.{k}": v for k, v in state.items()}},
        lambda state: {k: v for k, v in state.items() if "num_batches" not in k},
    ],
)
def test_the_usual_forms_are_loaded(wrap: Callable, make_net: Nets, tmp_path: Path) -> None:
    theirs, ours = make_net(seed=1), make_net(seed=2)
    torch.save(wrap(theirs.state_dict()), tmp_path / "net.pth")
    load_pretrained(ours, tmp_path / "net.pth")
    for key, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[key], value), key


def problem(make_net: Nets, tmp_path: Path, state: object) -> str:
    """The message for that file; the network must keep its weights."""
    torch.save(state, tmp_path / "net.pth")
    model = make_net()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(TrainingError) as caught:
        load_pretrained(model, tmp_path / "net.pth")
    for key, value in model.state_dict().items():
        assert torch.equal(before[key], value), key
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'net.pth'}: ")
    assert "\n" not in message
    return message


def test_another_number_of_classes_is_said_so(make_net: Nets, tmp_path: Path) -> None:
    message = problem(make_net, tmp_path, make_net(n_classes=10).state_dict())
    assert "its classifier '6' has 10 classes, this network has 4" in message


def test_missing_unexpected_and_misshaped_keys_are_named(make_net: Nets, tmp_path: Path) -> None:
    state = make_net().state_dict()
    del state["6.weight"]
    state["extra"] = torch.zeros(1)
    state["0.weight"] = torch.zeros(8, 1, 3, 3)
    message = problem(make_net, tmp_path, state)
    assert "1 missing (6.weight); 1 unexpected (extra); 1 of another shape" in message
    assert "(0.weight is (8, 1, 3, 3), should be (8, 3, 3, 3))" in message


def test_many_keys_are_counted(make_net: Nets, tmp_path: Path) -> None:
    message = problem(make_net, tmp_path, {"x": torch.zeros(1)})
    assert "7 missing (0.weight, 1.weight, 1.bias, and 4 more)" in message


def test_a_network_instead_of_its_weights_is_refused(make_net: Nets, tmp_path: Path) -> None:
    assert "is damaged or not a checkpoint of tensors" in problem(make_net, tmp_path, make_net())
    state = {"fc": {"weight": torch.zeros(1)}}
    assert "'fc' is a dict; save model.state_dict()" in problem(make_net, tmp_path, state)
    assert "it is empty" in problem(make_net, tmp_path, {})
