"""A run that was cut, anywhere and in any way, ends in the same bytes as one that was not."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

from workloads.data.dataset import Dataset
from workloads.training.checkpoint import load_checkpoint, save_checkpoint
from workloads.training.errors import TrainingError
from workloads.training.loop import CheckpointPolicy, TrainingPlan, train
from workloads.training.losses import CrossEntropy
from workloads.training.recipe import OptimizerKind

Nets = Callable[..., nn.Module]
Plans = Callable[..., TrainingPlan]
ROOT = Path(__file__).resolve().parents[2]

CHILD = """
import sys, time
from pathlib import Path

sys.path.insert(0, {root!r})
sys.path.insert(0, {here!r})
from conftest import small_net, small_plan
from dataclasses import replace
from workloads.data.registry import load_dataset
from workloads.training.losses import CrossEntropy
from workloads.training.loop import CheckpointPolicy, train


class Slow:
    def begin(self, *_):
        pass

    def update(self, loss, n_examples):
        time.sleep(0.2)

    def close(self):
        pass


plan = replace(small_plan(), checkpoint_every_steps=3)
data = load_dataset("shapes", size="tiny")
train(small_net(), data, CrossEntropy(0.1), plan, CheckpointPolicy(Path({path!r})), Slow())
"""


class CutError(Exception):
    """What ends a run in these tests."""


class CutAfter:
    """A progress that ends the run after some steps, before the last one's checkpoint."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def begin(self, *_: object) -> None:
        pass

    def update(self, loss: float, n_examples: int) -> None:
        self.left -= 1
        if self.left == 0:
            raise CutError

    def close(self) -> None:
        pass


@pytest.mark.parametrize("optimizer", list(OptimizerKind))
@pytest.mark.parametrize("cuts", [(4,), (8,), (9, 1, 2), (5, 5, 5, 5), (23,)])
def test_a_run_cut_in_process_ends_in_the_same_bytes(
    optimizer: OptimizerKind,
    cuts: tuple[int, ...],
    make_net: Nets,
    make_plan: Plans,
    tiny: Dataset,
    loss: CrossEntropy,
    tmp_path: Path,
) -> None:
    plan = replace(make_plan(optimizer=optimizer, lr=0.01), checkpoint_every_steps=3)
    undisturbed, cut = tmp_path / "undisturbed.pt", tmp_path / "cut.pt"
    expected = train(make_net(), tiny, loss, plan, CheckpointPolicy(undisturbed))
    for index, steps in enumerate(cuts):
        policy = CheckpointPolicy(cut, resume=index > 0)
        with pytest.raises(CutError):
            train(make_net(), tiny, loss, plan, policy, CutAfter(steps))
    # The weights a resumed run starts from come from the checkpoint, not from its model.
    resumed = train(make_net(seed=99), tiny, loss, plan, CheckpointPolicy(cut, resume=True))
    assert resumed == expected
    assert cut.read_bytes() == undisturbed.read_bytes()


def test_a_killed_process_is_resumed_to_the_same_bytes(
    make_net: Nets, make_plan: Plans, tiny: Dataset, loss: CrossEntropy, tmp_path: Path
) -> None:
    path, undisturbed = tmp_path / "killed.pt", tmp_path / "undisturbed.pt"
    script = tmp_path / "child.py"
    script.write_text(CHILD.format(root=str(ROOT), here=str(Path(__file__).parent), path=str(path)))
    child = subprocess.Popen([sys.executable, str(script)])
    deadline_s = time.monotonic() + 300
    while not path.exists() and child.poll() is None and time.monotonic() < deadline_s:
        time.sleep(0.01)
    # Between checkpoints: a step of the child takes 0.2 s, a checkpoint is due every third.
    time.sleep(0.3)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    left = load_checkpoint(path)
    assert (left["epoch"], left["step"]) < (2, 6), "the child had all but finished"

    plan = replace(make_plan(), checkpoint_every_steps=3)
    train(make_net(), tiny, loss, plan, CheckpointPolicy(path, resume=True))
    train(make_net(), tiny, loss, plan, CheckpointPolicy(undisturbed))
    assert path.read_bytes() == undisturbed.read_bytes()


def test_resuming_a_finished_run_loads_its_result(
    make_net: Nets, make_plan: Plans, tiny: Dataset, loss: CrossEntropy, tmp_path: Path
) -> None:
    path = tmp_path / "c.pt"
    trained, loaded = make_net(), make_net(seed=99)
    expected = train(trained, tiny, loss, make_plan(), CheckpointPolicy(path))
    before = path.stat().st_mtime_ns
    policy = CheckpointPolicy(path, resume=True)
    assert train(loaded, tiny, loss, make_plan(), policy) == expected
    assert path.stat().st_mtime_ns == before
    for ours, theirs in zip(loaded.parameters(), trained.parameters(), strict=True):
        assert ours.equal(theirs)


def test_without_resume_a_run_starts_anew(
    make_net: Nets, make_plan: Plans, tiny: Dataset, loss: CrossEntropy, tmp_path: Path
) -> None:
    path = tmp_path / "c.pt"
    train(make_net(), tiny, loss, make_plan(1), CheckpointPolicy(path))
    first = path.read_bytes()
    train(make_net(), tiny, loss, make_plan(2), CheckpointPolicy(path))
    assert path.read_bytes() != first


def test_a_checkpoint_of_another_training_is_refused(
    make_net: Nets, make_plan: Plans, tiny: Dataset, loss: CrossEntropy, tmp_path: Path
) -> None:
    path = tmp_path / "c.pt"
    plan = make_plan(1)
    train(make_net(), tiny, loss, plan, CheckpointPolicy(path))
    policy = CheckpointPolicy(path, resume=True)
    others = {
        "seed is 1 there and 2 here": make_plan(2),
        "recipe.lr is '0.05' there and '0.1' here": make_plan(1, lr=0.1),
        "recipe.dense_epochs is '3' there and '4' here": make_plan(1, dense_epochs=4),
        "variant is '' there and 'lambda_resp=0' here": replace(plan, variant="lambda_resp=0"),
    }
    for message, other in others.items():
        with pytest.raises(TrainingError, match=f"is of another training: {message}"):
            train(make_net(), tiny, loss, other, policy)
    with pytest.raises(TrainingError, match=r"data is 'procedural shapes.* there and 'others'"):
        train(make_net(), replace(tiny, provenance="others"), loss, plan, policy)
    with pytest.raises(TrainingError, match=r"parameters is .* there"):
        train(make_net(n_classes=5), tiny, loss, plan, policy)


def test_a_damaged_checkpoint_is_refused(
    make_net: Nets, make_plan: Plans, tiny: Dataset, loss: CrossEntropy, tmp_path: Path
) -> None:
    path = tmp_path / "c.pt"
    train(make_net(), tiny, loss, make_plan(), CheckpointPolicy(path))
    state = load_checkpoint(path)
    policy = CheckpointPolicy(path, resume=True)
    del state["optimizer"]
    save_checkpoint(path, state)
    with pytest.raises(TrainingError, match=r"c.pt: does not fit this network: 'optimizer'"):
        train(make_net(), tiny, loss, make_plan(), policy)
    save_checkpoint(path, {"weight": state["model"]["0.weight"]})
    with pytest.raises(TrainingError, match="is not a checkpoint of a training"):
        train(make_net(), tiny, loss, make_plan(), policy)
    path.write_bytes(b"PK")
    with pytest.raises(TrainingError, match="is damaged"):
        train(make_net(), tiny, loss, make_plan(), policy)
