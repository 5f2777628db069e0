"""A DRAM device's cost per transfer: by hand, against lists served with row state, and limits."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.compile import compile_program
from simulator.cost.banked_dram import BankedDram
from simulator.cost.device_dram import DeviceDram, mapping_of
from simulator.cost.dram import RateLatencyDram
from simulator.cost.dram_address import Transfer
from simulator.cost.dram_presets import DEVICES, device_of
from simulator.cost.dram_timing import DramController
from simulator.cost.memory import memory_of
from simulator.mapping.tiles import TransferKind
from simulator.policy import Policy
from simulator.program_file import workload_from_json
from simulator.spec import AcceleratorSpec
from simulator.spec_dram import DEVICE_RATES, DramStandard
from simulator.spec_file import Override, load_spec
from tests.devices import device_data
from tests.dram_walker import Walker
from tests.extents import extents_of

ROOT = Path(__file__).resolve().parent.parent
STANDARDS = list(DramStandard)


def spec_with(standard: DramStandard, **dram: float) -> AcceleratorSpec:
    data = device_data(dma__outstanding_requests=65536)
    data["dram"] = {"device": standard, "read_latency_ns": 100, "write_latency_ns": 100} | dram
    return AcceleratorSpec.model_validate_json(json.dumps(data))


def memory(standard: DramStandard, **dram: float) -> DeviceDram:
    found = memory_of(spec_with(standard, **dram))
    assert isinstance(found, DeviceDram)
    return found


LPDDR4 = memory(DramStandard.LPDDR4_3200)
STRETCH = 6246 / (6246 - 29 - 448 - 29)  # tREFI over what tRP, tRFC and tRCD leave of it


def test_whole_rows_by_hand() -> None:
    # 64 rows of 2 KiB: 4,096 bursts of 5 ns, 64 activates hidden behind them, refresh on top
    cost = LPDDR4.transfer_cost(Transfer(0, 131072))
    assert cost.occupancy_ps == pytest.approx(4096 * 5000 * STRETCH, abs=1)
    assert (cost.bus_bytes, cost.bursts, cost.activates) == (131072, 4096, 64)


def test_a_lone_burst_takes_as_long_as_activates_follow_each_other() -> None:
    # tRRD is 10 ns, and so is a quarter of tFAW: longer than the 5 ns of the burst's data
    cost = LPDDR4.transfer_cost(Transfer(7, 9))
    assert cost.occupancy_ps == pytest.approx(10_000 * STRETCH, abs=1)
    assert (cost.bus_bytes, cost.activates) == (32, 1)


def test_bytes_that_straddle_bursts_and_rows_cost_both() -> None:
    cost = LPDDR4.transfer_cost(Transfer(2047, 2))
    assert (cost.bursts, cost.bus_bytes, cost.activates) == (2, 64, 2)


def test_a_write_turns_the_bus_round_twice() -> None:
    # CL - CWL + 2 clocks there, CWL + tWTR back: (28 - 14 + 2 + 14 + 16) x 0.625 ns
    read, write = (LPDDR4.transfer_cost(Transfer(0, 4096, w)) for w in (False, True))
    assert write.occupancy_ps - read.occupancy_ps == 46 * 625
    assert write.bursts == read.bursts


def test_requests_in_flight_limit_the_rate() -> None:
    # 4 bursts of 32 bytes per 100 ns: 25 ns each
    data = json.loads(spec_with(DramStandard.LPDDR4_3200).model_dump_json())
    data["dma"]["outstanding_requests"] = 4
    slow = memory_of(AcceleratorSpec.model_validate_json(json.dumps(data)))
    assert slow.occupancy_ps(32 * 1000) == 1000 * 25_000
    assert slow.rate_bytes_per_s == 1_280_000_000


def test_channels_share_a_transfer_and_refresh_each() -> None:
    two = memory(DramStandard.LPDDR4_3200, channels=2)
    assert two.occupancy_ps(131072) == pytest.approx(LPDDR4.occupancy_ps(131072) / 2, abs=1)
    assert two.transfer_cost(Transfer(0, 131072)).activates == 64
    assert two.refreshes_in(10**9) == 2 * (10**9 // (6246 * 625))


@pytest.mark.parametrize("standard", STANDARDS)
def test_rates_and_bursts_of_the_spec_are_those_of_the_timings(standard: DramStandard) -> None:
    # A clock is a whole number of picoseconds there: 830 instead of 833.3 for DDR4-2400.
    rate, burst = DEVICE_RATES[standard]
    assert burst == DEVICES[standard].organisation.burst_bytes
    assert DEVICES[standard].peak_bytes_per_s == pytest.approx(rate, rel=0.005)


def served(standard: DramStandard, transfers: list[Transfer], **dram: float) -> tuple[float, float]:
    """Time of the transfers by their own costs, and as a list with row state and drains."""
    device = device_of(spec_with(standard, **dram).dram)
    assert device is not None
    mine = memory(standard, **dram)
    banked = BankedDram(device, DramController(mapping=mapping_of(device.organisation)))
    return (
        sum(mine.transfer_cost(transfer).occupancy_ps for transfer in transfers),
        banked.average_duration_ps(banked.service(transfers)),
    )


def drawn(smallest: int, largest: int, writes: float, count: int) -> list[Transfer]:
    """Contiguous transfers at random places, sizes evenly spread on a logarithmic scale."""
    source = random.Random(count)
    return [
        Transfer(
            source.randrange(2**28),
            int(smallest * (largest / smallest) ** source.random()),
            source.random() < writes,
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("shape", [{}, {"channels": 2}, {"devices_per_channel": 4}], ids=str)
@pytest.mark.parametrize("standard", STANDARDS)
def test_lists_of_transfers_take_what_their_parts_add_up_to(
    standard: DramStandard, shape: dict[str, int]
) -> None:
    for transfers, band in (
        (drawn(4096, 131072, 0.0, 80), 0.01),
        (drawn(4096, 131072, 0.2, 80), 0.01),
        (drawn(32, 4096, 0.0, 120), 0.1),  # a few bursts each: conflicts between transfers
    ):
        mine, reference = served(standard, transfers, **shape)
        assert mine == pytest.approx(reference, rel=band)


@pytest.mark.parametrize("standard", STANDARDS)
def test_pieces_a_stride_apart_take_what_a_list_with_row_state_takes(
    standard: DramStandard,
) -> None:
    source = random.Random(3)
    for arms in (2, 3, 4):
        sizes = [source.randrange(64, 8192) for _ in range(6)]
        transfers = [Transfer(source.randrange(2**24), n, False, 40, n * arms) for n in sizes]
        mine, reference = served(standard, transfers)
        assert mine == pytest.approx(reference, rel=0.02)


@pytest.mark.parametrize("stride", [256, 2048, 4096, 8192, 16384])
def test_pieces_take_what_a_burst_by_burst_walker_takes(stride: int) -> None:
    # The last stride revisits one bank with another row each time: tRC and more per piece.
    device = DEVICES[DramStandard.LPDDR4_3200]
    timing = device.timing.without_refresh()
    transfer = Transfer(0, 64, False, 200, stride)
    walker = Walker(device.organisation, timing, DramController())
    bursts = [(i * stride) // 32 + b for i in range(200) for b in range(2)]
    clocks = walker.walk(bursts) - timing.rcd  # the first row opens under earlier data
    cost = LPDDR4.transfer_cost(transfer)
    assert cost.occupancy_ps / STRETCH == pytest.approx(clocks * timing.tck_ps, rel=0.02)
    assert cost.activates == len(walker.activates)


@pytest.mark.parametrize(("channels", "layout"), [(1, "layer_major"), (2, "channel_interleaved")])
def test_a_whole_inference_takes_what_its_command_list_takes_with_row_state(
    channels: int, layout: str
) -> None:
    # 333 KiB: a third of the commands are stores, so that the bus turns round all the time.
    settings = {
        "dram.channels": channels,
        "dram.weight_layout": layout,
        "scratchpad.capacity_kib": 333,
        "scratchpad.banks": 1,
        "scratchpad.ports": 2,
    }
    spec = load_spec(
        ROOT / "accelerator_specs/edge_npu.yaml", [Override(*item) for item in settings.items()]
    )
    path = ROOT / "workloads/programs/sigmab_resnet50.json"
    program = workload_from_json(path.read_text("utf-8"), path.name).program
    compiled = compile_program(program, spec, Policy.ON_DEMAND, {(1, 1): 1})
    schedule = compiled.schedules[1, 1]
    device = device_of(spec.dram)
    assert device is not None
    banked = BankedDram(device, DramController(mapping=mapping_of(device.organisation)))
    service = banked.service(extents_of(schedule, compiled.stored, memory_of(spec).bank_set_bytes))
    charged = schedule.commands
    stores = sum(kind is TransferKind.OFMAP for kind in charged.kind)
    assert stores > len(charged.kind) / 5
    assert sum(charged.occupancy_ps) == pytest.approx(
        banked.average_duration_ps(service), rel=0.005
    )
    assert sum(charged.activates) == pytest.approx(service.events.activates, rel=0.1)
    assert sum(charged.bus_bytes) == pytest.approx(
        service.events.read_bytes + service.events.write_bytes, rel=1e-12
    )


TRANSFERS = st.builds(
    Transfer,
    st.integers(0, 2**20),
    st.integers(1, 2**14),
    st.booleans(),
    st.integers(1, 12),
    st.integers(2**14, 2**16),
)


@settings(max_examples=150, deadline=None)
@given(
    TRANSFERS,
    st.sampled_from(STANDARDS),
    st.integers(10**8, 10**12),
    st.floats(1.0001, 100),
    st.sampled_from((1, 2, 4)),
)
def test_more_bandwidth_is_never_slower(
    transfer: Transfer, standard: DramStandard, rate: int, factor: float, channels: int
) -> None:
    slow = memory(standard, peak_bytes_per_s=rate, channels=channels)
    fast = memory(standard, peak_bytes_per_s=int(rate * factor), channels=channels)
    slower, faster = slow.transfer_cost(transfer), fast.transfer_cost(transfer)
    assert faster.occupancy_ps <= slower.occupancy_ps
    assert replace(faster, occupancy_ps=0) == replace(slower, occupancy_ps=0)
    assert slow.rate_bytes_per_s <= fast.rate_bytes_per_s


@settings(max_examples=100, deadline=None)
@given(st.lists(TRANSFERS, min_size=1, max_size=6), st.sampled_from(STANDARDS))
def test_the_lower_bound_holds_and_bytes_are_whole_bursts(
    transfers: list[Transfer], standard: DramStandard
) -> None:
    dram = memory(standard, channels=2)
    costs = [dram.transfer_cost(transfer) for transfer in transfers]
    wanted = sum(transfer.n_bytes * transfer.pieces for transfer in transfers)
    assert dram.least_occupancy_ps(wanted) <= sum(cost.occupancy_ps for cost in costs)
    for transfer, cost in zip(transfers, costs, strict=True):
        assert cost.bus_bytes == cost.bursts * DEVICE_RATES[standard][1]
        assert transfer.n_bytes * transfer.pieces <= cost.bus_bytes
        assert 1 <= cost.activates <= cost.bursts


@settings(max_examples=100, deadline=None)
@given(TRANSFERS, st.sampled_from(STANDARDS), st.integers(1, 50))
def test_a_period_further_on_costs_the_same(
    transfer: Transfer, standard: DramStandard, periods: int
) -> None:
    dram = memory(standard, channels=2)
    moved = replace(transfer, address=transfer.address + periods * dram.period_bytes)
    assert dram.transfer_cost(moved) == dram.transfer_cost(transfer)


def test_a_rate_knows_no_rows_and_a_device_is_no_rate() -> None:
    data = device_data()
    rate = memory_of(AcceleratorSpec.model_validate_json(json.dumps(data)))
    assert isinstance(rate, RateLatencyDram)
    assert rate.transfer_cost(Transfer(5, 33, True)).activates == 0
    assert rate.transfer_cost(Transfer(0, 33, False, 3, 99)).bus_bytes == 3 * 64
    with pytest.raises(ValueError, match="has rows"):
        RateLatencyDram(spec_with(DramStandard.LPDDR4_3200))
