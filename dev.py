"""Set up this checkout and run it, with nothing but Python 3.11: `python3 dev.py run`.

Commands, each of which first brings `.venv` up to date (seconds once it is there):

    python3 dev.py run [OPTIONS]   simulate SigmaB-ResNet50 on the edge NPU; OPTIONS are added to
                                   that line, and replace what they repeat (`--workload NAME`)
    python3 dev.py test [OPTIONS]  the tests; OPTIONS go to pytest
    python3 dev.py check           lint, formatting, types, import rules
    python3 dev.py python ARGS     the environment's own Python

torch comes from the first of these that has it: pip's find-links folder, the index in
$TORCH_INDEX, on Linux the CPU builds uv knows of, the registry's default.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  (whoever has an older Python shall read why it fails)
    sys.stderr.write(
        "error: Python 3.11 or later is needed, this is {}.{}; call dev.py with a newer one, "
        "such as: python3.11 dev.py\n".format(*sys.version_info[:2])
    )
    sys.exit(2)

import ast
import hashlib
import importlib.util
import os
import subprocess
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = str(VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
STAMP = VENV / ".dev-stamp"
JOURNAL = ROOT / ".dev-setup"
CONSTRAINTS = str(ROOT / "constraints.txt")

DEFAULT_RUN = ["run", "--spec", "specs/edge_npu.yaml", "--workload", "sigmab_resnet50"]
CHECKS = {
    "lint": ["ruff", "check", "."],
    "formatting": ["ruff", "format", "--check", "."],
    "types": ["mypy"],
    "import rules": ["pytest", "-q", "tests/test_imports.py"],
}

# uv reads none of pip's settings. An extra index is left out on purpose: uv would prefer it to
# the default for every package it holds, where pip weighs both.
PIP_TO_UV = {
    "find-links": "UV_FIND_LINKS",
    "index-url": "UV_DEFAULT_INDEX",
    "cert": "SSL_CERT_FILE",
}


class SetupError(Exception):
    """The environment could not be made; the message says which step failed and what helps."""


def say(text: str) -> None:
    """One line of progress, at once and apart from the commands' own output."""
    print(f"[dev] {text}", file=sys.stderr, flush=True)


def step(purpose: str, command: list[str], env: dict[str, str] | None = None) -> None:
    """Run one set-up command, its output shown as it comes.

    Raises:
        SetupError: if the command fails.
    """
    say(purpose)
    code = subprocess.run(command, env=env, cwd=ROOT, check=False).returncode
    if code != 0:
        raise SetupError(f"{purpose}: failed with exit code {code}; the reason stands above")


