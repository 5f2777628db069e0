"""The banks of one channel: open rows, and when each may be precharged and activated again."""

from __future__ import annotations

from collections import deque

from simulator.cost.dram_timing import DramOrganisation, DramTiming

CLOSED = -1
LONG_AGO_PS = -(10**12)


class Banks:
    """Row state and activate history of one channel (tRC, tRP, tRAS, tRRD, tFAW)."""

    def __init__(self, organisation: DramOrganisation, timing: DramTiming) -> None:
        ps = timing.tck_ps
        self._groups = organisation.bank_groups
        self._rrd_short_ps, self._rrd_long_ps = timing.rrd_short * ps, timing.rrd_long * ps
        self._rcd_ps, self._rp_ps, self._ras_ps = timing.rcd * ps, timing.rp * ps, timing.ras * ps
        self._rc_ps, self._faw_ps = timing.rc * ps, timing.faw * ps
        self._read_to_precharge_ps = timing.rtp * ps
        self._write_to_precharge_ps = (timing.cwl + timing.burst + timing.wr) * ps
        self._open_row = [CLOSED] * organisation.banks
        self._precharge_ps = [LONG_AGO_PS] * organisation.banks
        self._next_activate_ps = [LONG_AGO_PS] * organisation.banks
        self._last_four_ps = deque([LONG_AGO_PS] * 4, maxlen=4)
        self._last_bank = 0

    def is_open(self, bank: int, row: int) -> bool:
        """Whether a burst of this row would be a row hit."""
        return self._open_row[bank] == row

    def ready_ps(self, bank: int, row: int, entered_ps: int) -> int:
        """Earliest column command to a row, were its activate the channel's next one."""
        if self._open_row[bank] == row:
            return entered_ps
        return self._activate_ps(bank, entered_ps) + self._rcd_ps

    def open(self, bank: int, row: int, entered_ps: int) -> bool:
        """Activate a row unless it is open; whether an activate was needed."""
        if self._open_row[bank] == row:
            return False
        activate_ps = self._activate_ps(bank, entered_ps)
        self._open_row[bank] = row
        self._last_four_ps.append(activate_ps)
        self._last_bank = bank
        self._next_activate_ps[bank] = activate_ps + self._rc_ps
        self._precharge_ps[bank] = activate_ps + self._ras_ps
        return True

    def accessed(self, bank: int, last_ps: int, *, is_write: bool) -> None:
        """Note the last column command to a bank: its row must stay open a little longer."""
        hold_ps = self._write_to_precharge_ps if is_write else self._read_to_precharge_ps
        self._precharge_ps[bank] = max(self._precharge_ps[bank], last_ps + hold_ps)

    def relative_to(self, time_ps: int, row: int) -> tuple[object, ...]:
        """The state as seen from a time and a row; what no longer binds reads the same."""
        long_gone_ps = -2 * (self._rc_ps + self._faw_ps)
        times_ps = (*self._precharge_ps, *self._next_activate_ps, *self._last_four_ps)
        return (
            tuple(open_row - row for open_row in self._open_row),
            tuple(max(t_ps - time_ps, long_gone_ps) for t_ps in times_ps),
            self._last_bank,
        )

    def shift(self, time_ps: int, rows: int) -> None:
        """Move the whole state, all rows being open, by a time and a number of rows."""
        self._open_row = [row + rows for row in self._open_row]
        self._precharge_ps = [t_ps + time_ps for t_ps in self._precharge_ps]
        self._next_activate_ps = [t_ps + time_ps for t_ps in self._next_activate_ps]
        self._last_four_ps = deque((t_ps + time_ps for t_ps in self._last_four_ps), maxlen=4)

    def _activate_ps(self, bank: int, entered_ps: int) -> int:
        closed_ps = entered_ps
        if self._open_row[bank] != CLOSED:
            closed_ps = max(entered_ps, self._precharge_ps[bank]) + self._rp_ps
        same_group = bank % self._groups == self._last_bank % self._groups
        rrd_ps = self._rrd_long_ps if same_group else self._rrd_short_ps
        return max(
            closed_ps,
            self._next_activate_ps[bank],
            self._last_four_ps[-1] + rrd_ps,
            self._last_four_ps[0] + self._faw_ps,
        )
