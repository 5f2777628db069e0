"""The figure `tree.png`: the tree's nodes with their parameters and how often each is taken."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from reports import palette
from reports.build_files import BuildFiles
from reports.sheet import HEADER_IN, LABEL_PT, MARGIN_IN, Sheet
from reports.wording import clip

LEAF_IN = 1.75
ROW_IN = 0.95
BOX_IN = (1.4, 0.5)
NARROWEST_IN = 7.4
_NODES = {
    "trunk": ("shared backbone", palette.BLUE, palette.WHITE),
    "router": ("router", palette.YELLOW, palette.BLACK),
    "level": ("specializer", palette.SKY, palette.BLACK),
    "head": ("head", palette.GREEN, palette.WHITE),
}


def draw_tree(build: BuildFiles) -> Sheet:
    """The tree from the backbone down to the heads; lines as thick as the share of inputs."""
    tree = build.metrics["tree"]
    n_leaves, depth = len(tree["leaf_names"]), len(tree["arities"])
    n_rows = 2 * depth + 2
    width_in = max(NARROWEST_IN, n_leaves * LEAF_IN + 2 * MARGIN_IN)
    height_in = HEADER_IN + n_rows * ROW_IN + 0.3
    cut = 100 * tree["active_cut_fraction"]
    sheet = Sheet(
        width_in,
        height_in,
        f"One path runs {tree['p_active']:,} of {tree['p_total']:,} parameters",
        f"{clip(build.caption, 100)}\n{cut:.1f} % fewer than the dense network's "
        f"{build.metrics['dense']['params']:,}; lines as thick as the share of test inputs",
    )
    axes = sheet.axes(0, HEADER_IN, width_in, height_in - HEADER_IN)
    axes.set(xlim=(0, width_in), ylim=(n_rows * ROW_IN + 0.3, 0))
    axes.axis("off")
    _Drawing(axes, tree, (width_in - n_leaves * LEAF_IN) / 2).draw()
    return sheet


class _Drawing:
    """Places nodes by leaf, in inches from the top left."""

    def __init__(self, axes: Axes, tree: dict[str, Any], left_in: float) -> None:
        self.axes = axes
        self.arities = tree["arities"]
        self.left_in = left_in
        self.params = {node["name"]: node["params"] for node in tree["nodes"]}
        self.leaf_names = tree["leaf_names"]
        self.shares = tree["leaf_shares"]

    def draw(self) -> None:
        self._below(0, 0, range(len(self.leaf_names)))

    def _below(self, level: int, node: int, leaves: range) -> None:
        """One node, its router where it has one, and everything under it."""
        name = "trunk" if level == 0 else f"level{level}.{node}"
        x_in = self._middle(leaves)
        y_in = self._row(0 if level == 0 else 2 * level)
        self._box(name, x_in, y_in)
        share = sum(self.shares[leaf] for leaf in leaves)
        if level == len(self.arities):
            below = self._row(2 * level + 1)
            self._line((x_in, y_in), (x_in, below), share)
            self._box(f"head.{node}", x_in, below)
            text = f"{self.leaf_names[node]}: {100 * share:.1f} %"
            self.axes.text(x_in, below + 0.37, text, ha="center", va="top", weight="bold", size=9)
            return
        router = f"router{level + 1}.{node}"
        from_in = (x_in, y_in)
        if router in self.params:
            from_in = (x_in, self._row(2 * level + 1))
            self._line((x_in, y_in), from_in, share)
            self._box(router, *from_in)
        arity = self.arities[level][node]
        child = sum(self.arities[level][:node])
        for part in self._parts(level + 1, child, arity, leaves.start):
            reached = sum(self.shares[leaf] for leaf in part)
            self._line(from_in, (self._middle(part), self._row(2 * level + 2)), reached)
            self._below(level + 1, child, part)
            child += 1

    def _parts(self, level: int, first: int, count: int, leaf: int) -> list[range]:
        """The leaves below each of some neighbouring nodes."""
        parts = []
        for node in range(first, first + count):
            size = self._n_leaves(level, node)
            parts.append(range(leaf, leaf + size))
            leaf += size
        return parts

    def _n_leaves(self, level: int, node: int) -> int:
        if level == len(self.arities):
            return 1
        first = sum(self.arities[level][:node])
        below = range(first, first + self.arities[level][node])
        return sum(self._n_leaves(level + 1, child) for child in below)

    def _middle(self, leaves: range) -> float:
        return self.left_in + LEAF_IN * (leaves.start + leaves.stop) / 2

    def _row(self, row: int) -> float:
        return ROW_IN * row + 0.35

    def _line(self, start: tuple[float, float], stop: tuple[float, float], share: float) -> None:
        xs, ys = zip(start, stop, strict=True)
        width_pt = 0.6 + 7 * share
        self.axes.plot(xs, ys, color=palette.GREY, linewidth=width_pt, zorder=1, alpha=0.7)

    def _box(self, name: str, x_in: float, y_in: float) -> None:
        kind = next(kind for kind in _NODES if name.startswith(kind))
        label, fill, ink = _NODES[kind]
        width_in, height_in = BOX_IN
        corner = (x_in - width_in / 2, y_in - height_in / 2)
        shape = "round,pad=0,rounding_size=0.08"
        box = FancyBboxPatch(corner, width_in, height_in, shape, facecolor=fill, zorder=2)
        self.axes.add_patch(box)
        text = f"{label}\n{self.params.get(name, 0):,}"
        self.axes.text(x_in, y_in, text, ha="center", va="center", size=LABEL_PT, color=ink)
