import json
import shutil

import pytest

from simulator.__main__ import main
from simulator.program_file import routes_from_file, routes_to_json


def run(*arguments: str) -> int:
    return main(["run", "--spec", "edge_npu", *arguments])


def test_run_replays_the_builds_own_routes(built, tmp_path, capsys):
    out = tmp_path / "result"
    assert run("--workload", str(built), "--out", str(out), "--no-figures") == 0
    assert f"routes from {built / 'routes.json'}" in capsys.readouterr().err
    result = json.loads((out / "result.json").read_text())
    routes = [route.arms for route in routes_from_file(built / "routes.json")]
    assert result["routes"] == [list(arms) for arms in routes]
    assert result["summary"]["seed"] is None  # nothing was drawn
    assert result["summary"]["inferences"] == len(routes)


def test_given_routes_win_over_the_builds(built, tmp_path, capsys):
    one = routes_from_file(built / "routes.json")[:1]
    file = tmp_path / "one.json"
    file.write_text(routes_to_json(one))
    assert run("--workload", str(built), "--routes", str(file), "--json") == 0
    captured = capsys.readouterr()
    assert f"routes from {file}" in captured.err
    assert json.loads(captured.out)["inferences"] == 1


def test_the_first_inferences_are_the_first_inputs(built, capsys):
    assert run("--workload", str(built), "--inferences", "5", "--json") == 0
    assert json.loads(capsys.readouterr().out)["inferences"] == 5
    assert run("--workload", str(built), "--inferences", "100000") == 2
    assert "holds" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["program.json", "routes.json"])
def test_a_folder_without_a_file_is_named(built, tmp_path, capsys, missing):
    copy = tmp_path / "b"
    shutil.copytree(built, copy)
    (copy / missing).unlink()
    assert run("--workload", str(copy)) == 2
    assert str(copy / missing) in capsys.readouterr().err


def test_a_folder_never_hides_a_shipped_workload(built, tmp_path, monkeypatch, capsys):
    shutil.copytree(built, tmp_path / "sigmab_pointnet2")
    shutil.copytree(built, tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    for name, is_built in (("sigmab_pointnet2", False), ("mine", True)):
        assert run("--workload", name, "--inferences", "2", "--json") == 0
        captured = capsys.readouterr()
        assert ("routes from" in captured.err) is is_built
        assert json.loads(captured.out)["workload"].startswith("sigmab_")
