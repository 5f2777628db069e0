"""Visits to rows served strictly in order: how long many short pieces of a transfer take."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from simulator.cost.dram_address import Region

LONG_AGO_PS = -(10**12)


@dataclass(frozen=True)
class RowTimes:
    """What the visits wait for, in picoseconds; see `DramTiming` for the names.

    `window` is how many bursts ahead of the one on the bus the controller opens rows.
    """

    burst_ps: int
    rcd_ps: int
    rp_ps: int
    ras_ps: int
    rc_ps: int
    rrd_ps: int
    faw_ps: int
    to_precharge_ps: int
    window: int


@dataclass(frozen=True)
class RowVisits:
    """A walk's outcome on one channel."""

    duration_ps: int
    bursts: int
    activates: int


class RowWalk:
    """Banks of one channel that serve region after region, opening rows ahead as a window allows.

    Every time is the latest of earlier ones plus a constant, and the order is that of the
    addresses: so no visit is later if a duration shrinks.
    """

    def __init__(self, times: RowTimes) -> None:
        self._times = times
        self._open: dict[int, int] = {}
        self._activated_ps: dict[int, int] = {}
        self._read_ps: dict[int, int] = {}
        self._last_four_ps = deque([LONG_AGO_PS] * 4, maxlen=4)

    def walk(self, regions: Iterable[Region], most_bursts: int) -> RowVisits:
        """Serve the regions, all banks being closed before; stop after `most_bursts`.

        The first row's opening is not counted: it runs under the data of the transfer before.
        """
        times = self._times
        issued: deque[tuple[int, int]] = deque()  # (bursts up to here, last burst at)
        bursts = activates = last_ps = 0
        seen_ps = 0
        next_ps = times.rcd_ps
        for region in regions:
            count = region.end - region.first
            while issued and issued[0][0] <= bursts - times.window:
                seen_ps = issued.popleft()[1]
            ready_ps = next_ps
            for piece in range(min(region.width, count)):
                bank = region.bank + (region.first + piece) % region.width
                if self._open.get(bank) != region.row:
                    ready_ps = max(ready_ps, self._activate(bank, region.row, seen_ps))
                    activates += 1
            last_ps = ready_ps + (count - 1) * times.burst_ps
            for piece in range(min(region.width, count)):
                self._read_ps[region.bank + (region.first + piece) % region.width] = last_ps
            bursts += count
            issued.append((bursts, last_ps))
            next_ps = last_ps + times.burst_ps
            if bursts >= most_bursts:
                break
        return RowVisits(next_ps - times.rcd_ps, bursts, activates)

    def _activate(self, bank: int, row: int, seen_ps: int) -> int:
        """Open a row; when its first column command may follow."""
        times = self._times
        at_ps = seen_ps
        if bank in self._open:
            opened_ps = self._activated_ps[bank]
            closes_ps = max(
                seen_ps, opened_ps + times.ras_ps, self._read_ps[bank] + times.to_precharge_ps
            )
            at_ps = max(closes_ps + times.rp_ps, opened_ps + times.rc_ps)
        at_ps = max(
            at_ps, self._last_four_ps[-1] + times.rrd_ps, self._last_four_ps[0] + times.faw_ps
        )
        self._last_four_ps.append(at_ps)
        self._activated_ps[bank], self._open[bank] = at_ps, row
        return at_ps + times.rcd_ps
