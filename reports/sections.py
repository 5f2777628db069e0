"""The parts of a network that a figure tells apart: its segments, or a dense network's stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from simulator.result import LayerResult

REST = "other"


@dataclass(frozen=True)
class Section:
    """A run of consecutive layers, `first` up to but not including `stop`."""

    name: str
    first: int
    stop: int


def section_names(layers: Sequence[LayerResult]) -> list[str]:
    """Each layer's section.

    The segment it belongs to; in a network of one segment the first part of its dotted name,
    if that sorts the layers into few enough groups to tell more than the names themselves.
    """
    segments = [layer.segment for layer in layers]
    if len(set(segments)) > 1:
        return segments
    stages = [layer.name.split(".")[0] for layer in layers]
    return stages if 1 < len(set(stages)) <= len(layers) / 3 else segments


def sections(layers: Sequence[LayerResult]) -> list[Section]:
    """The sections in order of execution."""
    found = []
    first = 0
    for name, members in groupby(section_names(layers)):
        stop = first + sum(1 for _ in members)
        found.append(Section(name, first, stop))
        first = stop
    return found


def longest_sections(layers: Sequence[LayerResult], most: int) -> list[str]:
    """Each layer's section, those with the least time merged so that `most` remain."""
    names = section_names(layers)
    time_ps: dict[str, int] = {}
    for name, layer in zip(names, layers, strict=True):
        time_ps[name] = time_ps.get(name, 0) + layer.end_ps - layer.start_ps
    if len(time_ps) <= most:
        return names
    kept = set(sorted(time_ps, key=lambda name: time_ps[name], reverse=True)[: most - 1])
    return [name if name in kept else REST for name in names]


def short_name(layer: LayerResult) -> str:
    """A layer's name without that of its segment, which stands beside it."""
    return layer.name.removeprefix(f"{layer.segment}.")
