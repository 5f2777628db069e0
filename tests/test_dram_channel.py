"""DRAM service times: hand-worked command sequences, a burst-by-burst walker, properties."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cost.banked_dram import BankedDram
from simulator.cost.dram_address import AddressMap, Transfer
from simulator.cost.dram_channel import Channel
from simulator.cost.dram_presets import DEVICES, DramDevice
from simulator.cost.dram_timing import AddressMapping, DramController
from simulator.errors import SpecError
from simulator.spec_dram import DramStandard
from tests.dram_walker import Walker, decode

MAPPINGS = list(AddressMapping)
STANDARDS = list(DramStandard)
WITHOUT_BANK_GROUPS = [DramStandard.LPDDR3_1600, DramStandard.LPDDR4_3200, DramStandard.DDR3_1600]
ROW = AddressMapping.ROW_BANK_GROUP_COLUMN
LPDDR4 = DEVICES[DramStandard.LPDDR4_3200]
LAP_BYTES = 8 * 2048  # LPDDR4: one row of every bank
TCK_PS = 625


def without_refresh(device: DramDevice) -> DramDevice:
    return replace(device, timing=device.timing.without_refresh())


def clocks(transfers: list[Transfer], **controller: int) -> list[int]:
    dram = BankedDram(without_refresh(LPDDR4), DramController(**controller))
    return [t.occupancy_ps / TCK_PS for t in dram.service(transfers).transfers]


def walk(device: DramDevice, controller: DramController, transfers: list[Transfer]) -> Walker:
    size = device.organisation.burst_bytes
    bursts = [
        burst
        for t in transfers
        for burst in range(t.address // size, -(-(t.address + t.n_bytes) // size))
    ]
    walker = Walker(device.organisation, device.timing, controller)
    walker.walk(bursts)
    return walker


def test_two_bursts_of_a_closed_row() -> None:
    # activate at 0, reads at tRCD 29 and 29 + tCCD 8, the bus is free 8 later
    assert clocks([Transfer(0, 64)]) == [29 + 8 + 8]


def test_data_is_complete_one_latency_after_the_occupancy() -> None:
    # activate 0, read 29, data from 29 + CL 28 = 57 to 65; a write's data ends at 29 + CWL 14 + 8
    dram = BankedDram(without_refresh(LPDDR4))
    assert dram.sequential_occupancy_ps(32) + dram.read_latency_ps == 65 * TCK_PS
    written = dram.service([Transfer(0, 32, is_write=True)])
    assert written.duration_ps + dram.write_latency_ps == 51 * TCK_PS


def test_two_rows_of_one_bank_wait_for_the_row_cycle() -> None:
    # activate 0, read 29; precharge at max(tRAS 68, 29 + tRTP 12) = 68, activate 68 + tRP 29 = 97
    # (= tRC), read 97 + 29 = 126, bus free at 134
    assert clocks([Transfer(0, 32), Transfer(LAP_BYTES, 32)]) == [37, 134 - 37]


def test_a_fifth_bank_waits_for_the_four_activate_window() -> None:
    # activates at 0, 16, 32, 48 (tRRD 16) and 64 (tFAW 64): reads 29, 45, 61, 77, 93
    transfers = [Transfer(bank * 2048, 32) for bank in range(5)]
    assert clocks(transfers) == [37, 16, 16, 16, 16]
    timing = replace(LPDDR4.timing, refi=0, faw=100)
    dram = BankedDram(replace(LPDDR4, timing=timing))
    # now the fifth activate waits until 100: read 129
    assert dram.service(transfers).transfers[4].occupancy_ps == (129 - 77) * TCK_PS


def test_a_write_after_a_read_waits_for_the_bus_to_turn() -> None:
    # read at 29; write at 29 + CL 28 + burst 8 + 2 - CWL 14 = 53; bus free at 61
    assert clocks([Transfer(0, 32), Transfer(32, 32, is_write=True)]) == [37, 61 - 37]


def test_one_read_in_flight_takes_a_latency_each() -> None:
    # reads at 29 + i x (CL 28 + burst 8)
    assert clocks([Transfer(0, 320)], outstanding_bursts=1) == [29 + 9 * 36 + 8]


def test_two_streams_in_one_bank_reopen_rows_once_per_window() -> None:
    # 32 bursts in the window, 16 of either row. The open row is served until none of its bursts
    # is in the window: 16 + 8 + 4 + 2 + 1 = 31 at first, then 63 in turns
    half = LAP_BYTES * 1000
    transfers = [Transfer(base + 32 * i, 32) for i in range(63) for base in (0, half)]
    service = BankedDram(without_refresh(LPDDR4)).service(transfers)
    assert sum(t.activates for t in service.transfers) == 3


def test_refresh_takes_its_share_of_a_long_stream() -> None:
    n_bytes = 8 << 20
    service = BankedDram(LPDDR4).service([Transfer(0, n_bytes)])
    busy = 29 + n_bytes // 32 * 8
    lost = 29 + 448 + 29  # precharge, refresh, activate
    assert service.refreshes == busy // (6246 - lost)
    assert service.duration_ps == (busy + service.refreshes * lost) * TCK_PS
    # each closes the row in use
    assert service.transfers[0].activates == n_bytes // 2048 + service.refreshes


@pytest.mark.parametrize("standard", STANDARDS)
@given(address=st.integers(0, 2**24), n_bytes=st.integers(1, 30_000))
@settings(max_examples=25)
def test_equals_the_walker_on_contiguous_extents(standard, address, n_bytes) -> None:
    device = without_refresh(DEVICES[standard])
    # the walker knows no command bus: one command per activate, as if LPDDR5 had not two
    device = replace(device, timing=replace(device.timing, activate_commands=1))
    controller = DramController(mapping=ROW)
    transfers = [Transfer(address, n_bytes)]
    walker = walk(device, controller, transfers)
    service = BankedDram(device, controller).service(transfers)
    assert service.duration_ps == walker.end * device.timing.tck_ps
    assert service.transfers[0].activates == len(walker.activates)


@pytest.mark.parametrize("standard", WITHOUT_BANK_GROUPS)
@given(
    address=st.integers(0, 2**24),
    n_bytes=st.integers(4096, 30_000),
    outstanding=st.sampled_from([1, 2, 4, 8, 16, 32]),
)
@settings(max_examples=12)
def test_near_the_walker_with_few_reads_in_flight(standard, address, n_bytes, outstanding) -> None:
    # Slots that come free in bunches are taken as evenly spaced.
    device = without_refresh(DEVICES[standard])
    controller = DramController(mapping=ROW, outstanding_bursts=outstanding)
    transfers = [Transfer(address, n_bytes)]
    walker = walk(device, controller, transfers)
    service = BankedDram(device, controller).service(transfers)
    assert service.duration_ps == pytest.approx(walker.end * device.timing.tck_ps, rel=0.03)


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("standard", WITHOUT_BANK_GROUPS)
@given(
    places=st.lists(st.integers(0, 2**13), min_size=1, max_size=40, unique=True),
    block=st.sampled_from([64, 256, 1024]),
)
@settings(max_examples=12)
def test_near_the_walker_on_random_blocks(standard, mapping, places, block) -> None:
    # Groups are served whole, the walker looks again after every burst: it may switch banks
    # within a group and start another row's activate a few clocks apart.
    device, controller = without_refresh(DEVICES[standard]), DramController(mapping=mapping)
    transfers = [Transfer(place * block, block) for place in places]
    walker = walk(device, controller, transfers)
    service = BankedDram(device, controller).service(transfers)
    assert service.duration_ps == pytest.approx(walker.end * device.timing.tck_ps, rel=0.02)


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_near_the_walker_with_bank_groups(mapping) -> None:
    device, controller = without_refresh(DEVICES[DramStandard.DDR4_2400]), DramController(mapping)
    transfers = [Transfer(i * 7919 % 4096 * 512, 512) for i in range(100)]
    walker = walk(device, controller, transfers)
    service = BankedDram(device, controller).service(transfers)
    assert service.duration_ps == pytest.approx(walker.end * device.timing.tck_ps, rel=0.05)


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("standard", STANDARDS)
@pytest.mark.parametrize("outstanding", [0, 4])
def test_skipping_repeats_changes_next_to_nothing(standard, mapping, outstanding) -> None:
    device = without_refresh(DEVICES[standard])
    controller = DramController(mapping=mapping, outstanding_bursts=outstanding)
    address_map = AddressMap(device.organisation, mapping)
    results = []
    for skip_repeats in (True, False):
        channel = Channel(device.organisation, device.timing, controller, skip_repeats=skip_repeats)
        for index, (address, n_bytes) in enumerate([(100, 300_000), (5_000_000, 700), (0, 9000)]):
            for extent in address_map.extents(Transfer(address, n_bytes)):
                channel.offer_extent(index, extent, is_write=False)
        channel.finish()
        results.append((channel.finish_ps, channel.activates))
    (skipped_ps, skipped_activates), (walked_ps, walked_activates) = results
    assert skipped_activates == walked_activates
    if standard in WITHOUT_BANK_GROUPS:
        assert skipped_ps == walked_ps
    else:  # how groups of two bank groups pair off may differ by a few clocks after a jump
        assert skipped_ps == pytest.approx(walked_ps, rel=1e-3)


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("standard", STANDARDS)
@given(first=st.integers(0, 2**16), count=st.integers(1, 3000))
@settings(max_examples=12)
def test_regions_hold_the_bursts_that_decoding_finds(standard, mapping, first, count) -> None:
    organisation = DEVICES[standard].organisation
    size = organisation.burst_bytes
    wanted: dict[tuple[int, int], int] = {}
    for burst in range(first, first + count):
        key = decode(burst, organisation, mapping)
        wanted[key] = wanted.get(key, 0) + 1
    found: dict[tuple[int, int], int] = {}
    (extent,) = AddressMap(organisation, mapping).extents(Transfer(first * size, count * size))
    while (region := extent.next_region()) is not None:
        for offset in range(region.width):
            if n := region.in_bank(offset, region.first, region.end):
                found[region.bank + offset, region.row] = n
    assert found == wanted


@pytest.mark.parametrize("standard", STANDARDS)
@given(
    transfers=st.lists(
        st.builds(Transfer, st.integers(0, 2**22), st.integers(1, 9000), st.booleans()),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=12)
def test_conservation_and_bounds(standard, transfers) -> None:
    dram = BankedDram(DEVICES[standard])
    service = dram.service(transfers)
    bus_bytes = [dram.bus_bytes(t) for t in transfers]
    assert service.events.read_bytes + service.events.write_bytes == sum(bus_bytes)
    assert service.duration_ps >= dram.least_occupancy_ps(sum(t.n_bytes for t in transfers))
    assert all(t.occupancy_ps >= 0 and t.row_hits >= 0 for t in service.transfers)
    assert service == dram.service(transfers)


def test_sequential_streams_near_the_peak_others_as_the_timings_demand() -> None:
    dram = BankedDram(LPDDR4)
    n_bytes = 1 << 19

    def share(transfers: list[Transfer]) -> float:
        return n_bytes / dram.service(transfers).duration_ps * 1e12 / LPDDR4.peak_bytes_per_s

    lines = n_bytes // 64
    assert share([Transfer(0, n_bytes)]) == pytest.approx(1 - 506 / 6246, abs=0.005)
    # every fourth bank only: two rows of 16 clocks of data per row cycle of 97
    two_banks = share([Transfer(0, 64, False, lines, 4 * 2048)])
    assert two_banks == pytest.approx(2 * 16 / 97 * (1 - 506 / 6246), abs=0.005)
    # one bank: 16 clocks of data per row cycle
    one_bank = share([Transfer(0, 64, False, lines, LAP_BYTES)])
    assert one_bank == pytest.approx(16 / 97 * (1 - 506 / 6246), abs=0.005)


def test_channels_share_an_extent() -> None:
    n_bytes = 1 << 20
    one = BankedDram(without_refresh(LPDDR4)).service([Transfer(0, n_bytes)])
    four = BankedDram(without_refresh(LPDDR4).with_channels(4)).service([Transfer(0, n_bytes)])
    first_read_ps = 29 * TCK_PS
    assert four.duration_ps - first_read_ps == (one.duration_ps - first_read_ps) // 4
    assert four.events == one.events


def test_a_wider_channel_moves_more_per_burst() -> None:
    wide = without_refresh(DEVICES[DramStandard.DDR4_2400]).wide(4)
    assert wide.peak_bytes_per_s == 4 * 16 * 10**12 // (4 * 830)
    assert wide.organisation.row_bytes == 8192
    assert wide.energy.activate_pj == 4 * DEVICES[DramStandard.DDR4_2400].energy.activate_pj


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"queue_bursts": 0}, "queue_bursts"),
        ({"drain_low": 30}, "drain_low 30"),
        ({"outstanding_bursts": -1}, "negative"),
    ],
)
def test_bad_controllers_are_refused(change, words) -> None:
    with pytest.raises(SpecError, match=words):
        DramController(**change)


def test_bad_devices_are_refused() -> None:
    with pytest.raises(SpecError, match="banks_per_group 3"):
        replace(LPDDR4.organisation, banks_per_group=3)
    with pytest.raises(SpecError, match="refi 400"):
        replace(LPDDR4.timing, refi=400)
    with pytest.raises(SpecError, match="rcd 0"):
        replace(LPDDR4.timing, rcd=0)
    with pytest.raises(SpecError, match="3 devices"):
        LPDDR4.wide(3)
