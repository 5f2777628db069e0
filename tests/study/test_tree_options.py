"""Tree options choose among the shipped trees of a network, and refuse what is not shipped."""

import csv
from pathlib import Path

import pytest

from simulator.__main__ import main
from simulator.policy import Policy, PolicyChoice
from simulator.program_file import workload_from_json
from simulator.routes import draw_routes
from simulator.study.context import Context, count_routes
from simulator.study.tree_options import tree_levels, tree_name
from tests.devices import device

PROGRAMS = Path(__file__).resolve().parent.parent.parent / "workloads" / "programs"


def shipped(name: str):
    return workload_from_json((PROGRAMS / f"{name}.json").read_text(), name)


def sweep(out: Path, *axes: str, workload: str = "sigmab_resnet50") -> int:
    words = ["sweep", "--spec", "edge_npu", "--workload", workload, "--workers", "1"]
    varied = [word for axis in axes for word in ("--vary", axis)]
    return main([*words, *varied, "--no-figures", "--out", str(out)])


@pytest.mark.parametrize(
    ("levels", "ties", "name"),
    [
        (2, "none", "sigmab_resnet50"),
        (2, "channels", "sigmab_resnet50_tied_channels"),
        (3, "planes", "sigmab_resnet50_depth3_tied"),
        (1, "none", "sigmab_resnet50_depth1"),
    ],
)
def test_options_name_the_program_with_that_shape(levels, ties, name):
    base = shipped("sigmab_resnet50")
    assert tree_name(base, {"tree.levels": levels, "tree.ties": ties}) == name
    assert tree_levels(shipped(name)) == levels


def test_a_dense_network_stands_for_itself():
    assert tree_name(shipped("dense_resnet50"), {"tree.levels": 3}) == "dense_resnet50"


def test_widths_hold_for_the_other_trees_too():
    base, other = shipped("sigmab_resnet50"), shipped("sigmab_resnet50_depth1")
    routes = {each.name: count_routes(draw_routes(each, 10, 0)) for each in (base, other)}
    on_demand = PolicyChoice(Policy.ON_DEMAND)
    bits, activations = ("trunk*=4",), ("trunk*=16", "level1.*=6")
    context = Context(
        device(), (base,), routes, on_demand, "stream", bits, activations, trees=(other,)
    )
    for levels, name in ((2, base.name), (1, other.name)):
        workload = context.scenario({"tree.levels": levels}).workload
        assert workload.name == name
        trunk, arm = (
            next(s for s in workload.program.segments() if s.name.startswith(start))
            for start in ("trunk", "level1.")
        )
        assert {block.bits for layer in trunk.layers for block in layer.weights} == {4}
        assert {layer.ofmap.bits for layer in trunk.layers} == {16}
        assert {layer.ofmap.bits for layer in arm.layers} == {6}


def test_a_sweep_over_levels_runs_the_trees_traced_with_them(tmp_path):
    assert sweep(tmp_path, "tree.levels=1,3", "scratchpad.capacity_kib=4096") == 0
    with (tmp_path / "sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["tree.levels"] for row in rows] == ["1", "3"]
    assert {row["status"] for row in rows} == {"ok"}
    active = [float(row["weight_read_bytes"]) for row in rows]
    assert active[1] < 0.4 * active[0]


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        (["tree.levels=1", "tree.ties=channels"], "no such tree of sigmab_resnet50 is shipped"),
        (["tree.levels=7"], "levels 2 with ties none, channels, planes"),
        (["tree.ties=plains"], "must be one of none, channels, planes (did you mean 'planes'?)"),
        (["tree.levels=two"], "must be a whole number of levels"),
        (["tree.levels=1:3:lhs"], "cannot be drawn"),
        (["tree.depth=1"], "did you mean"),
    ],
)
def test_what_is_not_shipped_is_refused_before_anything_runs(tmp_path, capsys, axes, message):
    assert sweep(tmp_path / "out", *axes) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
