"""The wheel holds the shipped data and runs from a clean environment that has no torch."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import dev

ROOT = Path(__file__).resolve().parent.parent
RUN = ["-m", "simulator", "run", "--spec", "specs/edge_npu.yaml", "--workload", "sigmab_resnet50"]

pytestmark = [pytest.mark.packaging, pytest.mark.slow]


def checked(command: list[str], env: dict[str, str], cwd: Path = ROOT) -> str:
    """The command's output; a failure shows what it wrote."""
    done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def uv_env() -> dict[str, str]:
    env = dev.uv_environment(sys.executable)
    for name in ("PYTHONPATH", "VIRTUAL_ENV"):
        env.pop(name, None)
    return env


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, uv_env: dict[str, str]) -> Path:
    """The wheel of this checkout."""
    out = tmp_path_factory.mktemp("dist")
    build = ["uv", "build", "--wheel", "--build-constraints", dev.CONSTRAINTS, "--out-dir"]
    checked([sys.executable, "-m", *build, str(out)], uv_env)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def clean_python(
    wheel: Path, uv_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> str:
    """A Python that has the wheel and its core dependencies, and nothing else."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    uv = [sys.executable, "-m", "uv"]
    checked([*uv, "venv", "--python", sys.executable, str(folder)], uv_env)
    python = str(folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))
    install = ["pip", "install", "--python", python, "--constraints", dev.CONSTRAINTS, str(wheel)]
    checked([*uv, *install], uv_env)
    return python


def test_the_wheel_holds_code_data_and_licence_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"accelerator_specs/edge_npu.yaml", "simulator/__main__.py"} <= names
    assert "workloads/programs/sigmab_resnet50.json" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"accelerator_specs", "reports", "simulator", "workloads"}


def test_every_shipped_data_file_is_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    data = [
        *ROOT.glob("accelerator_specs/*.yaml"),
        *ROOT.glob("workloads/programs/*.json"),
        *ROOT.glob("simulator/**/*.csv"),
    ]
    assert {path.relative_to(ROOT).as_posix() for path in data} <= names


def test_the_documented_line_runs_from_the_wheel_without_torch(
    clean_python: str, uv_env: dict[str, str], tmp_path: Path
) -> None:
    find = "from importlib.util import find_spec as f; print(f('simulator').origin, f('torch'))"
    origin, torch = checked([clean_python, "-c", find], uv_env, tmp_path).split()
    assert Path(clean_python).parent.parent in Path(origin).parents, "not the wheel's simulator"
    assert torch == "None", "torch must not be needed"
    installed = checked([clean_python, *RUN], uv_env, tmp_path)
    assert "sigmab_resnet50" in installed
    assert "ms" in installed
    in_checkout = checked([sys.executable, *RUN], uv_env, ROOT)
    assert installed == in_checkout, "the wheel computes what the checkout computes"
