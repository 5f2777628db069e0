"""Imports point one way; heavy packages stay where they belong and out of the simulator."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("simulator", "workloads", "reports")

# A part of the simulator may import itself and what stands above it, not its own line's others.
# Costs come before mapping: a tiling is chosen by what it costs.
SIMULATOR_ORDER = (
    {"errors", "units", "version", "steps"},
    {"__init__"},
    {"validation", "policy"},
    {"spec_base"},
    {"block_buffer", "spec_dram"},
    {"ir", "spec"},
    {"bits_rule"},
    {
        "early_router",
        "program_file",
        "topology_csv",
        "counts",
        "routes",
        "weight_bits",
        "activation_bits",
    },
    {"outcomes_file"},
    {"probes_file"},
    {"yaml_file"},
    {"spec_file"},
    {"cost"},
    {"mapping"},
    {"prefetch"},
    {"timeline", "kernels"},
    {"result"},
    {"stalls", "windows", "speculated", "inferences"},
    {"derive"},
    {"engine", "fast"},
    {"compile"},
    {"simulation", "segment_use"},
    {"result_file", "comparison", "sensitivity"},
    {"runtime"},
    {"serving"},
    {"study", "validate"},
    {"placement"},
    {"cli"},
    {"__main__"},
)
RANK = {part: rank for rank, parts in enumerate(SIMULATOR_ORDER) for part in parts}
OPEN_TO_WORKLOADS = {
    *("counts", "errors", "ir", "outcomes_file", "probes_file", "program_file", "units"),
    *("steps", "validation", "version"),
}
OWNERS = {
    "simpy": ("simulator.engine",),
    "torch": ("workloads",),
    "torchvision": ("workloads",),
    "onnx": ("workloads",),
    "sklearn": ("workloads",),
    "h5py": ("workloads",),
    "pandas": ("reports",),
    "matplotlib": ("reports",),
    "jinja2": ("reports",),
    "numba": ("simulator.fast.compiled",),
    "distributed": ("simulator.study.workers",),
    "optuna": ("simulator.study.search",),
    "rich": ("simulator.cli", "simulator.__main__"),
}


def module_name(path: Path) -> str:
    """`simulator.cost.dram` for simulator/cost/dram.py; a package is named like its folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_in(source: str) -> Iterator[str]:
    """Dotted names a module imports: at the top, inside functions and through importlib."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=0):
                yield from (f"{module}.{alias.name}" for alias in names)
            case ast.ImportFrom(level=level):
                yield "." * level
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module"),
                args=[first, *_],
            ):
                yield str(first.value) if isinstance(first, ast.Constant) else "<computed>"


def part_of(dotted: str) -> str:
    """The part of the simulator a dotted name belongs to: `cost` for simulator.cost.dram.f."""
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in RANK else "__init__"


def problem(importer: str, imported: str) -> str | None:
    """Why `importer` may not import `imported`, or None when it may."""
    source, target = importer.split(".")[0], imported.split(".")[0]
    if imported.startswith("."):
        return "relative import"
    owners = OWNERS.get(target)
    if owners and not any(importer == home or importer.startswith(home + ".") for home in owners):
        return f"{target} belongs in {' and '.join(owners)}"
    if importer == "simulator.__main__":
        return None
    if imported == "<computed>":
        return "only simulator.__main__ may compute a module's name"
    if target not in PACKAGES:
        return None
    if source == target == "simulator":
        return _problem_within_simulator(part_of(importer), part_of(imported))
    if source == target:
        return None
    if target != "simulator":
        return f"{source} may not know {target}"
    if source == "workloads" and part_of(imported) not in OPEN_TO_WORKLOADS:
        return f"workloads may see only {', '.join(sorted(OPEN_TO_WORKLOADS))}"
    if source == "reports" and imported.startswith("simulator.engine."):
        return _problem_with_engine(imported)
    return None


def _problem_within_simulator(source: str, target: str) -> str | None:
    if source == target or RANK[target] < RANK[source]:
        return None
    return f"{source} stands before or beside {target}"


def _problem_with_engine(imported: str) -> str | None:
    deep = (
        len(imported.split(".")) > 3 or Path(ROOT, *imported.split(".")).with_suffix(".py").exists()
    )
    return "reports may not see inside the engine" if deep else None


def source_files() -> list[Path]:
    return [path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))]


def test_every_import_points_one_way() -> None:
    found = [
        f"{path.relative_to(ROOT)} imports {imported}: {reason}"
        for path in source_files()
        for imported in imports_in(path.read_text(encoding="utf-8"))
        if (reason := problem(module_name(path), imported))
    ]
    assert found == []


def test_every_part_of_the_simulator_has_its_place_in_the_order() -> None:
    parts = {path.stem for path in (ROOT / "simulator").glob("*.py")}
    parts |= {path.parent.name for path in (ROOT / "simulator").glob("*/__init__.py")}
    assert parts - RANK.keys() == set()


@pytest.mark.parametrize(
    ("importer", "source", "reason"),
    [
        ("simulator.ir", "from simulator.cost import dram", "ir stands before or beside cost"),
        ("simulator.fast.plan", "import simulator.engine", "fast stands before or beside engine"),
        ("simulator.cost.dram", "def f():\n    import torch", "torch belongs in workloads"),
        ("simulator.cost.dram", "import simpy", "simpy belongs in simulator.engine"),
        ("simulator.cli.run", "from workloads.trace import trace", "may not know workloads"),
        ("simulator.cli.run", "import_module('reports')", "simulator may not know reports"),
        ("simulator.cli.run", "importlib.import_module(name)", "may compute a module's name"),
        ("workloads.trace", "from simulator import spec", "workloads may see only"),
        ("workloads.trace", "import pandas as pd", "pandas belongs in reports"),
        ("workloads.trace", "import reports.figures", "workloads may not know reports"),
        ("reports.figures", "from workloads import ops", "reports may not know workloads"),
        ("reports.figures", "from simulator.engine.dma import Dma", "inside the engine"),
        ("reports.figures", "from . import frames", "relative import"),
        ("simulator.__main__", "importlib.import_module('workloads.catalogue')", None),
        ("simulator.cost.dram", "from simulator.ir import Layer", None),
        ("simulator.mapping.plan", "from simulator.mapping.groups import Liveness", None),
        ("simulator.errors", "from simulator import __version__", "stands before or beside"),
        ("reports.figures", "from simulator.engine import Anything", None),
        ("workloads.trace", "import torch, simulator.ir", None),
    ],
)
def test_the_rule_itself(importer: str, source: str, reason: str | None) -> None:
    reasons = [found for imported in imports_in(source) if (found := problem(importer, imported))]
    if reason is None:
        assert reasons == []
    else:
        assert len(reasons) == 1
        assert reason in reasons[0]


LIGHT_MODULES = [
    "simulator",
    *(module_name(path) for path in sorted((ROOT / "simulator" / "cli").glob("*.py"))),
]


@pytest.mark.parametrize("module", LIGHT_MODULES)
def test_the_simulator_loads_no_heavy_package(module: str) -> None:
    heavy = ("torch", "pandas", "matplotlib", "jinja2", "numba", "workloads", "reports")
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
