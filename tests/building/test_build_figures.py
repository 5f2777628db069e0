import pytest

from reports.channel_scatter import kinds_of
from reports.leaf_heatmap import ordered_shares
from reports.sigma_branch import write_build_figures
from reports.training_curves import curve
from simulator.errors import UserError


def test_each_channel_of_the_scatter_is_what_it_was_chosen_for():
    group = {
        "means": [[0.0] * 6, [0.0] * 6],
        "channels": [[0, 1, 3], [0, 2, 3]],
        "shared": [[True, False, False], [True, False, False]],
    }
    # 0 is shared; 3 was chosen by both, each as its own; 4 and 5 by neither.
    assert kinds_of(group) == ["shared", "first", "second", "both", "dropped", "dropped"]


def test_classes_are_ordered_by_dominant_leaf_then_by_how_dominant():
    counts = [[1, 9], [6, 4], [0, 0], [8, 2], [4, 6]]
    order, shares = ordered_shares(counts)
    # Leaf 0: class 3 (0.8), 1 (0.6), 2 (no inputs); leaf 1: class 0 (0.9), 4 (0.6).
    assert order == [3, 1, 2, 0, 4]
    assert shares[0] == [0.8, 0.2]
    assert shares[2] == [0.0, 0.0]


def test_curves_skip_epochs_that_were_not_measured():
    records = [
        {"epoch": 1, "metrics": {}},
        {"epoch": 2, "metrics": {"top1_fraction": 0.5}},
    ]
    assert curve(records, "metrics", "top1_fraction", first=10) == ([12], [0.5])


def test_pictures_are_the_same_bytes_for_the_same_build(built):
    before = {path.name: path.read_bytes() for path in built.glob("*.png")}
    write_build_figures(built)
    assert {path.name: path.read_bytes() for path in built.glob("*.png")} == before


def test_a_folder_without_a_finished_build_is_named(tmp_path):
    with pytest.raises(UserError, match=r"metrics\.json: cannot be read.*is the build done"):
        write_build_figures(tmp_path)
    (tmp_path / "metrics.json").write_text("{")
    with pytest.raises(UserError, match=r"metrics\.json: is not a complete JSON file"):
        write_build_figures(tmp_path)