def fingerprint() -> str:
    """What the environment depends on; another value means it has to be brought up to date."""
    parts = [(ROOT / "pyproject.toml").read_bytes(), Path(CONSTRAINTS).read_bytes()]
    parts += [sys.version.encode(), str(ROOT).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def is_ready() -> bool:
    """Whether `.venv` was finished for exactly this checkout and this Python."""
    return Path(PYTHON).exists() and STAMP.exists() and STAMP.read_text() == fingerprint()


def is_usable() -> bool:
    """Whether `.venv` has a working pip and runs this very Python, so it can be updated."""
    if not Path(PYTHON).exists():
        return False
    probe = [PYTHON, "-c", "import pip, sys; print(sys.version)"]
    answer = subprocess.run(probe, capture_output=True, text=True, check=False)
    return answer.stdout.strip() == sys.version


@contextmanager
def set_up_journal() -> Iterator[TextIO]:
    """Let one process set up at a time; the journal holds text while a set-up is unfinished."""
    with JOURNAL.open("a+") as journal:
        if os.name == "posix":
            import fcntl

            fcntl.flock(journal, fcntl.LOCK_EX)
        journal.seek(0)
        yield journal


def ensure_environment() -> None:
    """Bring `.venv` up to date; a set-up that was cut short is started over.

    Raises:
        SetupError: if Python's own parts are missing or an installation fails.
    """
    if is_ready():
        return
    with set_up_journal() as journal:
        if is_ready():  # another process finished it while this one waited
            return
        began_s = time.monotonic()
        interrupted = journal.read() != ""
        journal.write("unfinished\n")
        journal.flush()
        if interrupted:
            say("the last set-up did not finish; starting over")
        if interrupted or not is_usable():
            create_venv()
        install()
        STAMP.write_text(fingerprint())
        journal.truncate(0)
        say(f"ready after {time.monotonic() - began_s:.0f} s")


def create_venv() -> None:
    """Make an empty virtual environment with pip in it, in place of whatever `.venv` was.

    Raises:
        SetupError: if this Python came without venv's other half, as on Debian.
    """
    if importlib.util.find_spec("ensurepip") is None:
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        raise SetupError(
            "this Python cannot make virtual environments (no ensurepip); on Debian and Ubuntu: "
            f"sudo apt install {package}"
        )
    say(f"making .venv with Python {sys.version.split()[0]}")
    try:
        venv.create(VENV, clear=True, with_pip=True, symlinks=os.name != "nt")
    except (OSError, subprocess.CalledProcessError) as error:
        raise SetupError(f"making .venv: {error}") from error


def install() -> None:
    """Install uv with pip, and with uv torch, every other dependency and the project itself."""
    pip = [PYTHON, "-m", "pip"]
    quiet = ["--quiet", "--disable-pip-version-check"]
    step("installing uv", [*pip, "install", *quiet, "-c", CONSTRAINTS, "uv"])
    env = uv_environment(PYTHON)
    uv_install = [PYTHON, "-m", "uv", "pip", "install", "--python", PYTHON, "-c", CONSTRAINTS]
    install_torch(uv_install, env)
    everything = ["--build-constraints", CONSTRAINTS, "-e", ".[torch,data,cluster,explore,dev]"]
    step("installing the project and its other dependencies", [*uv_install, *everything], env)


def uv_environment(python: str) -> dict[str, str]:
    """This process's environment, with pip's mirror, wheel folder and certificate named to uv."""
    env = dict(os.environ)
    listing = [python, "-m", "pip", "config", "list"]
    output = subprocess.run(listing, capture_output=True, text=True, check=False).stdout
    settings = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
    for pip_name, uv_name in PIP_TO_UV.items():
        for section in (":env:", "install", "global"):  # strongest first
            value = settings.get(f"{section}.{pip_name}")
            if value:
                env.setdefault(uv_name, ",".join(ast.literal_eval(value).split()))
    return env


def install_torch(uv_install: list[str], env: dict[str, str]) -> None:
    """Install torch alone, from the first source that has a build for this Python.

    When none has, it is left to the next step, which takes the registry's default.
    """
    sources: dict[str, list[str]] = {}
    if env.get("UV_FIND_LINKS"):
        sources["the find-links folder"] = ["--no-index"]
    if env.get("TORCH_INDEX"):
        sources["$TORCH_INDEX"] = ["--default-index", env["TORCH_INDEX"]]
    if sys.platform == "linux":
        backend = env.get("UV_TORCH_BACKEND", "cpu")
        sources[f"the {backend} builds"] = ["--torch-backend", backend]
    for source, options in sources.items():
        try:
            step(
                f"installing torch from {source}",
                [*uv_install, *options, "--no-deps", "torch"],
                env,
            )
        except SetupError:
            say(f"{source}: no torch to be had for this Python, for the reason above")
        else:
            return
    if sys.platform == "linux":
        say(
            "warning: taking the registry's default build of torch, which brings about 2.7 GB of "
            "CUDA libraries; set TORCH_INDEX to an index with CPU builds to avoid that"
        )


def run_checks() -> int:
    """Run every check, also after one failed; 1 if any did."""
    failed = []
    for name, arguments in CHECKS.items():
        say(f"checking {name}: {' '.join(arguments)}")
        if subprocess.run([PYTHON, "-m", *arguments], cwd=ROOT, check=False).returncode != 0:
            failed.append(name)
    say(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return 1 if failed else 0


def main(arguments: list[str]) -> int:
    """Run one command; returns its exit code, or 2 when it was misspelt or set-up failed."""
    command, *rest = arguments or [""]
    if command not in ("run", "test", "check", "python"):
        wanted_help = command in ("-h", "--help", "help")
        print(__doc__, file=sys.stdout if wanted_help else sys.stderr)
        return 0 if wanted_help else 2
    try:
        ensure_environment()
        if command == "run":
            return subprocess.call([PYTHON, "-m", "simulator", *DEFAULT_RUN, *rest])
        if command == "test":
            return subprocess.call([PYTHON, "-m", "pytest", "-n", "auto", *rest], cwd=ROOT)
        if command == "check":
            return run_checks()
        return subprocess.call([PYTHON, *rest])
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
