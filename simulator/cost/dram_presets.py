"""DRAM devices by standard and speed, each number with its source.

Timings are in clocks. Sources: [D3] DRAMsim3's configuration of the device named, commit
29817593; [R2] Ramulator 2.1, preset of the device named, after JESD209-5B; [J4] JEDEC-like values
of LPDDR4-3200 as DRAMSys and Ramulator 1 carry them (tRCD 18, tRP 18, tRAS 42, tRFCab 280 ns).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from simulator.cost.dram_energy import DramCurrents, DramEnergyTable
from simulator.cost.dram_timing import DramOrganisation, DramTiming
from simulator.errors import SpecError
from simulator.spec_dram import Dram, DramStandard
from simulator.units import PJ_PER_J, PS_PER_S

BITS_PER_BYTE = 8


@dataclass(frozen=True)
class DramDevice:
    """A memory: geometry, command timings and energy per command of one channel."""

    organisation: DramOrganisation
    timing: DramTiming
    energy: DramEnergyTable

    @property
    def peak_bytes_per_s(self) -> int:
        """Data rate of all channels with the data bus never idle."""
        burst_ps = self.timing.ccd_short * self.timing.tck_ps
        return self.organisation.channels * self.organisation.burst_bytes * PS_PER_S // burst_ps

    def wide(self, devices: int) -> DramDevice:
        """A channel of several such devices side by side: wider bursts and rows, same timings."""
        if devices < 1 or devices & (devices - 1):
            raise SpecError(f"dram: {devices} devices per channel must be a power of two")
        geometry = self.organisation
        return DramDevice(
            replace(
                geometry,
                row_bytes=geometry.row_bytes * devices,
                burst_bytes=geometry.burst_bytes * devices,
            ),
            self.timing,
            self.energy.wide(devices),
        )

    def with_channels(self, channels: int) -> DramDevice:
        """The same memory with so many independent channels."""
        return replace(self, organisation=replace(self.organisation, channels=channels))


LPDDR3_GEOMETRY = DramOrganisation(
    channels=1, bank_groups=1, banks_per_group=8, row_bytes=4096, burst_bytes=32
)  # 8 Gb x32, burst length 8: [D3] LPDDR3_8Gb_x32_1600
LPDDR3_TIMING = DramTiming(
    tck_ps=1250,  # 800 MHz clock
    burst=4,  # burst length 8, two per clock
    cl=12,  # 15 ns [D3]
    cwl=9,  # [D3]
    rcd=15,  # 18.75 ns [D3]
    rp=15,  # 18.75 ns [D3]
    ras=34,  # 42.5 ns [D3]
    rc=49,  # tRAS + tRP
    ccd_short=4,  # [D3]
    ccd_long=4,  # no bank groups
    rrd_short=8,  # 10 ns [D3]
    rrd_long=8,  # no bank groups
    faw=40,  # 50 ns [D3]
    rtp=6,  # 7.5 ns [D3]
    wr=12,  # 15 ns [D3]
    wtr=6,  # 7.5 ns [D3]
    refi=3120,  # 3.9 us [D3]
    rfc=168,  # 210 ns [D3]
)
LPDDR4_GEOMETRY = DramOrganisation(
    channels=1, bank_groups=1, banks_per_group=8, row_bytes=2048, burst_bytes=32
)  # one x16 channel, burst length 16 [J4]
LPDDR4_TIMING = DramTiming(
    tck_ps=625,  # 1600 MHz clock
    burst=8,  # burst length 16, two per clock
    cl=28,  # 17.5 ns [J4]
    cwl=14,  # [J4]
    rcd=29,  # 18.1 ns [J4]
    rp=29,  # 18.1 ns per bank [J4]
    ras=68,  # 42.5 ns [J4]
    rc=97,  # tRAS + tRP
    ccd_short=8,  # [J4]
    ccd_long=8,  # no bank groups
    rrd_short=16,  # 10 ns [J4]
    rrd_long=16,  # no bank groups
    faw=64,  # 40 ns [J4]
    rtp=12,  # 7.5 ns [J4]
    wr=29,  # 18 ns [J4]
    wtr=16,  # 10 ns [J4]
    refi=6246,  # 3.904 us [J4]
    rfc=448,  # 280 ns all banks [J4]
)
LPDDR5_GEOMETRY = DramOrganisation(
    channels=1, bank_groups=4, banks_per_group=4, row_bytes=2048, burst_bytes=32
)  # 8 Gb x16, burst length 16, bank-group mode [R2]
LPDDR5_TIMING = DramTiming(
    tck_ps=1250,  # CK 800 MHz, WCK four times as fast
    burst=2,  # burst length 16 takes 2 CK of data
    cl=17,  # 21.25 ns [R2]
    cwl=9,  # [R2]
    rcd=15,  # 18.75 ns [R2]
    rp=15,  # 18.75 ns per bank [R2]
    ras=34,  # 42.5 ns [R2]
    rc=49,  # [R2]
    ccd_short=2,  # between bank groups [R2]
    ccd_long=4,  # within one [R2]
    rrd_short=4,  # 5 ns [R2]
    rrd_long=4,  # 5 ns [R2]
    faw=16,  # 20 ns [R2]
    rtp=8,  # 10 ns [R2]
    wr=28,  # 35 ns [R2]
    wtr=10,  # 12.5 ns [R2]
    refi=3125,  # 3.906 us [R2]
    rfc=168,  # 210 ns all banks [R2]
    activate_commands=2,  # ACT-1 and ACT-2 on a command bus of one command per CK [R2]
)
DDR3_GEOMETRY = DramOrganisation(
    channels=1, bank_groups=1, banks_per_group=8, row_bytes=2048, burst_bytes=16
)  # 4 Gb x16, burst length 8: [D3]
DDR3_TIMING = DramTiming(
    tck_ps=1250,  # 800 MHz clock
    burst=4,  # burst length 8, two per clock
    cl=11,  # 13.75 ns [D3]
    cwl=8,  # [D3]
    rcd=11,  # 13.75 ns [D3]
    rp=11,  # 13.75 ns [D3]
    ras=28,  # 35 ns [D3]
    rc=39,  # tRAS + tRP
    ccd_short=4,  # [D3]
    ccd_long=4,  # no bank groups
    rrd_short=6,  # 7.5 ns [D3]
    rrd_long=6,  # no bank groups
    faw=32,  # 40 ns [D3]
    rtp=6,  # 7.5 ns [D3]
    wr=12,  # 15 ns [D3]
    wtr=6,  # 7.5 ns [D3]
    refi=6240,  # 7.8 us [D3]
    rfc=208,  # 260 ns, 4 Gb [R2] DDR3_4Gb_x16
)
DDR4_GEOMETRY = DramOrganisation(
    channels=1, bank_groups=2, banks_per_group=4, row_bytes=2048, burst_bytes=16
)  # 8 Gb x16, burst length 8: [D3] DDR4_8Gb_x16_2400
DDR4_TIMING = DramTiming(
    tck_ps=830,  # 1200 MHz clock [D3]
    burst=4,  # burst length 8, two per clock
    cl=17,  # 14.1 ns [D3]
    cwl=12,  # [D3]
    rcd=17,  # 14.1 ns [D3]
    rp=17,  # 14.1 ns [D3]
    ras=39,  # 32.4 ns [D3]
    rc=56,  # tRAS + tRP
    ccd_short=4,  # between bank groups [D3]
    ccd_long=6,  # within one [D3]
    rrd_short=7,  # 5.8 ns [D3]
    rrd_long=8,  # 6.6 ns [D3]
    faw=36,  # 30 ns [D3]
    rtp=9,  # 7.5 ns [D3]
    wr=18,  # 15 ns [D3]
    wtr=9,  # 7.5 ns within a bank group [D3]
    refi=9360,  # 7.8 us [D3]
    rfc=420,  # 350 ns, 8 Gb [D3]
)

LPDDR3_CURRENTS = DramCurrents(
    vdd_v=1.2,
    idd0_ma=40,
    idd2n_ma=20.5,
    idd3n_ma=21,
    idd4r_ma=250,
    idd4w_ma=245,
    idd5_ma=150,
    rc_ns=61.25,
    ras_ns=42.5,
    rfc_ns=210,
)  # [D3] LPDDR3_8Gb_x32_1600, VDD2 only
DDR3_CURRENTS = DramCurrents(
    vdd_v=1.35,
    idd0_ma=67,
    idd2n_ma=36,
    idd3n_ma=51,
    idd4r_ma=185,
    idd4w_ma=185,
    idd5_ma=270,
    rc_ns=48.75,
    ras_ns=35,
    rfc_ns=260,
)  # [D3] DDR3_8Gb_x16_1600
DDR4_CURRENTS = DramCurrents(
    vdd_v=1.2,
    idd0_ma=80,
    idd2n_ma=34,
    idd3n_ma=47,
    idd4r_ma=243,
    idd4w_ma=228,
    idd5_ma=280,
    rc_ns=46.5,
    ras_ns=32.4,
    rfc_ns=350,
)  # [D3] DDR4_8Gb_x16_2400
DDR_PJ_PER_BIT = 20.3  # DDR3/DDR4 with interface: Jouppi et al. 2021, "Ten Lessons"
LPDDR4_PJ_PER_BIT = 8.0  # Accelergy's table; IDD arithmetic gives 4.2 to 8.5
LPDDR4_ACTIVATE_PJ = 1200.0  # per 2 KiB row, from DRAMSys' memspec currents
LPDDR4_BACKGROUND_W = 0.036  # 34 to 38 mW per x16 channel, from DRAMSys' memspec currents
LPDDR4_SELF_REFRESH_W = 0.0012  # DRAMSys: a device in self-refresh does little but refresh


def _column_pj_per_byte(
    pj_per_bit: float, activate_pj: float, background_w: float, row_bytes: int, rate: float
) -> float:
    """What is left of a whole-device energy per bit for the column access and the interface.

    The published number holds for a sequential stream at the full rate: one activate per row,
    background power for as long as the byte takes.
    """
    whole = pj_per_bit * BITS_PER_BYTE
    return whole - activate_pj / row_bytes - background_w / rate * PJ_PER_J


def _table_from_currents(currents: DramCurrents, rate: float) -> DramEnergyTable:
    return DramEnergyTable(
        activate_pj=currents.activate_pj,
        read_pj_per_byte=currents.read_pj_per_byte(rate),
        write_pj_per_byte=currents.write_pj_per_byte(rate),
        refresh_pj=currents.refresh_pj,
        background_w=currents.background_w,
    )


def _ddr_table(currents: DramCurrents, row_bytes: int, rate: float) -> DramEnergyTable:
    column = _column_pj_per_byte(
        DDR_PJ_PER_BIT, currents.activate_pj, currents.background_w, row_bytes, rate
    )
    table = _table_from_currents(currents, rate)
    return replace(table, read_pj_per_byte=column, write_pj_per_byte=column)


def _lpddr4_table(refi_s: float, rate: float) -> DramEnergyTable:
    column = _column_pj_per_byte(
        LPDDR4_PJ_PER_BIT, LPDDR4_ACTIVATE_PJ, LPDDR4_BACKGROUND_W, 2048, rate
    )
    return DramEnergyTable(
        activate_pj=LPDDR4_ACTIVATE_PJ,
        read_pj_per_byte=column,
        write_pj_per_byte=column,
        refresh_pj=LPDDR4_SELF_REFRESH_W * refi_s * PJ_PER_J,
        background_w=LPDDR4_BACKGROUND_W,
    )


# LPDDR5 has no published table here: it is given LPDDR4's energies (assumed).
DEVICES: dict[DramStandard, DramDevice] = {
    DramStandard.LPDDR3_1600: DramDevice(
        LPDDR3_GEOMETRY, LPDDR3_TIMING, _table_from_currents(LPDDR3_CURRENTS, 6.4e9)
    ),
    DramStandard.LPDDR4_3200: DramDevice(
        LPDDR4_GEOMETRY, LPDDR4_TIMING, _lpddr4_table(3.904e-6, 6.4e9)
    ),
    DramStandard.LPDDR5_6400: DramDevice(
        LPDDR5_GEOMETRY, LPDDR5_TIMING, _lpddr4_table(3.906e-6, 6.4e9)
    ),
    DramStandard.DDR3_1600: DramDevice(
        DDR3_GEOMETRY, DDR3_TIMING, _ddr_table(DDR3_CURRENTS, 2048, 3.2e9)
    ),
    DramStandard.DDR4_2400: DramDevice(
        DDR4_GEOMETRY, DDR4_TIMING, _ddr_table(DDR4_CURRENTS, 2048, 4.8e9)
    ),
}

ENERGY_SOURCES: dict[DramStandard, str] = {
    DramStandard.LPDDR3_1600: "D: IDD currents of LPDDR3_8Gb_x32_1600 in DRAMsim3, VDD2 only",
    DramStandard.LPDDR4_3200: (
        "D: Accelergy's 8 pJ per bit; 1200 pJ per activate, 36 mW background and 1.2 mW refresh "
        "per x16 channel of it from DRAMSys' currents"
    ),
    DramStandard.LPDDR5_6400: "assumed: LPDDR4's, no LPDDR5 table being at hand",
    DramStandard.DDR3_1600: (
        "D: 20.3 pJ per bit (Jouppi et al. ISCA 2021), activate, refresh and background of it from "
        "the IDD currents of DDR3_8Gb_x16_1600 in DRAMsim3"
    ),
    DramStandard.DDR4_2400: (
        "D: 20.3 pJ per bit (Jouppi et al. ISCA 2021), activate, refresh and background of it from "
        "the IDD currents of DDR4_8Gb_x16_2400 in DRAMsim3"
    ),
}
"""Where each device's energies come from."""


def device_of(dram: Dram) -> DramDevice | None:
    """The memory a spec names, in its width and number of channels; None where it is a rate."""
    if dram.device is None:
        return None
    return DEVICES[dram.device].wide(dram.devices_per_channel).with_channels(dram.channels)
