"""How much a stream repeats itself: runs of a leaf, transitions, entropy, reuse distance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.runtime.itinerary import Arms, Itinerary
from simulator.runtime.streams import Stream
from simulator.runtime.tally import Tally

MOST_REMEMBERED = 10_000
"""Recency orders of nodes whose distances are remembered; beyond, they are worked out again."""


@dataclass(frozen=True)
class Locality:
    """What can be said of a stream of leaves before any device is chosen.

    Attributes:
        leaves: the arms of each leaf, the order of all that follows.
        shares: how often each leaf was taken.
        transitions: row by row, how often each leaf followed each: fractions of a row.
        entropy_bits: of a leaf, the stream's order aside.
        conditional_entropy_bits: of a leaf once the one before is known.
        run_lengths: inputs in a row that took the same leaf.
        reuse_bytes: by node, bytes of other weights needed since it was needed last.
        weighted_reuse_bytes: the same over all nodes, each weighted by its bytes.
    """

    leaves: tuple[Arms, ...]
    shares: tuple[float, ...]
    transitions: tuple[tuple[float, ...], ...]
    entropy_bits: float
    conditional_entropy_bits: float
    run_lengths: Tally
    reuse_bytes: tuple[Tally, ...]
    weighted_reuse_bytes: Tally


def measure_locality(stream: Stream, itinerary: Itinerary, node_bytes: Sequence[int]) -> Locality:
    """Read a stream once; `node_bytes` are the weights of the itinerary's nodes."""
    leaves = stream.population.leaves
    paths = [itinerary.path(arms) for arms in leaves]
    counts = np.zeros((len(leaves), len(leaves)), dtype=np.int64)
    runs, reuse = Tally(), _ReuseDistance(node_bytes)
    seen = np.zeros(len(leaves), dtype=np.int64)
    last, run = -1, 0
    for chunk in stream.chunks():
        taken = stream.population.leaf_of[chunk]
        seen += np.bincount(taken, minlength=len(leaves))
        before = np.concatenate(([last], taken[:-1])) if last >= 0 else taken[:-1]
        np.add.at(counts, (before, taken[len(taken) - len(before) :]), 1)
        for leaf in taken.tolist():
            if leaf == last:
                run += 1
            else:
                if run:
                    runs.add(run)
                last, run = leaf, 1
            reuse.pass_through(paths[leaf])
    runs.add(run)
    return Locality(
        leaves=leaves,
        shares=tuple((seen / seen.sum()).tolist()),
        transitions=tuple(tuple((row / max(row.sum(), 1)).tolist()) for row in counts),
        entropy_bits=_entropy_bits(seen),
        conditional_entropy_bits=_conditional_entropy_bits(counts),
        run_lengths=runs,
        reuse_bytes=tuple(reuse.by_node),
        weighted_reuse_bytes=reuse.weighted,
    )


def _entropy_bits(counts: NDArray[np.int64]) -> float:
    shares = counts[counts > 0] / counts.sum()
    return abs(float(-(shares * np.log2(shares)).sum()))


def _conditional_entropy_bits(transitions: NDArray[np.int64]) -> float:
    total = int(transitions.sum())
    if not total:
        return 0.0
    return math.fsum(
        int(row.sum()) / total * _entropy_bits(row) for row in transitions if row.sum()
    )


class _ReuseDistance:
    """Bytes of other nodes entered since a node was entered last: Mattson's stack, in bytes.

    A region that keeps the most recent weights and nothing is ever too large for holds a node
    exactly if its distance and its own bytes do not exceed the capacity (Mattson et al.,
    "Evaluation techniques for storage hierarchies", IBM Systems Journal 9(2), 1970).
    """

    def __init__(self, node_bytes: Sequence[int]) -> None:
        self._bytes = tuple(node_bytes)
        self._recent: tuple[int, ...] = ()
        self._known: dict[
            tuple[tuple[int, ...], tuple[int, ...]],
            tuple[tuple[tuple[int, int], ...], tuple[int, ...]],
        ] = {}
        self.by_node = [Tally() for _ in node_bytes]
        self.weighted = Tally()

    def pass_through(self, path: tuple[int, ...]) -> None:
        """Enter the nodes of a path one after the other."""
        key = (self._recent, path)
        found = self._known.get(key)
        if found is None:
            found = self._work_out(path)
            if len(self._known) < MOST_REMEMBERED:
                self._known[key] = found
        distances, self._recent = found
        for node, distance in distances:
            self.by_node[node].add(distance)
            if self._bytes[node]:
                self.weighted.add(distance, self._bytes[node])

    def _work_out(
        self, path: tuple[int, ...]
    ) -> tuple[tuple[tuple[int, int], ...], tuple[int, ...]]:
        recent = list(self._recent)
        found = []
        for node in path:
            if node in recent:
                position = recent.index(node)
                found.append((node, sum(self._bytes[other] for other in recent[:position])))
                del recent[position]
            recent.insert(0, node)
        return tuple(found), tuple(recent)
