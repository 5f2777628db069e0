"""The loop: what a step does, that runs repeat, and what stops one."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from workloads.data.dataset import Dataset, TensorSource
from workloads.data.registry import load_dataset
from workloads.training.batches import epoch_batches
from workloads.training.compute import Compute, Precision
from workloads.training.errors import TrainingError
from workloads.training.evaluate import evaluate
from workloads.training.history import times_path
from workloads.training.loop import CheckpointPolicy, TrainingPlan, train
from workloads.training.losses import CrossEntropy
from workloads.training.recipe import Phase

Nets = Callable[..., nn.Module]
Plans = Callable[..., TrainingPlan]


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in model.state_dict().items()}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(first[key], second[key]) for key in first)


def test_one_step_by_hand(make_plan: Plans) -> None:
    # loss = w * x with w = 1, x = 3: gradient 3, plus decay 0.1 * 1. Nesterov momentum at the
    # first step moves by (1 + 0.9) times that: w = 1 - 0.01 * 1.9 * 3.1 = 0.9411.
    inputs, targets = torch.full((2, 1), 3.0), torch.zeros(2, dtype=torch.int64)
    source = TensorSource(inputs, targets, lambda values: values)
    dataset = Dataset("one", source, source, ("a",), (1,), "by hand")
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)

    def product(net: nn.Module, x: Tensor, _: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        value = net(x).mean()
        return value, {"twice": 2 * value}

    plan = make_plan(lr=0.01, weight_decay=0.1, batch_size=2, dense_epochs=1)
    plan = replace(plan, measure=lambda *_: {"seen": 1.0})
    (record,) = train(model, dataset, product, plan)
    assert model.weight.item() == pytest.approx(0.9411)
    assert record.loss == pytest.approx(3)
    assert record.scalars == {"twice": pytest.approx(6)}
    assert record.metrics == {"seen": 1.0}
    assert record.learning_rate == 0.01


def test_it_learns_and_records_every_epoch(
    make_net: Nets, make_plan: Plans, loss: CrossEntropy
) -> None:
    model, digits = make_net(n_classes=10), load_dataset("digits")
    history = train(model, digits, loss, make_plan(dense_epochs=4, batch_size=32))
    assert [record.epoch for record in history] == [1, 2, 3, 4]
    assert history[-1].loss < history[0].loss - 0.2
    # Chance is 0.1; the records are of the model as it was after each epoch.
    assert history[-1].metrics["top1_fraction"] > 0.7
    assert history[-1].metrics["top1_fraction"] == evaluate(model, digits.test).top1_fraction
    assert 0.1 < history[0].scalars["train_top1_fraction"] <= 1


def test_label_smoothing_by_hand() -> None:
    # Logits (0, 0) of two classes: log 2 whatever the smoothing. Logits (ln 3, 0) have
    # probabilities 3/4 and 1/4; with 0.2 the target is (0.9, 0.1):
    # -0.9 ln 0.75 - 0.1 ln 0.25 = 0.258914 + 0.138629.
    logits = torch.tensor([[3.0, 1.0]]).log()
    value, scalars = CrossEntropy(0.2)(nn.Identity(), logits, torch.tensor([0]))
    assert value.item() == pytest.approx(0.397543, abs=1e-6)
    assert scalars["train_top1_fraction"].item() == 1


def test_the_seed_and_nothing_else_decides(
    make_net: Nets, make_plan: Plans, tiny: Dataset, loss: CrossEntropy
) -> None:
    ends = []
    for seed, noise in ((1, 11), (1, 12), (2, 11)):
        model = make_net()
        torch.manual_seed(noise)
        history = train(model, tiny, loss, make_plan(seed))
        ends.append((weights(model), history))
    assert same(ends[0][0], ends[1][0])
    assert ends[0][1] == ends[1][1]
    assert not same(ends[0][0], ends[2][0])


def test_an_epoch_shows_each_example_at_most_once_in_a_new_order(tiny: Dataset) -> None:
    numbered = TensorSource(torch.arange(128.0), tiny.train.targets, lambda values: values)
    seen = [torch.cat([x for x, _ in epoch_batches(numbered, 30, 0, epoch)]) for epoch in (0, 1)]
    # 128 = 4 * 30 + 8: eight are left out, others in each epoch.
    assert all(len(order.unique()) == 120 for order in seen)
    assert set(seen[0].tolist()) != set(seen[1].tolist())


def test_an_epoch_begun_in_the_middle_goes_on_the_same(tiny: Dataset) -> None:
    whole = list(epoch_batches(tiny.train, 16, 3, 5))
    rest = list(epoch_batches(tiny.train, 16, 3, 5, first_step=6))
    assert len(whole) == 8
    for (inputs, targets), (expected, labels) in zip(rest, whole[6:], strict=True):
        assert torch.equal(inputs, expected)
        assert torch.equal(targets, labels)


def test_measuring_can_be_rarer_but_the_last_epoch_is_measured(
    make_net: Nets, make_plan: Plans, tiny: Dataset, loss: CrossEntropy
) -> None:
    plan = replace(make_plan(dense_epochs=5), measure_every_epochs=2)
    history = train(make_net(), tiny, loss, plan)
    assert [bool(record.metrics) for record in history] == [False, True, False, True, True]


def test_lower_precision_keeps_weights_in_32_bits(
    make_net: Nets, make_plan: Plans, tiny: Dataset
) -> None:
    seen = set()

    def noting(net: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        logits = net(x)
        seen.add(logits.dtype)
        return nn.functional.cross_entropy(logits, y), {}

    model = make_net()
    plan = replace(make_plan(), compute=Compute(torch.device("cpu"), Precision.BF16))
    train(model, tiny, noting, plan)
    assert seen == {torch.bfloat16}
    assert {p.dtype for p in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_diverging_loss_stops_before_it_harms(
    value: float,
    make_net: Nets,
    make_plan: Plans,
    tiny: Dataset,
    loss: CrossEntropy,
    tmp_path: Path,
) -> None:
    model, steps, last_good = make_net(), [], {}

    def breaking(net: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        steps.append(1)
        result, scalars = loss(net, x, y)
        if len(steps) == 13:
            last_good.update({k: p.clone() for k, p in net.named_parameters()})
            return result * value, scalars
        return result, scalars

    path = tmp_path / "c.pt"
    # Eight steps an epoch: the thirteenth is the fifth of the second.
    message = r"diverged in epoch 2, step 5: the loss is (nan|inf); try a lower learning rate"
    with pytest.raises(TrainingError, match=message):
        train(model, tiny, breaking, make_plan(), CheckpointPolicy(path))
    assert same(last_good, dict(model.named_parameters()))
    # What is on disk is the end of the first epoch, from which a run goes on.
    history = train(make_net(), tiny, loss, make_plan(), CheckpointPolicy(path, resume=True))
    assert len(history) == 3


def test_weights_that_are_not_finite_are_never_saved(
    make_net: Nets, make_plan: Plans, tiny: Dataset, loss: CrossEntropy, tmp_path: Path
) -> None:
    model = make_net()

    def spoil(net: nn.Module, *_: object) -> Mapping[str, float]:
        net[6].bias.data[0] = float("inf")
        return {}

    plan = replace(make_plan(), measure=spoil)
    with pytest.raises(TrainingError, match=r"6.bias is not finite"):
        train(model, tiny, loss, plan, CheckpointPolicy(tmp_path / "c.pt"))
    assert not list(tmp_path.iterdir())


def test_a_set_smaller_than_a_batch_is_explained(
    make_net: Nets, make_plan: Plans, tiny: Dataset, loss: CrossEntropy
) -> None:
    with pytest.raises(TrainingError, match="128 training examples, fewer than one batch of 256"):
        train(make_net(), tiny, loss, make_plan(batch_size=256))


def test_times_are_kept_apart_from_the_checkpoint(
    make_net: Nets, make_plan: Plans, tiny: Dataset, loss: CrossEntropy, tmp_path: Path
) -> None:
    paths = [tmp_path / name for name in ("first.pt", "second.pt")]
    for path in paths:
        train(make_net(), tiny, loss, make_plan(), CheckpointPolicy(path))
    assert paths[0].read_bytes() == paths[1].read_bytes()
    entries = json.loads(times_path(paths[0]).read_text())["epochs"]
    assert [(entry["epoch"], entry["n_examples"]) for entry in entries] == [
        (1, 128),
        (2, 128),
        (3, 128),
    ]
    assert all(entry["duration_s"] > 0 for entry in entries)


class Recorder:
    """A progress that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple] = []

    def begin(self, *arguments: object) -> None:
        self.told.append(("begin", *arguments))

    def update(self, loss: float, n_examples: int) -> None:
        self.told.append(("update", n_examples))

    def close(self) -> None:
        self.told.append(("close",))


def test_progress_is_told_of_every_step_and_of_the_end(
    make_net: Nets, make_plan: Plans, tiny: Dataset, loss: CrossEntropy
) -> None:
    recorder = Recorder()
    train(make_net(), tiny, loss, make_plan(), progress=recorder)
    assert recorder.told[0] == ("begin", "tiny dense", 3, 8, 0)
    assert recorder.told[1:-1] == [("update", 16)] * 24
    assert recorder.told[-1] == ("close",)
    assert make_plan().phase is Phase.DENSE
