"""A real scheduler and real worker processes on the loopback: the same results, and no hangs."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.__main__ import main
from tests.study.test_sweep import MANY, ROOT, quick, start_and_wait, words

distributed = pytest.importorskip("distributed")


class LoopbackCluster:
    """One scheduler and some workers, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self.start_scheduler()

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_" + command[0], *command[1:]],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.processes.append(process)
        return process

    def start_scheduler(self) -> subprocess.Popen[bytes]:
        where = ["--host", "127.0.0.1", "--port", str(self.port)]
        return self.start("scheduler", *where, "--no-dashboard", "--no-show")

    def start_worker(self) -> subprocess.Popen[bytes]:
        own = ["--nthreads", "1", "--no-dashboard", "--no-nanny"]
        folder = ["--local-directory", str(self.folder)]
        return self.start("worker", self.address, *own, *folder)

    def wait_for_workers(self, count: int) -> None:
        with distributed.Client(self.address, timeout=30) as client:
            client.wait_for_workers(count, timeout=30)

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LoopbackCluster]:
    cluster = LoopbackCluster(tmp_path / "dask")
    try:
        yield cluster
    finally:
        cluster.close()


def test_a_cluster_gives_the_serial_bytes_though_a_worker_is_killed(
    cluster, program_path, tmp_path
):
    victim, _ = cluster.start_worker(), cluster.start_worker()
    cluster.wait_for_workers(2)
    out = tmp_path / "cluster"
    more = ["--cluster", cluster.address, "--no-figures"]
    process = start_and_wait(words(program_path, out, *more, axes=MANY), out, 10)
    victim.send_signal(signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    main(words(program_path, tmp_path / "serial", *quick(), axes=MANY))
    serial = (tmp_path / "serial" / "sweep.csv").read_bytes()
    assert (out / "sweep.csv").read_bytes() == serial


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_lost_scheduler_ends_with_a_message_and_the_command_resumes(
    cluster, program_path, tmp_path, comes_back
):
    cluster.start_worker()
    cluster.wait_for_workers(1)
    out = tmp_path / "out"
    more = ["--cluster", cluster.address, "--no-figures"]
    process = start_and_wait(words(program_path, out, *more, axes=MANY), out, 5)
    cluster.scheduler.kill()
    cluster.scheduler.wait()
    if comes_back:
        cluster.start_scheduler()
        cluster.start_worker()
    began_s = time.monotonic()
    _, said = process.communicate(timeout=120)
    assert time.monotonic() - began_s < 60
    assert process.returncode == 2, said
    assert "finished points are kept, the same command goes on from them" in said
    assert "Traceback" not in said
    assert main(words(program_path, out, *quick(), axes=MANY)) == 0


def test_a_cluster_that_is_not_there(program_path, tmp_path, capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    command = words(program_path, tmp_path / "out", "--cluster", address)
    assert main([*command, "--cluster-timeout", "1"]) == 2
    assert f"--cluster {address}: no scheduler answers" in capsys.readouterr().err


def test_a_cluster_without_workers(cluster, program_path, tmp_path, capsys):
    assert main(words(program_path, tmp_path / "out", "--cluster", cluster.address)) == 2
    assert "the scheduler has no workers" in capsys.readouterr().err
