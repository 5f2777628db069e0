"""The memories and controllers of the cycle-level simulators, each with that tool's own numbers.

Timings in DRAM clocks, as the tool's preset has them (`data/dram_patterns.md`). tWTR is the one
within a bank group. Controller sizes are the tools' own: Ramulator's queues hold 32 reads and 32
writes, drained from 80 % down to 20 %; DRAMsim3 takes 32 transactions, sorts them into queues of
8 commands per bank (so 40 are in sight where all go to one bank) and drains its 32 writes whole.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.cost.dram_timing import AddressMapping, DramController, DramOrganisation, DramTiming

MAPPINGS = {
    "RoBaBgCo": AddressMapping.ROW_BANK_GROUP_COLUMN,
    "RoBaCoBg": AddressMapping.ROW_BANK_COLUMN_GROUP,
    "RoCoBaBgCo256": AddressMapping.ROW_COLUMN_BANK_256,
}
DRAMSIM3_EXTRA_CLOCKS = 2
"""Clocks from data to the next request in DRAMsim3: fitted on LPDDR3, one read in flight."""


@dataclass(frozen=True)
class ReferenceMemory:
    """One preset of one simulator: geometry, timings, bus rate."""

    organisation: DramOrganisation
    timing: DramTiming


def _memory(
    geometry: tuple[int, int, int, int], tck_ps: int, burst: int, clocks: str
) -> ReferenceMemory:
    """(bank groups, banks in each, row bytes, burst bytes) and `NAME=CLOCKS ...`."""
    groups, banks, row_bytes, burst_bytes = geometry
    values = {name: int(value) for name, _, value in (c.partition("=") for c in clocks.split())}
    for name in ("ccd", "rrd"):
        if name in values:
            values[f"{name}_short"] = values[f"{name}_long"] = values.pop(name)
    return ReferenceMemory(
        DramOrganisation(1, groups, banks, row_bytes, burst_bytes),
        DramTiming(tck_ps=tck_ps, burst=burst, **values),
    )


MEMORIES = {
    "DDR4_8Gb_x16 + DDR4_2400R": _memory(
        (2, 4, 8192, 64),
        833,
        4,
        "cl=16 rcd=16 rp=16 ras=39 rc=55 ccd_short=4 ccd_long=6 rrd_short=7 rrd_long=8 faw=36 "
        "rtp=9 wr=18 cwl=12 wtr=9 rfc=433 refi=9364",
    ),
    "DDR4_8Gb_x8 + DDR4_2400R": _memory(
        (4, 4, 8192, 64),
        833,
        4,
        "cl=16 rcd=16 rp=16 ras=39 rc=55 ccd_short=4 ccd_long=6 rrd_short=4 rrd_long=6 faw=26 "
        "rtp=9 wr=18 cwl=12 wtr=9 rfc=433 refi=9364",
    ),
    "DDR3_4Gb_x16 + DDR3_1600K": _memory(
        (1, 8, 8192, 64),
        1250,
        4,
        "cl=11 rcd=11 rp=11 ras=28 rc=39 ccd=4 rrd=6 faw=32 rtp=6 wr=12 cwl=8 wtr=6 rfc=208 "
        "refi=6240",
    ),
    "LPDDR5_8Gb_x16 + LPDDR5_6400": _memory(
        (4, 4, 2048, 32),
        1250,
        2,
        "cl=17 rcd=15 rp=15 ras=34 rc=49 ccd_short=2 ccd_long=4 rrd=4 faw=16 rtp=8 wr=28 cwl=9 "
        "wtr=10 rfc=168 refi=3125 activate_commands=2",
    ),
    "LPDDR4_8Gb_x16 + LPDDR4_3200": _memory(
        (1, 8, 2048, 32),
        625,
        8,
        "cl=32 rcd=29 rp=27 ras=68 rc=95 ccd=8 rrd=16 faw=64 rtp=14 wr=28 cwl=18 wtr=16 rfc=288 "
        "refi=6247",
    ),
    "custom LPDDR4-3200 x16": _memory(
        (1, 8, 2048, 32),
        625,
        8,
        "cl=28 rcd=29 rp=29 ras=68 rc=97 ccd=8 rrd=16 faw=64 rtp=12 wr=29 cwl=14 wtr=16 rfc=448 "
        "refi=6246",
    ),
    "LPDDR4_8Gb_x16_2400": _memory(
        (2, 4, 2048, 32),
        830,
        8,
        "cl=17 rcd=15 rp=15 ras=32 rc=47 ccd=8 rrd=8 faw=32 rtp=12 wr=30 cwl=14 wtr=16 rfc=392 "
        "refi=8660",
    ),
    "DDR4_8Gb_x16_2400": _memory(
        (2, 4, 8192, 64),
        830,
        4,
        "cl=17 rcd=17 rp=17 ras=39 rc=56 ccd_short=4 ccd_long=6 rrd_short=7 rrd_long=8 faw=36 "
        "rtp=9 wr=18 cwl=12 wtr=9 rfc=420 refi=9360",
    ),
    "DDR3_8Gb_x16_1600": _memory(
        (1, 8, 8192, 64),
        1250,
        4,
        "cl=11 rcd=11 rp=11 ras=28 rc=39 ccd=4 rrd=6 faw=32 rtp=6 wr=12 cwl=8 wtr=6 rfc=280 "
        "refi=6240",
    ),
    "LPDDR3_8Gb_x32_1600": _memory(
        (1, 8, 8192, 64),
        1250,
        4,
        "cl=12 rcd=15 rp=15 ras=34 rc=49 ccd=4 rrd=8 faw=40 rtp=6 wr=12 cwl=9 wtr=6 rfc=168 "
        "refi=3120",
    ),
}
"""By the preset column up to its parenthesis."""


def controller_of(
    simulator: str, mapping: str, memory: ReferenceMemory, outstanding_bursts: int
) -> DramController:
    """The controller of a simulator, for reads of which so many are in flight (0: no limit)."""
    if simulator == "DRAMsim3":
        return DramController(
            mapping=MAPPINGS[mapping],
            queue_bursts=40,
            bank_queue_bursts=8,
            write_queue_bursts=32,
            drain_high=32,
            drain_low=0,
            outstanding_bursts=outstanding_bursts,
            extra_latency_ps=DRAMSIM3_EXTRA_CLOCKS * memory.timing.tck_ps,
        )
    return DramController(mapping=MAPPINGS[mapping], outstanding_bursts=outstanding_bursts)
