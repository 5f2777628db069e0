"""Collects what requests experienced, in memory that does not grow with their number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from simulator.serving.request import Arms, Request
from simulator.serving.series import Series
from simulator.serving.service import Served

FIRST_BLOCK, MOST_BLOCKS = 16, 64
"""Requests in a block at first; whenever there are so many blocks, every two become one."""
CHUNK = 8192


class Quantity(StrEnum):
    """What a request experiences. missed is one where the deadline passed, else zero."""

    RESPONSE = "response"
    QUEUEING = "queueing"
    SERVICE = "service"
    MISSED = "missed"


@dataclass(frozen=True)
class Group:
    """A part of the requests: of a network, a leaf, or by what was on chip; None means any."""

    network: int | None = None
    arms: Arms | None = None
    warm: bool | None = None


Quantities = dict[Quantity, Series]
_Row = tuple[int, int, int, int, int, Arms, bool]


@dataclass
class Collector:
    """Takes requests in the order of service.

    Attributes:
        leaves: network and arms of the leaves to tell apart.
        networks: networks to tell apart.
        skip: requests by order of arrival that are not counted, while the queue fills.
        groups: what was collected.
        energy_pj, weight_read_bytes, hit_bytes: of all inferences, the skipped ones included.
        block_requests: how many requests a block holds.
    """

    leaves: frozenset[tuple[int, Arms]]
    networks: frozenset[int]
    skip: int = 0
    groups: dict[Group, Quantities] = field(default_factory=dict)
    energy_pj: float = 0.0
    weight_read_bytes: int = 0
    hit_bytes: int = 0
    block_requests: int = FIRST_BLOCK
    _rows: list[_Row] = field(default_factory=list)
    _in_block: int = 0
    _blocks: int = 0

    def record(self, request: Request, start_ps: int, end_ps: int, inference: Served) -> None:
        """A request has been served."""
        self.energy_pj += inference.energy_pj
        self.weight_read_bytes += inference.weight_read_bytes
        self.hit_bytes += inference.hit_bytes
        if request.number < self.skip:
            return
        missed = request.deadline_ps is not None and end_ps > request.deadline_ps
        row = (request.arrival_ps, start_ps, end_ps, missed, request.network, request.arms)
        self._rows.append((*row, inference.hit_bytes > 0))
        if len(self._rows) >= min(self.block_requests - self._in_block, CHUNK):
            self._digest()

    def finish(self) -> None:
        """Count what is left; the last block may be shorter than the others."""
        self._digest()
        if self._in_block:
            self._each(Series.close_block)

    def _digest(self) -> None:
        if not self._rows:
            return
        arrival, start, end, missed, network, arms, warm = zip(*self._rows, strict=True)
        self._in_block += len(self._rows)
        self._rows = []
        arrivals, starts, ends = (
            np.array(times, dtype=np.int64) for times in (arrival, start, end)
        )
        values = {
            Quantity.RESPONSE: ends - arrivals,
            Quantity.QUEUEING: starts - arrivals,
            Quantity.SERVICE: ends - starts,
            Quantity.MISSED: np.array(missed, dtype=np.int64),
        }
        masks: dict[Group, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]] = {
            Group(): np.ones(len(arrivals), dtype=np.bool_)
        }
        warmth = np.array(warm)
        for state in set(warm):
            masks[Group(warm=state)] = warmth == state
        if len(self.networks) > 1:
            numbers = np.array(network)
            for number in self.networks & set(network):
                masks[Group(number)] = numbers == number
        keys = list(zip(network, arms, strict=True))
        for leaf in self.leaves & set(keys):
            masks[Group(*leaf)] = np.array([key == leaf for key in keys])
        for group, mask in masks.items():
            if group not in self.groups:
                self.groups[group] = {quantity: Series(self._blocks) for quantity in Quantity}
            for quantity, series in self.groups[group].items():
                series.add(values[quantity][mask])
        if self._in_block >= self.block_requests:
            self._close_block()

    def _close_block(self) -> None:
        self._each(Series.close_block)
        self._in_block = 0
        self._blocks += 1
        if self._blocks == MOST_BLOCKS:
            self._each(Series.merge_pairs)
            self._blocks //= 2
            self.block_requests *= 2

    def _each(self, action: Callable[[Series], None]) -> None:
        for quantities in self.groups.values():
            for series in quantities.values():
                action(series)
