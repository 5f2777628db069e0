"""One DRAM channel serving transfers: queues, bus and turnaround, group by group.

The controller sees a window of bursts. Bursts of one row in the window form a group, and a group
is served as a whole: time advances by arithmetic over groups, never burst by burst. Among the
groups the one whose data can start first is served, row hits before others, older before younger
(first ready, first come, first served). Activates run ahead under the data of other groups, as
early as the group's first burst entered the window and tRC, tRP, tRRD and tFAW allow. Refresh
is not seen here: it stretches the finished schedule.
"""

from __future__ import annotations

from math import lcm

from simulator.cost.dram_address import Extent, Region
from simulator.cost.dram_banks import LONG_AGO_PS, Banks
from simulator.cost.dram_queue import Group, Queue
from simulator.cost.dram_timing import DramController, DramOrganisation, DramTiming
from simulator.units import ceil_div


class Channel:
    """The state of one channel between transfers, and the rules by which groups are served.

    Attributes:
        finish_ps: per transfer, when the column command after its last may follow (refresh aside).
        activates: per transfer, the rows that were opened for it.
        turnarounds: changes between reading and writing.
    """

    def __init__(
        self,
        organisation: DramOrganisation,
        timing: DramTiming,
        controller: DramController,
        *,
        skip_repeats: bool = True,
    ) -> None:
        """`skip_repeats` False serves every window of a long row by itself, for comparison."""
        self._controller, self._skip_repeats = controller, skip_repeats
        self._banks = Banks(organisation, timing)
        self._bank_groups = organisation.bank_groups
        self._tck_ps = ps = timing.tck_ps
        self._short_ps, self._long_ps = timing.ccd_short * ps, timing.ccd_long * ps
        self._to_write_ps = timing.read_to_write * ps
        self._to_read_ps = timing.write_to_read * ps
        self._row_commands = timing.activate_commands + 1
        size, limit = controller.queue_bursts, controller.outstanding_bursts
        hold_ps = 0
        if limit:
            latency_ps = timing.read_data * ps + controller.extra_latency_ps
            hold_ps = max(0, latency_ps - max(0, limit - size) * self._short_ps)
            size = min(size, limit)
        reach = controller.bank_queue_bursts or size
        self._reads = Queue(size, hold_ps, reach)
        self._writes = Queue(controller.write_queue_bursts, 0, reach)
        self._draining = self._writing = False
        self._last_ps = self._command_ps = LONG_AGO_PS
        self._last_bank = 0
        self._waiting: Region | None = None
        self._waiting_bursts = 0
        self.finish_ps: dict[int, int] = {}
        self.activates: dict[int, int] = {}
        self.turnarounds = 0

    def offer(self, transfer: int, region: Region, *, is_write: bool) -> None:
        """Let a region's bursts enter their queue in order, serving groups as it fills."""
        queue = self._writes if is_write else self._reads
        first = region.first
        while first < region.end:
            count = min(queue.room, region.end - first)
            if count:
                queue.enter(transfer, region, first, count)
                first += count
                continue
            if self._skip_repeats:
                first += self._skip(queue, region, region.end - first)
            self._waiting, self._waiting_bursts = region, region.end - first
            self._serve(at_end=False)

    def offer_extent(self, transfer: int, extent: Extent, *, is_write: bool) -> None:
        """Let a contiguous extent enter, region by region, skipping laps that repeat.

        A lap is one pass over all banks. Once a lap leaves the state as it found it, but for the
        time passed and the row reached, the laps after it take equally long.
        """
        before: tuple[object, ...] = ()
        before_ps = before_activates = 0
        while (region := extent.next_region()) is not None:
            if self._skip_repeats and extent.laps_left(region) > 1:
                state = self._relative_state(region.row)
                activates = self.activates.get(transfer, 0)
                if state == before:
                    laps = extent.skip_laps(region)
                    region.row += laps
                    self._shift(laps * (self._last_ps - before_ps), laps)
                    self.activates[transfer] = activates + laps * (activates - before_activates)
                before, before_ps, before_activates = state, self._last_ps, activates
            self.offer(transfer, region, is_write=is_write)

    def _relative_state(self, row: int) -> tuple[object, ...]:
        return (
            self._banks.relative_to(self._last_ps, row),
            self._reads.relative_to(self._last_ps, row),
            self._writes.relative_to(self._last_ps, row),
            max(self._command_ps - self._last_ps, -self._row_commands * self._tck_ps),
            (self._writing, self._draining, self._last_bank, self.turnarounds),
        )

    def _shift(self, time_ps: int, rows: int) -> None:
        self._last_ps += time_ps
        self._command_ps += time_ps
        self._banks.shift(time_ps, rows)
        self._reads.shift(time_ps, rows)
        self._writes.shift(time_ps, rows)

    def finish(self) -> None:
        """Serve all that is pending."""
        self._waiting = None
        while self._reads.pending or self._writes.pending:
            self._serve(at_end=True)

    def _skip(self, queue: Queue, region: Region, left: int) -> int:
        """Serve as many whole windows of row hits at once as can be: each takes equally long."""
        turn = region.run * region.width if region.width > 1 else 1
        bursts = left - left % lcm(queue.capacity, turn)
        is_write = queue is self._writes
        other_waits = self._reads.pending if is_write else self._draining
        if not bursts or other_waits or self._writing != is_write:
            return 0
        if not is_write and self._writes.pending >= self._controller.drain_high:
            return 0
        for group in queue.groups.values():
            inside = self._lies_in(group, region)
            if not inside or not self._banks.is_open(group.bank, group.row):
                return 0
            if group.last_ps > self._last_ps + self._short_ps:
                return 0
        bank_groups = {group.bank % self._bank_groups for group in queue.groups.values()}
        gap_ps = self._short_ps if len(bank_groups) > 1 else self._long_ps
        window_ps = max(queue.capacity * gap_ps, queue.hold_ps)
        moved_ps = bursts // queue.capacity * window_ps
        self._last_ps += moved_ps
        for group in queue.groups.values():
            group.first_ps += moved_ps
            group.last_ps += moved_ps
        return bursts

    @staticmethod
    def _lies_in(group: Group, region: Region) -> bool:
        return group.row == region.row and 0 <= group.bank - region.bank < region.width

    def _serve(self, *, at_end: bool) -> None:
        """Serve one group, or two interleaved ones, of the queue whose turn it is."""
        queue, limit = self._next_queue(at_end=at_end)
        group, start_ps = self._pick(queue)
        count = min(group.count, limit)
        partner = None
        if self._long_ps > self._short_ps:
            self._open(group)
            partner, count = self._pair(queue, group, start_ps, count)
        if partner is None:
            self._issue(queue, group, start_ps, count, self._long_ps)
        else:
            self._issue(queue, group, start_ps, count, 2 * self._short_ps)
            self._issue(queue, partner, start_ps + self._short_ps, count, 2 * self._short_ps)

    def _next_queue(self, *, at_end: bool) -> tuple[Queue, int]:
        """The queue to serve and how many bursts of it: posted writes are drained in batches."""
        reads, writes = self._reads, self._writes
        low = 0 if at_end and not reads.pending else self._controller.drain_low
        if self._draining and writes.pending <= low:
            self._draining = False
        if not self._draining and writes.pending:
            self._draining = writes.pending >= self._controller.drain_high or not reads.pending
        if self._draining != self._writing:
            self.turnarounds += 1
        if self._draining:
            return writes, max(1, writes.pending - low)
        return reads, reads.pending

    def _pick(self, queue: Queue) -> tuple[Group, int]:
        """The group whose data can start first, and when: hits before others, then the oldest."""
        writing = queue is self._writes
        short_ps = long_ps = self._last_ps
        if writing == self._writing:
            short_ps += self._short_ps
            long_ps += self._long_ps
        else:
            short_ps = long_ps = self._last_ps + (
                self._to_write_ps if writing else self._to_read_ps
            )
        banks, bank_groups = self._banks, self._bank_groups
        last_group = self._last_bank % bank_groups
        best: Group | None = None
        best_ps, best_hit = 0, False
        for group in queue.visible():
            bank = group.bank
            ready_ps = banks.ready_ps(bank, group.row, group.first_ps)
            bus_ps = long_ps if bank % bank_groups == last_group else short_ps
            start_ps = max(ready_ps, bus_ps)
            hit = banks.is_open(bank, group.row)
            if best is None or start_ps < best_ps or (start_ps == best_ps and hit > best_hit):
                best, best_ps, best_hit = group, start_ps, hit
                if hit and start_ps == short_ps:
                    break
        if best is None:
            raise AssertionError("a queue that is served holds at least one group")
        return best, best_ps

    def _pair(
        self, queue: Queue, group: Group, start_ps: int, count: int
    ) -> tuple[Group | None, int]:
        """A group of another bank group to interleave with, and how many bursts of each.

        Without one, how many of the group to serve alone before looking again: until the other's
        row is open, or until the window has moved on to another row.
        """
        partner, ready_ps = self._other_bank_group(queue, group, start_ps)
        if partner is not None:
            alone = ceil_div(ready_ps - start_ps - self._short_ps, self._long_ps)
            if alone > 0:
                return None, min(count, alone)
            self._open(partner)
            return partner, min(count, partner.count)
        if self._waiting is None:
            return None, count
        more = self._waiting_bursts if self._lies_in(group, self._waiting) else 1
        return None, max(1, min(count, more))

    def _other_bank_group(
        self, queue: Queue, group: Group, start_ps: int
    ) -> tuple[Group | None, int]:
        """The group of another bank group whose data can start first."""
        best, best_ps = None, 0
        mine = group.bank % self._bank_groups
        for other in queue.visible():
            if other.bank % self._bank_groups == mine:
                continue
            ready_ps = self._banks.ready_ps(other.bank, other.row, other.first_ps)
            if best is None or ready_ps < best_ps:
                best, best_ps = other, ready_ps
                if ready_ps <= start_ps + self._short_ps:
                    break
        return best, best_ps

    def _open(self, group: Group) -> None:
        """Open the group's row; its commands take their turns on the command bus."""
        if self._banks.open(group.bank, group.row, group.first_ps):
            owner = group.transfers[0]
            self.activates[owner] = self.activates.get(owner, 0) + 1
            self._command_ps += self._row_commands * self._tck_ps

    def _issue(self, queue: Queue, group: Group, start_ps: int, count: int, gap_ps: int) -> None:
        """Issue column commands of a group, gap_ps apart or as its bursts enter the window."""
        self._open(group)
        self._command_ps = max(self._command_ps + count * self._tck_ps, start_ps)
        last_ps = max(start_ps + (count - 1) * gap_ps, group.entered_ps(count), self._command_ps)
        queue.leave(group, count, start_ps, last_ps)
        self._writing = queue is self._writes
        self._banks.accessed(group.bank, last_ps, is_write=self._writing)
        self._last_ps, self._last_bank = max(last_ps, self._last_ps), group.bank
        for transfer in group.transfers:
            self.finish_ps[transfer] = last_ps + self._short_ps
