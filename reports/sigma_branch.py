"""Writes the pictures of a built tree into the build's folder: the entry point for `build`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from reports.build_files import BuildFiles, read_build
from reports.channel_scatter import draw_channels
from reports.files import write_whole
from reports.leaf_heatmap import draw_leaf_heatmap
from reports.sheet import Sheet, png_bytes
from reports.training_curves import draw_training
from reports.tree_figure import draw_tree

BUILD_FIGURES: dict[str, Callable[[BuildFiles], Sheet]] = {
    "tree.png": draw_tree,
    "channels.png": draw_channels,
    "class_by_leaf.png": draw_leaf_heatmap,
    "training.png": draw_training,
}


def write_build_figures(folder: Path) -> list[Path]:
    """Draw a finished build's figures beside its data; returns the files written.

    Raises:
        UserError: the folder holds no finished build, or cannot be written.
    """
    build = read_build(folder)
    files = {name: png_bytes(partial(draw, build)) for name, draw in BUILD_FIGURES.items()}
    for name, data in files.items():
        write_whole(folder / name, data)
    return [folder / name for name in files]
