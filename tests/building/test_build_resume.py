import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simulator.__main__ import main
from workloads.building import build as module
from workloads.training.progress import TerminalProgress


def contents(folder: Path) -> dict[str, bytes]:
    """Everything a build must repeat exactly: all but the times."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if "times" not in path.name}


class Stop(BaseException):
    """Stands for a kill: nothing may catch it."""


@pytest.mark.parametrize("step", [3, 50, 75])
def test_a_build_stopped_at_any_step_resumes_to_the_same_bytes(
    built, options, tmp_path, monkeypatch, step
):
    # 22 steps an epoch, two epochs dense (44 steps), then two of fine-tuning.
    taken = 0
    update = TerminalProgress.update

    def counting(self, loss: float, n_examples: int) -> None:
        nonlocal taken
        taken += 1
        if taken == step:
            raise Stop
        update(self, loss, n_examples)

    monkeypatch.setattr(TerminalProgress, "update", counting)
    arguments = [*options, "--out", str(tmp_path / "b")]
    with pytest.raises(Stop):
        main(arguments)
    monkeypatch.undo()
    # A stop in the first epoch leaves no checkpoint: then --resume begins anew.
    assert main([*arguments, "--resume"]) == 0
    assert contents(tmp_path / "b") == contents(built)


def test_a_build_stopped_while_writing_its_results_resumes(built, options, tmp_path, monkeypatch):
    def stop(*_: object) -> None:
        raise Stop

    monkeypatch.setattr(module, "tree_figures", stop)
    arguments = [*options, "--out", str(tmp_path / "b")]
    with pytest.raises(Stop):
        main(arguments)
    assert not (tmp_path / "b" / "metrics.json").exists()
    monkeypatch.undo()
    assert main([*arguments, "--resume"]) == 0
    assert contents(tmp_path / "b") == contents(built)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_process_resumes_to_the_same_bytes(built, options, tmp_path):
    out = tmp_path / "b"
    command = [sys.executable, "-m", "simulator", *options, "--out", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (out / "tree_training.pt").exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert main([*options, "--out", str(out), "--resume"]) == 0
    assert contents(out) == contents(built)
