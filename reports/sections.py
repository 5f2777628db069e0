"""The parts of a network that a figure tells apart: its segments, or a dense network's stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from simulator.ir import Program, Segment
from simulator.result import LayerResult
from simulator.simulation import RunResult

REST = "other"
ALWAYS, ROUTERS, ARMS = "always run", "routers", "arms"


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


def main_sections(run: RunResult, most: int) -> list[str]:
    """The section of each layer of the typical inference, told apart into at most so many.

    Where a network has more, its segments are sorted into those that always run, routers and
    arms; where it has none of these, the sections with the least time are merged.
    """
    layers = run.typical.layers
    names = section_names(layers)
    if len(set(names)) <= most:
        return names
    roles = segment_roles(run.workload.program)
    if len(set(roles.values())) > 1:
        return [roles[layer.segment] for layer in layers]
    time_ps: dict[str, int] = {}
    for name, layer in zip(names, layers, strict=True):
        time_ps[name] = time_ps.get(name, 0) + layer.end_ps - layer.start_ps
    kept = set(sorted(time_ps, key=lambda name: time_ps[name], reverse=True)[: most - 1])
    return [name if name in kept else REST for name in names]


def segment_roles(program: Program, role: str = ALWAYS) -> dict[str, str]:
    """What every segment of a tree is, by its name."""
    roles: dict[str, str] = {}
    for step in program.steps:
        if isinstance(step, Segment):
            roles[step.name] = role
            continue
        roles[step.router.name] = ROUTERS
        for arm in step.arms:
            roles |= segment_roles(arm, ARMS)
    return roles


def short_name(layer: LayerResult) -> str:
    """A layer's name without that of its segment, which stands beside it."""
    return layer.name.removeprefix(f"{layer.segment}.")
