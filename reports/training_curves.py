"""The figure `training.png`: loss, accuracy and balance over dense training and fine-tuning."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from reports import palette
from reports.build_files import BuildFiles
from reports.sheet import HEADER_IN, MARGIN_IN, Sheet
from reports.wording import clip

PANEL_IN = (6.0, 1.45)
GAP_IN = 0.5
LABELS_IN = 1.7
Curve = tuple[list[int], list[float]]


def draw_training(build: BuildFiles) -> Sheet:
    """Three panels over the epochs: dense training, then fine-tuning of the soft tree."""
    dense, tuned = build.history["dense"], build.history["finetune"]
    width_in = MARGIN_IN + 0.65 + PANEL_IN[0] + LABELS_IN
    final = build.metrics["tree"]
    sheet = Sheet(
        width_in,
        HEADER_IN + 3 * (PANEL_IN[1] + GAP_IN) + 0.2,
        f"The tree ends at {100 * final['top1_fraction']:.1f} % top-1, "
        f"balance {final['balance_fraction']:.2f}",
        f"{clip(build.caption, 100)}\ndense network: "
        f"{100 * build.metrics['dense']['top1_fraction']:.1f} %; test figures of hard routing",
    )
    panels = [
        sheet.axes(MARGIN_IN + 0.65, HEADER_IN + row * (PANEL_IN[1] + GAP_IN), *PANEL_IN)
        for row in range(3)
    ]
    _losses(panels[0], dense, tuned)
    _accuracies(panels[1], dense, tuned, final["initial"])
    _balance(panels[2], dense, tuned, final["initial"])
    last = max(len(dense) + len(tuned), 1)
    for axes in panels:
        axes.set_xlim(0, last + 0.3)
        axes.grid(axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if dense:
            axes.axvline(len(dense), color=palette.GREY, linewidth=0.8, linestyle=":")
    panels[2].set_xlabel("epochs: dense training, then fine-tuning" if dense else "epochs")
    return sheet


def curve(records: list[dict[str, Any]], part: str, key: str, first: int) -> Curve:
    """A recorded figure over the epochs where it was recorded; `first` epochs came before."""
    points = [(first + r["epoch"], r[part][key]) for r in records if key in r[part]]
    return [epoch for epoch, _ in points], [value for _, value in points]


def _losses(axes: Axes, dense: list[dict[str, Any]], tuned: list[dict[str, Any]]) -> None:
    epochs = [record["epoch"] for record in dense]
    _line(axes, (epochs, [r["loss"] for r in dense]), "dense", palette.BLACK)
    _line(
        axes,
        curve(tuned, "scalars", "classification_loss", len(dense)),
        "classification (tree)",
        palette.BLUE,
    )
    _line(
        axes,
        curve(tuned, "scalars", "responsibility_loss", len(dense)),
        "responsibility (tree)",
        palette.ORANGE,
    )
    _legend(axes)
    axes.set(ylabel="training loss", ylim=(0, 1.08 * max(axes.dataLim.y1, 0.1)))


def _accuracies(
    axes: Axes,
    dense: list[dict[str, Any]],
    tuned: list[dict[str, Any]],
    initial: dict[str, Any],
) -> None:
    key = "top1_fraction"
    _line(axes, _percent(curve(dense, "metrics", key, 0)), "dense, test", palette.BLACK)
    epochs, values = curve(tuned, "metrics", key, len(dense))
    started = ([len(dense), *epochs], [initial[key], *values])
    _line(axes, _percent(started), "tree, test", palette.BLUE)
    seen = curve(tuned, "scalars", "train_top1_fraction", len(dense))
    _line(axes, _percent(seen), "tree, training", palette.SKY)
    _legend(axes)
    axes.set(ylabel="top-1 in %", ylim=(0, 100))


def _balance(
    axes: Axes,
    dense: list[dict[str, Any]],
    tuned: list[dict[str, Any]],
    initial: dict[str, Any],
) -> None:
    key = "balance_fraction"
    epochs, values = curve(tuned, "metrics", key, len(dense))
    _line(axes, ([len(dense), *epochs], [initial[key], *values]), "tree", palette.GREEN)
    _legend(axes)
    axes.set(ylabel="balance", ylim=(0, 1.05))


def _percent(points: Curve) -> Curve:
    return points[0], [100 * value for value in points[1]]


def _line(axes: Axes, points: Curve, label: str, colour: str) -> None:
    if points[0]:
        axes.plot(*points, color=colour, label=label, marker="o", markersize=2.5, linewidth=1.4)


def _legend(axes: Axes) -> None:
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0)
