"""DRAM energy by command and memories behind a link: hand-worked numbers."""

from dataclasses import replace
from fractions import Fraction

import pytest

from simulator.cost.banked_dram import BankedDram
from simulator.cost.dram_address import Transfer
from simulator.cost.dram_energy import DramCurrents, DramEnergyTable, DramEvents, dram_energy
from simulator.cost.dram_presets import DEVICES
from simulator.cost.dram_service import TransferMemory
from simulator.cost.link_memory import LinkMemory
from simulator.errors import SpecError
from simulator.spec_dram import DramStandard

LPDDR4 = DEVICES[DramStandard.LPDDR4_3200]
WITHOUT_REFRESH = replace(LPDDR4, timing=LPDDR4.timing.without_refresh())


def link(outstanding: int = 4) -> LinkMemory:
    return LinkMemory(Fraction(500_000_000), 128, 128_000, 64_000, outstanding)


def test_energy_by_command() -> None:
    table = DramEnergyTable(
        activate_pj=1200, read_pj_per_byte=58, write_pj_per_byte=60, refresh_pj=5000,
        background_w=0.036,
    )  # fmt: skip
    energy = dram_energy(DramEvents(3, 640, 64, 2), 1_000_000, table, channels=2)
    # 3 x 1200; 640 x 58; 64 x 60; 2 x 5000; 36 mW x 1 us = 36 nJ for each of 2 channels
    parts = (energy.activate_pj, energy.read_pj, energy.write_pj, energy.refresh_pj)
    assert parts == (3600, 37_120, 3840, 10_000)
    assert energy.background_pj == pytest.approx(72_000)
    assert energy.total_pj == sum(parts) + energy.background_pj


def test_energy_from_currents() -> None:
    currents = DramCurrents(
        vdd_v=1.2, idd0_ma=80, idd2n_ma=34, idd3n_ma=47, idd4r_ma=243, idd4w_ma=228, idd5_ma=280,
        rc_ns=46.5, ras_ns=32.4, rfc_ns=350,
    )  # fmt: skip
    # 1.2 x (80 x 46.5 - 47 x 32.4 - 34 x 14.1) = 1.2 x 1717.8
    assert currents.activate_pj == pytest.approx(2061.36)
    assert currents.refresh_pj == pytest.approx(1.2 * 233 * 350)
    # 1.2 V x 196 mA = 235 mW over 4.8 GB/s
    assert currents.read_pj_per_byte(4.8e9) == pytest.approx(49.0)
    assert currents.write_pj_per_byte(4.8e9) == pytest.approx(45.25)


def test_a_sequential_stream_costs_the_published_energy_per_bit() -> None:
    service = BankedDram(WITHOUT_REFRESH).service([Transfer(0, 1 << 20)])
    events = service.events
    # at the full rate, without refresh: 8 pJ/bit, Accelergy's table
    full_rate_ps = events.read_bytes * 10**12 // LPDDR4.peak_bytes_per_s
    energy = dram_energy(events, full_rate_ps, LPDDR4.energy)
    per_bit = energy.total_pj / events.read_bytes / 8
    assert per_bit == pytest.approx(8.0, rel=1e-6)
    assert events.activates == 512  # 1 MiB over rows of 2 KiB


def test_random_lines_cost_more_than_streams() -> None:
    dram = BankedDram(WITHOUT_REFRESH)
    lines = [Transfer(i * 7919 % 65536 * 4096, 64) for i in range(512)]
    scattered, stream = dram.service(lines), dram.service([Transfer(0, 512 * 64)])
    assert scattered.row_hit_fraction == 0.5  # two bursts a line
    assert stream.row_hit_fraction == 1 - 16 / 1024

    def energy_pj(service):
        return dram_energy(service.events, service.duration_ps, LPDDR4.energy).total_pj

    # 496 more activates of 1.2 nJ, and background for longer
    assert energy_pj(scattered) - energy_pj(stream) >= 496 * 1200


def test_refresh_goes_on_while_the_memory_is_idle() -> None:
    # 1 ms over tREFI 6246 x 625 ps = 3.90375 us is 256.2
    assert BankedDram(LPDDR4).refreshes_in(10**9) == 256
    assert BankedDram(LPDDR4.with_channels(2)).refreshes_in(10**9) == 512


def test_every_device_has_plausible_energies() -> None:
    for device in DEVICES.values():
        assert 500 < device.energy.activate_pj < 5000
        assert 20 < device.energy.read_pj_per_byte < 170
        assert 0.01 < device.energy.background_w < 0.1


def test_negative_energy_is_refused() -> None:
    with pytest.raises(SpecError, match="refresh_pj -1"):
        DramEnergyTable(1, 1, 1, -1, 1)


def test_a_link_moves_whole_transactions_at_its_rate() -> None:
    service = link().service([Transfer(0, 100), Transfer(0, 1280, True), Transfer(0, 1, pieces=3)])
    # 128, 1280 and 3 x 128 bytes at 500 MB/s: 2 ns per byte
    assert [t.occupancy_ps for t in service.transfers] == [256_000, 2_560_000, 768_000]
    assert [t.write_bursts for t in service.transfers] == [0, 10, 0]
    assert service.events == DramEvents(0, 512, 1280, 0)


def test_a_link_with_one_request_in_flight_waits_for_each() -> None:
    # 128 bytes per latency of 128 ns is 1 GB/s, no limit; 256 ns would be
    assert link(1).service([Transfer(0, 1280)]).duration_ps == 2_560_000
    slow = LinkMemory(Fraction(500_000_000), 128, 512_000, 0, 1)
    assert slow.service([Transfer(0, 1280)]).duration_ps == 10 * 512_000


def test_bad_links_are_refused() -> None:
    with pytest.raises(SpecError, match="outstanding 0"):
        link(0)


@pytest.mark.parametrize("memory", [link(), BankedDram(LPDDR4)], ids=["link", "banked"])
def test_contract_of_every_memory(memory: TransferMemory) -> None:
    transfers = [Transfer(i * 5000, 3000 + i, i % 3 == 2) for i in range(20)]
    service = memory.service(transfers)
    assert len(service.transfers) == len(transfers)
    events = service.events
    assert events.read_bytes + events.write_bytes == sum(map(memory.bus_bytes, transfers))
    assert service.duration_ps >= memory.least_occupancy_ps(sum(t.n_bytes for t in transfers))
    assert memory.service([]).duration_ps == 0
    assert memory.read_latency_ps > 0
    assert memory.write_latency_ps > 0
    more = memory.service([*transfers, Transfer(0, 4096)])
    assert more.duration_ps > service.duration_ps
