"""Energy of a DRAM by command: activate with precharge, read, write, refresh, background."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter

from simulator.errors import SpecError
from simulator.units import PJ_PER_J, ps_to_s


@dataclass(frozen=True)
class DramCurrents:
    """Datasheet currents of one device in mA at `vdd_v`, with the times they hold over in ns."""

    vdd_v: float
    idd0_ma: float
    idd2n_ma: float
    idd3n_ma: float
    idd4r_ma: float
    idd4w_ma: float
    idd5_ma: float
    rc_ns: float
    ras_ns: float
    rfc_ns: float

    @property
    def activate_pj(self) -> float:
        """One activate and precharge: IDD0 over tRC less standby (V x mA x ns is pJ)."""
        standby = self.idd3n_ma * self.ras_ns + self.idd2n_ma * (self.rc_ns - self.ras_ns)
        return self.vdd_v * (self.idd0_ma * self.rc_ns - standby)

    @property
    def refresh_pj(self) -> float:
        """One all-bank refresh: IDD5 over tRFC less standby."""
        return self.vdd_v * (self.idd5_ma - self.idd3n_ma) * self.rfc_ns

    @property
    def background_w(self) -> float:
        """Active standby, all banks considered open."""
        return self.vdd_v * self.idd3n_ma / 1000

    def read_pj_per_byte(self, bytes_per_s: float) -> float:
        """Column reads at the full rate less standby, without the interface."""
        return self.vdd_v * (self.idd4r_ma - self.idd3n_ma) / 1000 / bytes_per_s * PJ_PER_J

    def write_pj_per_byte(self, bytes_per_s: float) -> float:
        """Column writes at the full rate less standby, without the interface."""
        return self.vdd_v * (self.idd4w_ma - self.idd3n_ma) / 1000 / bytes_per_s * PJ_PER_J


@dataclass(frozen=True)
class DramEnergyTable:
    """What each command of one channel costs; background is power drawn all the time."""

    activate_pj: float
    read_pj_per_byte: float
    write_pj_per_byte: float
    refresh_pj: float
    background_w: float

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 0:
                raise SpecError(f"dram energy: {name} {value} must not be negative")

    def wide(self, devices: int) -> DramEnergyTable:
        """The table of a channel of several devices in lockstep."""
        return DramEnergyTable(
            activate_pj=self.activate_pj * devices,
            read_pj_per_byte=self.read_pj_per_byte,
            write_pj_per_byte=self.write_pj_per_byte,
            refresh_pj=self.refresh_pj * devices,
            background_w=self.background_w * devices,
        )


@dataclass(frozen=True)
class DramEnergy:
    """Energy of a DRAM over some time, by command, in picojoules."""

    activate_pj: float
    read_pj: float
    write_pj: float
    refresh_pj: float
    background_pj: float

    @property
    def total_pj(self) -> float:
        """Sum of all parts."""
        return (
            self.activate_pj + self.read_pj + self.write_pj + self.refresh_pj + self.background_pj
        )

    @classmethod
    def combine(cls, part: Callable[[Callable[[DramEnergy], float]], float]) -> DramEnergy:
        """Parts of several energies combined alike: sums, means; `part` is handed a getter."""
        return cls(*(part(attrgetter(field.name)) for field in fields(cls)))


@dataclass(frozen=True)
class DramEvents:
    """Commands issued to a DRAM, over all its channels."""

    activates: int
    read_bytes: int
    write_bytes: int
    refreshes: int


def dram_energy(
    events: DramEvents, duration_ps: int, table: DramEnergyTable, channels: int = 1
) -> DramEnergy:
    """Energy of counted commands, plus background power of all channels over the duration."""
    return DramEnergy(
        activate_pj=events.activates * table.activate_pj,
        read_pj=events.read_bytes * table.read_pj_per_byte,
        write_pj=events.write_bytes * table.write_pj_per_byte,
        refresh_pj=events.refreshes * table.refresh_pj,
        background_pj=table.background_w * channels * ps_to_s(duration_ps) * PJ_PER_J,
    )
