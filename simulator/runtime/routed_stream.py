"""Runs a stream whose routes are decided on the way, and judges the answers it gets.

An outcomes file says what every router and every leaf would make of every input, so a route can
be changed without running the network again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from simulator.errors import UserError
from simulator.outcomes_file import InputOutcome, Outcomes
from simulator.runtime.device import Device
from simulator.runtime.inference import Inference
from simulator.runtime.run_stream import window_length
from simulator.runtime.stream_result import StreamResult
from simulator.runtime.streams import Stream


def prefer_resident(
    probabilities: Sequence[float], resident: Sequence[float], margin: float
) -> int:
    """The arm to take: of those less than `margin` less probable than the best, the most resident.

    Among equally resident ones the more probable, then the first. With margin 0 that is the
    router's own decision.
    """
    best = probabilities.index(max(probabilities))
    allowed = [
        arm
        for arm, probability in enumerate(probabilities)
        if arm == best or probability > probabilities[best] - margin
    ]
    return max(allowed, key=lambda arm: (resident[arm], probabilities[arm], -arm))


@dataclass(frozen=True)
class Answers:
    """What routers and leaves say of every input.

    Attributes:
        full: with all bits.
        standin: with fewer bits, for an inference of which some node ran so; from the first such
            node on its routers and its leaf are taken to say what the whole tree would in fewer
            bits. None: not known.
    """

    full: Outcomes
    standin: Outcomes | None = None

    def __post_init__(self) -> None:
        if self.standin is None:
            return
        full, fewer = self.full, self.standin
        if (full.branches, full.leaves) != (fewer.branches, fewer.leaves):
            raise UserError("--standin-outcomes: is of another tree than the outcomes")
        if [entry.label for entry in full.inputs] != [entry.label for entry in fewer.inputs]:
            raise UserError("--standin-outcomes: is of other inputs than the outcomes")

    @cached_property
    def branch_number(self) -> dict[str, int]:
        """Where a branch's distribution stands in an input's entry."""
        return {branch.name: index for index, branch in enumerate(self.full.branches)}

    @cached_property
    def leaf_number(self) -> dict[tuple[int, ...], int]:
        """Where a leaf's prediction stands in an input's entry."""
        return {arms: leaf for leaf, arms in enumerate(self.full.leaves)}

    def entry(self, index: int, standin: bool) -> InputOutcome:
        """What is said of an input, in fewer bits or, where that is not known, in all."""
        source = self.standin if standin and self.standin is not None else self.full
        return source.inputs[index]


def run_routed(
    device: Device, stream: Stream, answers: Answers, margin: float = 0.0
) -> StreamResult:
    """Serve a stream of real inputs, each along the route its routers and the margin choose.

    Raises:
        UserError: a margin out of range.
    """
    if not 0 <= margin <= 1:
        raise UserError(f"margin {margin:g}: must be from 0 to 1")
    device.reset()
    result = StreamResult(device.residency, window_length(stream.count), margin)
    result.judged = not device.residency.standin or answers.standin is not None
    for index in stream.inputs():
        inference = _serve(device, answers, index, margin)
        window = result.add(inference)
        leaf = answers.leaf_number[inference.arms]
        window.diverted += leaf != answers.full.inputs[index].leaf
        said = answers.entry(index, inference.standin_nodes > 0)
        window.right += result.judged and said.predictions[leaf] == said.label
    return result


def _serve(device: Device, answers: Answers, index: int, margin: float) -> Inference:
    def choose(name: str, resident: Sequence[float], standin: bool) -> int:
        entry = answers.entry(index, standin)
        return prefer_resident(entry.probabilities[answers.branch_number[name]], resident, margin)

    return device.decide(choose)
