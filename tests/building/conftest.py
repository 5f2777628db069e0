from pathlib import Path

import pytest
import torch

from simulator.__main__ import main

OPTIONS = ("build", "--model", "resnet_tiny", "--data", "digits", "--epochs", "2,2")
OPTIONS = (*OPTIONS, "--ties", "shared_channels")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def options() -> tuple[str, ...]:
    """The command of the build that `built` is the result of, without its folder."""
    return OPTIONS


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    """A small but whole build on the digits, with tied siblings, never interrupted."""
    out = tmp_path_factory.mktemp("build") / "digits"
    assert main([*OPTIONS, "--out", str(out)]) == 0
    return out
