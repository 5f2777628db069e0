"""Accuracy against hand-counted hits; precision and device choices."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from workloads.data.dataset import Dataset, TensorSource
from workloads.training.compute import Compute, Precision, choose_compute, repeatable
from workloads.training.errors import TrainingError
from workloads.training.evaluate import evaluate, evaluating


def as_is(values: Tensor) -> Tensor:
    return values


def source(logits: list[list[float]], targets: list[int]) -> TensorSource:
    """A source whose inputs are already logits, for the identity network."""
    return TensorSource(torch.tensor(logits), torch.tensor(targets), as_is)


def test_top1_and_top5_by_hand() -> None:
    # Class c has logit -|c - guess|: the five best are the guess and its neighbours.
    ten = [[-abs(c - guess) - 0.01 * c for c in range(10)] for guess in (5, 5, 5, 0)]
    # Hits: first guess; among 3 to 7; not among them; among 0 to 4.
    accuracy = evaluate(nn.Identity(), source(ten, [5, 7, 9, 4]), batch_size=3)
    assert (accuracy.top1_fraction, accuracy.top5_fraction) == (1 / 4, 3 / 4)
    assert accuracy.n_examples == 4


def test_with_few_classes_top5_counts_all() -> None:
    accuracy = evaluate(nn.Identity(), source([[1.0, 0.0]], [1]))
    assert (accuracy.top1_fraction, accuracy.top5_fraction) == (0, 1)


def test_a_prediction_of_ones_own_is_used() -> None:
    accuracy = evaluate(
        nn.Identity(), source([[1.0, 0.0]], [1]), predict=lambda model, x: -model(x)
    )
    assert accuracy.top1_fraction == 1


def test_evaluation_leaves_the_network_as_it_was(
    make_net: Callable[..., nn.Module], tiny: Dataset
) -> None:
    model = make_net().train()
    model[1].eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    first, second = (evaluate(model, tiny.test, batch_size=size) for size in (7, 64))
    # Dropout is off and batch norm does not depend on the batch.
    assert first == second
    assert [model[0].training, model[1].training] == [True, False]
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    with evaluating(model):
        assert not any(module.training for module in model.modules())
    assert model[5].training


def test_unusable_outputs_are_explained() -> None:
    with pytest.raises(TrainingError, match="output for example 1 is not finite"):
        evaluate(nn.Identity(), source([[0.0, 1.0], [float("nan"), 0.0]], [0, 0]))
    with pytest.raises(TrainingError, match=r"shape \(1, 2\), the data has class 2"):
        evaluate(nn.Identity(), source([[0.0, 1.0]], [2]))


def test_the_cpu_is_chosen_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_compute() == Compute(torch.device("cpu"), Precision.FP32)
    assert choose_compute("cpu", "bf16").precision is Precision.BF16
    for arguments, message in (
        (("cuda",), "'cuda' is not available: torch finds no GPU"),
        (("tpu-9",), "'tpu-9' is unknown"),
        (("meta",), "'meta' is not supported"),
        (("cpu", "fp16"), "trains on a GPU only"),
        (("cpu", "fp8"), "'fp8' is none of auto, fp32, bf16, fp16"),
    ):
        with pytest.raises(TrainingError, match=message):
            choose_compute(*arguments)


def test_a_gpu_gets_mixed_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert choose_compute() == Compute(torch.device("cuda"), Precision.BF16)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    assert choose_compute("cuda:1") == Compute(torch.device("cuda:1"), Precision.FP16)


def test_a_repeatable_run_leaves_the_callers_random_state_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with repeatable(Compute(), 1):
        inner = torch.rand(3)
    assert torch.equal(torch.rand(3), expected)
    with repeatable(Compute(), 1):
        assert torch.equal(torch.rand(3), inner)
