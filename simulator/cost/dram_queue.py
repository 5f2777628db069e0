"""The controller's request queue: bursts of one row gathered in groups, slots that come free."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from simulator.cost.dram_address import Region

LONG_FREE_PS = -(10**6)


class Group:
    """Pending bursts of one row: when the first and the last entered, and whose they are."""

    __slots__ = ("bank", "count", "first_ps", "last_ps", "row", "serial", "transfers")

    def __init__(self, serial: int, bank: int, row: int, transfer: int) -> None:
        self.serial, self.bank, self.row = serial, bank, row
        self.count, self.first_ps, self.last_ps = 0, 0, 0
        self.transfers = [transfer]

    def entered_ps(self, count: int) -> int:
        """When the first `count` bursts have entered; bursts enter evenly spaced."""
        if count == self.count:
            return self.last_ps
        spread_ps = self.last_ps - self.first_ps
        return self.first_ps + spread_ps * (count - 1) // (self.count - 1)


class Queue:
    """A queue of `capacity` bursts, its groups in order of arrival.

    A slot is free again `hold_ps` after its burst was issued. `reach` is how many bursts of one
    bank the scheduler looks at: a hit further back neither joins an older group nor overtakes.
    """

    def __init__(self, capacity: int, hold_ps: int, reach: int) -> None:
        self.capacity, self.hold_ps = capacity, hold_ps
        self.groups: dict[int, Group] = {}
        self.pending = 0
        self._reach = min(reach, capacity)
        self._newest: dict[tuple[int, int], Group] = {}
        self._in_bank: dict[int, int] = {}
        self._serial = 0
        self._free: deque[tuple[int, int, int]] = deque([(0, 0, capacity)])

    @property
    def room(self) -> int:
        """Bursts that can still enter."""
        return self.capacity - self.pending

    def enter(self, transfer: int, region: Region, first: int, count: int) -> None:
        """Let bursts first..first+count-1 of a region enter as their slots become free."""
        first_ps, last_ps = self._take(count)
        self.pending += count
        if region.width == 1:
            self._join(transfer, (region.bank, region.row), count, first_ps, last_ps)
            return
        for offset, n in region.spread(first, count):
            self._join(transfer, (region.bank + offset, region.row), n, first_ps, last_ps)

    def visible(self) -> Iterable[Group]:
        """Groups the scheduler may choose from, oldest first."""
        return self.groups.values() if self._reach == self.capacity else self._in_reach()

    def relative_to(self, time_ps: int, row: int) -> tuple[object, ...]:
        """The queue's state as seen from a time and a row; slots long free read the same."""
        groups = tuple(
            (g.bank, g.row - row, g.count, g.first_ps - time_ps, g.last_ps - time_ps)
            for g in self.groups.values()
        )
        free = tuple(
            (max(start_ps - time_ps, LONG_FREE_PS), step_ps, n)
            for start_ps, step_ps, n in self._free
        )
        return groups, free

    def shift(self, time_ps: int, rows: int) -> None:
        """Move the whole state by a time and a number of rows."""
        for group in self.groups.values():
            group.row += rows
            group.first_ps += time_ps
            group.last_ps += time_ps
        self._newest = {(g.bank, g.row): g for g in self.groups.values()}
        self._free = deque((start_ps + time_ps, step_ps, n) for start_ps, step_ps, n in self._free)

    def _in_reach(self) -> Iterator[Group]:
        ahead: dict[int, int] = {}
        for group in self.groups.values():
            before = ahead.get(group.bank, 0)
            if before < self._reach:
                yield group
            ahead[group.bank] = before + group.count

    def leave(self, group: Group, count: int, start_ps: int, last_ps: int) -> None:
        """Remove bursts issued from start_ps to last_ps; their slots come free as evenly."""
        step_ps = (last_ps - start_ps) // (count - 1) if count > 1 else 0
        self._free.append((start_ps + self.hold_ps, step_ps, count))
        self.pending -= count
        self._in_bank[group.bank] -= count
        group.first_ps = max(group.first_ps, group.entered_ps(count))
        group.count -= count
        if not group.count:
            del self.groups[group.serial]
            if self._newest[group.bank, group.row] is group:
                del self._newest[group.bank, group.row]

    def _join(
        self, transfer: int, key: tuple[int, int], count: int, first_ps: int, last_ps: int
    ) -> None:
        group = self._newest.get(key)
        waiting = self._in_bank.get(key[0], 0)
        self._in_bank[key[0]] = waiting + count
        if group is None or (waiting >= self._reach and waiting > group.count):
            self._serial += 1
            group = Group(self._serial, *key, transfer)
            group.first_ps = group.last_ps = first_ps
            self._newest[key] = self.groups[self._serial] = group
        group.count += count
        group.last_ps = max(group.last_ps, last_ps)
        if group.transfers[-1] != transfer:
            group.transfers.append(transfer)

    def _take(self, count: int) -> tuple[int, int]:
        """Take free slots; the times at which the first and the last of them become free."""
        free = self._free
        first_ps = last_ps = free[0][0]
        while count:
            time_ps, step_ps, n = free[0]
            used = min(n, count)
            last_ps = max(last_ps, time_ps + (used - 1) * step_ps)
            if used == n:
                free.popleft()
            else:
                free[0] = (time_ps + used * step_ps, step_ps, n - used)
            count -= used
        return first_ps, last_ps
