"""What a DRAM channel is made of and how long its commands take: frozen values, in DRAM clocks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from simulator.errors import SpecError


class AddressMapping(StrEnum):
    """Which address bits choose the bank, most significant part first.

    `row_bank_group_column`: a whole row is contiguous, then the next bank group's row.
    `row_bank_column_group`: consecutive bursts alternate between the bank groups.
    `row_column_bank_256`: consecutive 256-byte pieces go to different banks.
    """

    ROW_BANK_GROUP_COLUMN = "row_bank_group_column"
    ROW_BANK_COLUMN_GROUP = "row_bank_column_group"
    ROW_COLUMN_BANK_256 = "row_column_bank_256"


@dataclass(frozen=True)
class DramOrganisation:
    """Geometry of a memory: one rank per channel.

    Attributes:
        channels: independent channels; an extent is spread evenly over them.
        bank_groups: bank groups per channel (1 where the standard has none).
        banks_per_group: banks in each group.
        row_bytes: bytes one activate opens, over all devices of the channel.
        burst_bytes: bytes of one column command, over all devices of the channel.
    """

    channels: int
    bank_groups: int
    banks_per_group: int
    row_bytes: int
    burst_bytes: int

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1 or value & (value - 1):
                raise SpecError(f"dram organisation: {name} {value} must be a power of two")
        if self.row_bytes < max(256, self.burst_bytes) or self.burst_bytes > 256:
            raise SpecError(
                f"dram organisation: row_bytes {self.row_bytes} must hold 256 bytes and "
                f"burst_bytes {self.burst_bytes} must be at most 256"
            )

    @property
    def banks(self) -> int:
        """Banks per channel; bank b lies in group b modulo `bank_groups`."""
        return self.bank_groups * self.banks_per_group


@dataclass(frozen=True)
class DramTiming:
    """Command timings of one DRAM channel in clocks of `tck_ps`, named as JEDEC names them.

    `ccd_short` and `rrd_short` hold between bank groups, `*_long` within one; standards without
    bank groups give the same number twice. `refi` 0 means no refresh.
    """

    tck_ps: int
    burst: int
    cl: int
    cwl: int
    rcd: int
    rp: int
    ras: int
    rc: int
    ccd_short: int
    ccd_long: int
    rrd_short: int
    rrd_long: int
    faw: int
    rtp: int
    wr: int
    wtr: int
    refi: int
    rfc: int
    activate_commands: int = 1

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < (0 if name in ("refi", "rfc") else 1):
                raise SpecError(f"dram timing: {name} {value} must be positive")
        if self.ccd_long < self.ccd_short or self.rrd_long < self.rrd_short:
            raise SpecError("dram timing: ccd_long and rrd_long must not be below the short ones")
        if self.refi and self.refi <= self.rfc + self.rp + self.rcd:
            raise SpecError(
                f"dram timing: refi {self.refi} must exceed rfc + rp + rcd, "
                f"{self.rfc + self.rp + self.rcd}"
            )

    @property
    def read_to_write(self) -> int:
        """Clocks from a read to a write command: the write's data follows the read's by 2."""
        return max(self.ccd_short, self.cl + self.burst + 2 - self.cwl)

    @property
    def write_to_read(self) -> int:
        """Clocks from a write to a read command: the write's data, then tWTR."""
        return self.cwl + self.burst + self.wtr

    @property
    def read_data(self) -> int:
        """Clocks from a read command to its last data."""
        return self.cl + self.burst

    def without_refresh(self) -> DramTiming:
        """The same timings with refresh switched off."""
        return replace(self, refi=0)


@dataclass(frozen=True)
class DramController:
    """How the controller schedules.

    Attributes:
        mapping: address mapping.
        queue_bursts: read requests it sees at once and may reorder (row hits first).
        write_queue_bursts: posted writes it holds.
        drain_high: held writes that start a drain.
        drain_low: held writes that end it.
        bank_queue_bursts: bursts of one bank among which hits overtake; 0 for the whole queue.
        outstanding_bursts: reads the requester keeps in flight; 0 for no limit.
        extra_latency_ps: controller, PHY and interconnect latency added to a read.
    """

    mapping: AddressMapping = AddressMapping.ROW_BANK_GROUP_COLUMN
    queue_bursts: int = 32
    write_queue_bursts: int = 32
    drain_high: int = 26
    drain_low: int = 6
    bank_queue_bursts: int = 0
    outstanding_bursts: int = 0
    extra_latency_ps: int = 0

    def __post_init__(self) -> None:
        if self.queue_bursts < 1 or self.write_queue_bursts < 1:
            raise SpecError("dram controller: queue_bursts and write_queue_bursts must be positive")
        if not 0 <= self.drain_low < self.drain_high <= self.write_queue_bursts:
            raise SpecError(
                f"dram controller: drain_low {self.drain_low} < drain_high {self.drain_high} <= "
                f"write_queue_bursts {self.write_queue_bursts} must hold"
            )
        if min(self.bank_queue_bursts, self.outstanding_bursts, self.extra_latency_ps) < 0:
            raise SpecError("dram controller: caps, limits and latencies must not be negative")
