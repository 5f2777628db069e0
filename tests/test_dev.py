"""`dev.py`: where torch comes from, what a set-up depends on, what repairs a broken one."""

import subprocess
import sys
from pathlib import Path

import pytest

import dev


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The purposes of the steps taken; each fails unless a test replaces `step` again."""
    taken: list[str] = []

    def failing(purpose: str, command: list[str], env: dict[str, str]) -> None:
        taken.append(f"{purpose}: {' '.join(command[command.index('install') + 1 :])}")
        raise dev.SetupError(purpose)

    monkeypatch.setattr(dev, "step", failing)
    return taken


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty checkout whose environment is made without installing anything."""
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text(f"{name}\n")
    python = tmp_path / ".venv" / "bin" / "python"
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    monkeypatch.setattr(dev, "CONSTRAINTS", str(tmp_path / "constraints.txt"))
    monkeypatch.setattr(dev, "PYTHON", str(python))
    monkeypatch.setattr(dev, "STAMP", tmp_path / ".venv" / ".dev-stamp")
    monkeypatch.setattr(dev, "JOURNAL", tmp_path / ".dev-setup")
    return tmp_path


def recording(monkeypatch: pytest.MonkeyPatch, python: str) -> list[str]:
    """Replaces the two slow parts of a set-up; the list names those that ran."""
    ran: list[str] = []

    def create() -> None:
        ran.append("create")
        Path(python).parent.mkdir(parents=True, exist_ok=True)
        Path(python).symlink_to(sys.executable)

    monkeypatch.setattr(dev, "create_venv", create)
    monkeypatch.setattr(dev, "install", lambda: ran.append("install"))
    return ran


@pytest.mark.skipif(sys.platform != "linux", reason="CPU builds apart from the default are Linux's")
def test_torch_sources_are_tried_in_order(
    steps: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    env = {"UV_FIND_LINKS": "wheels", "TORCH_INDEX": "https://torch.example"}
    dev.install_torch(["uv", "install"], env)
    assert steps == [
        "installing torch from the find-links folder: --no-index --no-deps torch",
        "installing torch from $TORCH_INDEX: --default-index https://torch.example --no-deps torch",
        "installing torch from the cpu builds: --torch-backend cpu --no-deps torch",
    ]
    assert "warning: taking the registry's default build" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="CPU builds apart from the default are Linux's")
def test_without_settings_linux_takes_the_cpu_builds(steps: list[str]) -> None:
    dev.install_torch(["uv", "install"], {})
    assert steps == ["installing torch from the cpu builds: --torch-backend cpu --no-deps torch"]


def test_the_first_source_that_has_torch_ends_the_search(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    purposes: list[str] = []
    monkeypatch.setattr(dev, "step", lambda purpose, command, env: purposes.append(purpose))
    dev.install_torch(["uv", "install"], {"UV_FIND_LINKS": "wheels"})
    assert purposes == ["installing torch from the find-links folder"]
    assert "warning" not in capsys.readouterr().err


def test_pip_settings_are_handed_on_to_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", "first second")
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    monkeypatch.delenv("UV_FIND_LINKS", raising=False)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://chosen.example/simple")
    env = dev.uv_environment(sys.executable)
    assert env["UV_FIND_LINKS"] == "first,second"
    assert env["UV_DEFAULT_INDEX"] == "https://chosen.example/simple", "uv's own setting wins"


def test_a_finished_set_up_is_used_again(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = recording(monkeypatch, dev.PYTHON)
    dev.ensure_environment()
    dev.ensure_environment()
    assert ran == ["create", "install"]


def test_changed_dependencies_update_the_environment_in_place(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = recording(monkeypatch, dev.PYTHON)
    dev.ensure_environment()
    (checkout / "constraints.txt").write_text("numpy==2.0.0\n")
    dev.ensure_environment()
    assert ran == ["create", "install", "install"]


def test_an_interrupted_set_up_starts_over(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = recording(monkeypatch, dev.PYTHON)

    def interrupted() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(dev, "install", interrupted)
        with pytest.raises(KeyboardInterrupt):
            dev.ensure_environment()
    assert not dev.is_ready()
    Path(dev.PYTHON).unlink()  # the real create_venv clears the folder
    dev.ensure_environment()
    assert ran == ["create", "create", "install"]
    assert dev.is_ready()


def test_a_python_without_ensurepip_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dev.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(dev, "ensure_environment", dev.create_venv)
    assert dev.main(["run"]) == 2
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert f"sudo apt install python{version}-venv" in capsys.readouterr().err


def test_an_unknown_command_shows_the_usage_and_sets_nothing_up() -> None:
    command = [sys.executable, dev.__file__, "tset"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "python3 dev.py test" in done.stderr
