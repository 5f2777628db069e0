import json
import shutil
from math import sqrt

import pytest
import torch

from reports.studies.accuracy_page import page
from reports.studies.accuracy_summary import Spread, difference, spread, summarise_study
from simulator.__main__ import main
from workloads.studies.accuracy import VARIANTS

TINY = ("study", "accuracy", "--data", "shapes", "--preset", "tiny", "--out")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("study")
    assert main([*TINY, str(out)]) == 0
    yield out
    torch.set_num_threads(before)


def test_every_variant_runs_with_every_seed(study):
    results = json.loads((study / "accuracy_shapes.json").read_text())
    runs = [(run["variant"], run["seed"]) for run in results["runs"]]
    names = ["dense", "dense_continued", *VARIANTS]
    assert runs == [(name, seed) for seed in (0, 1) for name in names]
    assert (study / "accuracy_shapes.png").read_bytes().startswith(b"\x89PNG")
    text = (study / "accuracy_shapes.md").read_text()
    for label in results["labels"].values():
        assert f"| {label} |" in text


def test_parts_that_were_lost_are_run_again_to_the_same_results(study, tmp_path):
    copy = tmp_path / "study"
    shutil.copytree(study, copy)
    parts = copy / "accuracy_shapes.work"
    shutil.rmtree(parts / "seed1" / "default")
    (parts / "seed0" / "dense" / "result.json").unlink()
    assert main([*TINY, str(copy), "--resume"]) == 0
    before, after = (
        json.loads((folder / "accuracy_shapes.json").read_text()) for folder in (study, copy)
    )
    for results in (before, after):
        for run in results["runs"]:
            del run["cpu_s"]
    assert after == before


def test_a_study_is_not_begun_over_another(study, capsys):
    assert main([*TINY, str(study)]) == 2
    assert "holds a study already; add --resume" in capsys.readouterr().err


@pytest.mark.parametrize(("data", "preset"), [("digits", "cpu"), ("shapes", "huge")])
def test_an_unknown_set_or_preset_is_refused(tmp_path, capsys, data, preset):
    arguments = ["study", "accuracy", "--data", data, "--preset", preset]
    assert main([*arguments, "--out", str(tmp_path)]) == 2
    assert "--data shapes --preset cpu" in capsys.readouterr().err


def test_spread_is_mean_and_sample_deviation():
    # Mean of 1, 2, 6 is 3; squares 4 + 1 + 9 = 14 over n - 1 = 2.
    assert spread([1.0, 2.0, 6.0]) == Spread(3.0, pytest.approx(sqrt(7)))
    assert spread([5.0]) == Spread(5.0, 0.0)


def test_differences_are_taken_seed_by_seed():
    # 2 and 2: what the seeds have in common cancels.
    assert difference([12.0, 52.0], [10.0, 50.0]) == Spread(2.0, 0.0)
    assert difference([12.0, 52.0], [10.0, 50.0]).clear
    assert not Spread(-0.5, 0.6).clear


def made_up(top1: dict[str, float], balance: float) -> dict:
    tree = {
        "balance_fraction": balance,
        "leaf_shares": [0.5, 0.5],
        "p_total": 10,
        "p_active": 4,
        "active_cut_fraction": 0.6,
        "ties": {"bytes_saved": {"int8": 0}},
        "initial": {"top1_fraction": 0.1},
    }
    common = {"seed": 0, "top5_fraction": 1.0, "flops_fvcore": 1, "params": 10, "cpu_s": 60.0}
    recipe = {"lr": 0.1, "finetune_lr": 0.1, "optimizer": "sgd", "batch_size": 8}
    recipe |= {"dense_epochs": 2, "finetune_epochs": 1}
    return {
        "data": "shapes",
        "command": "c",
        "labels": {name: name for name in top1},
        "set_up": {"seeds": [0], "recipe": recipe, "model": "m", "fractions": None},
        "provenance": {
            "data": "d",
            "n_train": 1,
            "n_test": 1,
            "n_classes": 2,
            "device": "cpu",
            "threads": 1,
            "precision": "fp32",
            "versions": {},
        },
        "runs": [
            {**common, **({} if name.startswith("dense") else tree), "variant": name}
            | {"top1_fraction": value}
            for name, value in top1.items()
        ],
    }


def test_the_page_says_plainly_what_is_met_and_reproduced():
    top1 = {"dense": 0.8, "dense_continued": 0.82, "default": 0.79, "random_partition": 0.78}
    text = page(*both(made_up({**top1, "no_responsibility": 0.77}, 0.95)))
    assert "| default | met: 60.0 % | met: −1.00 | met: 0.950 |" in text
    assert "- Top-1, reproduced." in text
    text = page(*both(made_up({**top1, "no_responsibility": 0.785}, 0.8)))
    assert "- Top-1, reproduced in part (the default is first)." in text
    assert "**not met**: 0.800" in text
    text = page(*both(made_up({**top1, "default": 0.7, "no_responsibility": 0.6}, 0.8)))
    assert "**not met**: −10.00" in text
    assert "- Top-1, **not reproduced**." in text


def both(results: dict) -> tuple:
    return results, summarise_study(results), "figure.png"
