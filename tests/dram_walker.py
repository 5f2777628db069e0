"""A DRAM channel walked burst by burst: the oracle for the arithmetic over row groups.

Written from the rules alone: every burst enters when a slot of the window is free; of the bursts
in the window the one that can start first goes, row hits before others, older before younger;
activates obey tRC, tRP, tRAS, tRTP, tRRD and tFAW. Reads only, no refresh.
"""

from dataclasses import dataclass

from simulator.cost.dram_timing import AddressMapping, DramController, DramOrganisation, DramTiming


@dataclass
class Burst:
    bank: int
    row: int
    entered: int


def decode(burst: int, organisation: DramOrganisation, mapping: AddressMapping) -> tuple[int, int]:
    """Bank and row of a burst number, by taking address bits apart from the least significant."""
    columns = organisation.row_bytes // organisation.burst_bytes
    groups, banks = organisation.bank_groups, organisation.banks
    if mapping is AddressMapping.ROW_BANK_GROUP_COLUMN:
        rest = burst // columns
        return rest % banks, rest // banks
    if mapping is AddressMapping.ROW_BANK_COLUMN_GROUP:
        group, rest = burst % groups, burst // groups // columns
        return group + groups * (rest % (banks // groups)), rest // (banks // groups)
    piece = 256 // organisation.burst_bytes
    return burst // piece % banks, burst // piece // banks // (columns // piece)


class Walker:
    def __init__(
        self, organisation: DramOrganisation, timing: DramTiming, controller: DramController
    ) -> None:
        self.organisation, self.timing, self.controller = organisation, timing, controller
        self.open_row: dict[int, int] = {}
        self.activated: dict[int, int] = {}
        self.read: dict[int, int] = {}
        self.activates: list[tuple[int, int]] = []
        self.last_read_in_group: dict[int, int] = {}
        self.last_read: int | None = None
        self.end = 0

    def activate_at(self, burst: Burst) -> int:
        t = self.timing
        at = burst.entered
        if burst.bank in self.open_row:
            may_close = max(
                self.activated[burst.bank] + t.ras, self.read.get(burst.bank, -(10**9)) + t.rtp
            )
            at = max(max(at, may_close) + t.rp, self.activated[burst.bank] + t.rc)
        if self.activates:
            bank, when = self.activates[-1]
            same = (bank - burst.bank) % self.organisation.bank_groups == 0
            at = max(at, when + (t.rrd_long if same else t.rrd_short))
        if len(self.activates) >= 4:
            at = max(at, self.activates[-4][1] + t.faw)
        return at

    def read_at(self, burst: Burst) -> int:
        t = self.timing
        at = burst.entered
        if self.open_row.get(burst.bank) != burst.row:
            at = self.activate_at(burst) + t.rcd
        if self.last_read is not None:
            at = max(at, self.last_read + t.ccd_short)
        group = burst.bank % self.organisation.bank_groups
        if group in self.last_read_in_group:
            at = max(at, self.last_read_in_group[group] + t.ccd_long)
        return at

    def issue(self, burst: Burst) -> int:
        at = self.read_at(burst)
        if self.open_row.get(burst.bank) != burst.row:
            when = self.activate_at(burst)
            self.activates.append((burst.bank, when))
            self.activated[burst.bank], self.open_row[burst.bank] = when, burst.row
        self.read[burst.bank] = self.last_read = at
        self.last_read_in_group[burst.bank % self.organisation.bank_groups] = at
        self.end = at + self.timing.ccd_short
        return at

    def walk(self, bursts: list[int]) -> int:
        """Clocks until the data bus is free after these bursts."""
        size, hold = self.controller.queue_bursts, 0
        if self.controller.outstanding_bursts:
            size, hold = self.controller.outstanding_bursts, self.timing.read_data
        slots = [0] * size
        window: list[Burst] = []
        waiting = list(reversed(bursts))
        while window or waiting:
            while waiting and slots:
                bank, row = decode(waiting.pop(), self.organisation, self.controller.mapping)
                window.append(Burst(bank, row, slots.pop(0)))
            best = min(
                range(len(window)),
                key=lambda i: (
                    self.read_at(window[i]),
                    self.open_row.get(window[i].bank) != window[i].row,
                    i,
                ),
            )
            slots.append(self.issue(window.pop(best)) + hold)
        return self.end
