"""Finds room for labels between the dots of a figure; everything in inches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.sheet import CHARACTER_WIDTH_IN

LABEL_HEIGHT_IN = 0.14
GAP_IN = 0.04


@dataclass(frozen=True)
class Box:
    """A rectangle, y upwards."""

    left_in: float
    bottom_in: float
    right_in: float
    top_in: float

    def overlaps(self, other: Box) -> bool:
        """Whether the two share more than an edge."""
        return (
            self.left_in < other.right_in
            and other.left_in < self.right_in
            and self.bottom_in < other.top_in
            and other.bottom_in < self.top_in
        )

    def contains(self, other: Box) -> bool:
        """Whether the other lies inside."""
        return (
            self.left_in <= other.left_in
            and other.right_in <= self.right_in
            and self.bottom_in <= other.bottom_in
            and other.top_in <= self.top_in
        )


@dataclass(frozen=True)
class Mark:
    """A round mark that wants a label: its centre, its radius and the text."""

    x_in: float
    y_in: float
    radius_in: float
    text: str = ""

    @property
    def box(self) -> Box:
        """The square around it."""
        return Box(
            self.x_in - self.radius_in,
            self.y_in - self.radius_in,
            self.x_in + self.radius_in,
            self.y_in + self.radius_in,
        )

    def label_boxes(self) -> list[Box]:
        """Where its label may go, best first: right and a little low, under, over, left."""
        width = CHARACTER_WIDTH_IN * len(self.text)
        reach = self.radius_in + GAP_IN
        right, left = self.x_in + reach, self.x_in - reach - width
        middle = self.x_in - width / 2
        low, under = self.y_in - LABEL_HEIGHT_IN, self.y_in - reach - LABEL_HEIGHT_IN
        return [
            Box(x, y, x + width, y + LABEL_HEIGHT_IN)
            for x, y in (
                (right, low),
                (middle, under),
                (right, under),
                (middle, self.y_in + reach),
                (left, self.y_in),
            )
        ]


def label_places(
    marks: Sequence[Mark], obstacles: Sequence[Box], frame: Box, most: int
) -> list[tuple[Mark, Box]]:
    """Labels of the first marks that find room, at most so many, clear of all obstacles.

    Of marks that lie on each other only the first is labelled.
    """
    taken = list(obstacles)
    placed: list[tuple[Mark, Box]] = []
    for mark in marks:
        if len(placed) == most:
            break
        if any(_covers(other, mark) for other, _ in placed):
            continue
        for box in mark.label_boxes():
            if frame.contains(box) and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                placed.append((mark, box))
                break
    return placed


def _covers(mark: Mark, other: Mark) -> bool:
    reach = max(mark.radius_in, other.radius_in)
    return abs(mark.x_in - other.x_in) < reach and abs(mark.y_in - other.y_in) < reach
