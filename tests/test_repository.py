"""Guards over the committed files: size, paths of one machine, pins that work everywhere."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINES_AT_MOST = 400
MACHINE_PATH = re.compile(r"(?<![\w.~/-])/(?:work|root|opt/wheels|opt/pypi|home/\w+)/?(?![\w-])")
PIN = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[\w.]+)(?: ; .+)?")


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a git checkout")
    listing = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    paths = [ROOT / line for line in listing.stdout.splitlines()]
    return [path for path in paths if path.is_file()]


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    found = [PIN.fullmatch(line) for line in lines if not line.startswith("#")]
    assert None not in found, "a line that is no plain NAME==VERSION pin"
    return {match["name"]: match["version"] for match in found if match}


def test_no_python_file_is_too_long(tracked: list[Path]) -> None:
    too_long = [
        f"{path.relative_to(ROOT)}: {lines} lines"
        for path in tracked
        if path.suffix == ".py"
        and (lines := len(path.read_text(encoding="utf-8").splitlines())) > LINES_AT_MOST
    ]
    assert too_long == []


def test_no_file_names_a_path_of_one_machine(tracked: list[Path]) -> None:
    found = []
    for path in tracked:
        text = path.read_bytes().decode("utf-8", errors="ignore")
        found += [f"{path.relative_to(ROOT)}: {hit[0]}" for hit in MACHINE_PATH.finditer(text)]
    assert found == []


@pytest.mark.parametrize(
    ("text", "caught"),
    [
        ("read /" + "work/main/x.py", True),
        ("'/" + "root'", True),
        ("see docs/work/notes.md", False),
        ("https://example.org/root/x", False),
        ("conv1/root_layer", False),
    ],
)
def test_the_pattern_of_machine_paths(text: str, caught: bool) -> None:
    assert bool(MACHINE_PATH.search(text)) is caught


def test_every_direct_dependency_is_pinned(pins: dict[str, str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = [*project["dependencies"], "hatchling", "uv"]
    for extra in project["optional-dependencies"].values():
        requirements += extra
    names = {re.split(r"[<>=!~\[; ]", requirement)[0].lower() for requirement in requirements}
    assert names - pins.keys() == set()


def test_torch_is_pinned_for_every_build(pins: dict[str, str]) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", pins["torch"]), "a local suffix fits one build alone"
