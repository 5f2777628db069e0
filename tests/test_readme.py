"""The README's outputs are what its commands print.

`python -m tests.test_readme [PAGE...]` renews them in the README, or in other pages.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"<!-- output of: (?P<command>.*?) -->\n```\n(?P<output>.*?)```\n", re.DOTALL)


def output_of(command: str) -> str:
    """What the command prints, without the spaces that pad its tables."""
    done = subprocess.run(
        [sys.executable, "-m", "simulator", *shlex.split(command)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def blocks() -> list[tuple[str, str]]:
    found = [(m["command"], m["output"]) for m in BLOCK.finditer(README.read_text("utf-8"))]
    assert found, "the README shows no output"
    return found


@pytest.mark.parametrize(("command", "output"), blocks(), ids=lambda text: text.split("\n")[0][:50])
def test_readme_shows_what_the_command_prints(command: str, output: str) -> None:
    assert output_of(command) == output


def test_readme_leads_with_what_the_study_found() -> None:
    answer = (ROOT / "docs" / "studies" / "answer.md").read_text("utf-8")
    assert answer in README.read_text("utf-8")


def test_readme_pictures_exist() -> None:
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", README.read_text("utf-8"))
    assert pictures
    for picture in pictures:
        assert (ROOT / picture).is_file()


if __name__ == "__main__":
    for page in [Path(name) for name in sys.argv[1:]] or [README]:
        text = page.read_text("utf-8")
        renewed = BLOCK.sub(
            lambda m: f"<!-- output of: {m['command']} -->\n```\n{output_of(m['command'])}```\n",
            text,
        )
        page.write_text(renewed, "utf-8")
