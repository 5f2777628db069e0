"""A DRAM device as a schedule sees it: the cost of every transfer from its own extents.

The controller opens rows ahead while earlier data is on the bus, so a transfer takes the longest
of four times: its bursts' data; its activates, no faster than tRRD, tFAW and the banks' tRC allow;
its commands on the command bus; and, where it consists of many pieces, its visits to rows in
order, with their bank conflicts. Refresh stretches all by its average share. A write is
charged the bus turnaround before and after it. Every transfer opens all rows it touches: no row
is taken to be open from the transfer before. `BankedDram` serves whole lists of transfers with
row state, reordering and drains; `docs/dram.md` says how far the two are apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache, reduce
from operator import add

from simulator.cost.dram import MostOccupancy, TransferCost
from simulator.cost.dram_address import AddressMap, Region, Transfer
from simulator.cost.dram_presets import DramDevice
from simulator.cost.dram_rows import RowTimes, RowWalk
from simulator.cost.dram_timing import AddressMapping, DramController, DramOrganisation, DramTiming
from simulator.spec import AcceleratorSpec
from simulator.units import PS_PER_S, ceil_div, ns_to_ps

MOST_WALKED_BURSTS = 4096
"""Of a transfer in pieces, the bursts that are walked; the rest takes as long in proportion."""


class DeviceDram:
    """Serves transfers at the pace of a device's banks, rows and bus.

    The data clock is the spec's peak rate; row timings keep their nanoseconds at any rate.
    """

    def __init__(self, spec: AcceleratorSpec, device: DramDevice) -> None:
        organisation, timing = device.organisation, device.timing
        self._organisation = organisation
        self._map = AddressMap(organisation, mapping_of(organisation))
        self._width = organisation.bank_groups
        row_bursts = organisation.row_bytes // organisation.burst_bytes
        self._region_bursts = row_bursts * self._width
        self.read_latency_ps = ns_to_ps(spec.dram.read_latency_ns)
        self.write_latency_ps = ns_to_ps(spec.dram.write_latency_ns)
        clock = Fraction(
            organisation.burst_bytes * organisation.channels * PS_PER_S,
            spec.dram.peak_bytes_per_s * timing.ccd_short,
        )
        stretch = _refresh_stretch(timing) / Fraction(str(spec.dram.efficiency_fraction))
        burst = clock * max(Fraction(timing.ccd_short), Fraction(timing.ccd_long, self._width))
        self._stretch = stretch
        self._data_ps = burst * stretch
        self._activate_ps = _activate_interval_ps(organisation, timing) * stretch
        self._command_ps = clock * stretch
        self._row_commands = timing.activate_commands + 1
        self._requests = spec.dma.outstanding_requests
        self._turnaround_ps = _turnaround_ps(timing, clock)
        self._rows = _row_times(timing, -(-burst.numerator // burst.denominator))
        self._refi_ps = timing.refi * timing.tck_ps
        self._contiguous = lru_cache(maxsize=None)(self._contiguous_cost)
        self._in_pieces = lru_cache(maxsize=65536)(self._cost_in_pieces)

    @property
    def bank_set_bytes(self) -> int:
        """Bytes of one row in every bank of every channel."""
        return self.row_set_bytes * (self._organisation.banks // self._width)

    @property
    def period_bytes(self) -> int:
        """Nothing depends on which row of a bank it is, but for being the same."""
        return self.bank_set_bytes

    @property
    def row_set_bytes(self) -> int:
        """Bytes of one row of every channel, and of every bank group where bursts alternate."""
        return self._region_bursts * self._organisation.burst_bytes * self._organisation.channels

    @property
    def rate_bytes_per_s(self) -> Fraction:
        """What long sequential reads reach, in whole rows."""
        bursts = self._region_bursts
        busy_ps = max(
            bursts * self._data_ps,
            self._width * self._activate_ps,
            (bursts + self._width * self._row_commands) * self._command_ps,
            Fraction(bursts * self._organisation.channels * self.read_latency_ps, self._requests),
        )
        return self.row_set_bytes * PS_PER_S / busy_ps

    def transfer_cost(self, transfer: Transfer) -> TransferCost:
        """Time, bytes and commands of one transfer."""
        size = transfer.n_bytes
        if transfer.pieces == 1 or transfer.stride_bytes == size:
            phase = transfer.address % self.row_set_bytes
            return self._contiguous(phase, size * transfer.pieces, transfer.is_write)
        phase = transfer.address % self.period_bytes
        shape = (size, transfer.pieces, transfer.stride_bytes)
        return self._in_pieces(phase, shape, transfer.is_write)

    def command_cost(self, extents: Sequence[Transfer]) -> TransferCost:
        """One extent after the other."""
        return reduce(add, (self.transfer_cost(extent) for extent in extents))

    def occupancy_ps(self, n_bytes: int) -> int:
        """Time of one contiguous read from the start of a row."""
        return self._contiguous(0, n_bytes, False).occupancy_ps

    def bus_bytes(self, n_bytes: int) -> int:
        """Bytes that cross the bus for one contiguous transfer from the start of a row."""
        return self._contiguous(0, n_bytes, False).bus_bytes

    def least_occupancy_ps(self, n_bytes: int) -> int:
        """A lower bound on the time that n_bytes take, however they are cut into transfers."""
        organisation = self._organisation
        bursts = Fraction(n_bytes, organisation.burst_bytes)
        return int(
            max(
                bursts * self._data_ps / organisation.channels,
                bursts * self.read_latency_ps / self._requests,
            )
        )

    @property
    def most_occupancy(self) -> MostOccupancy:
        """Of the four times of `_cost`, each linear in the bytes, the largest of both parts.

        The ends of a transfer cut two bursts, its channels deal them out unevenly by one, and
        its rows start and end in the midst of one of every bank group.
        """
        channels, width, region = self._organisation.channels, self._width, self._region_bursts
        per_byte = Fraction(1, self._organisation.burst_bytes)
        cut = Fraction(2 + channels - 1, channels)
        waiting = Fraction(self.read_latency_ps, self._requests)

        def longest(bursts: Fraction, rows: Fraction, total: Fraction) -> Fraction:
            commands = bursts + rows * self._row_commands
            return max(
                bursts * self._data_ps,
                rows * self._activate_ps,
                commands * self._command_ps,
                total * waiting,
            )

        bursts = per_byte / channels
        slope = longest(bursts, width * bursts / region, per_byte)
        once = longest(cut, width * (cut / region + 2), Fraction(2)) + 1
        return MostOccupancy(float(slope), float(once), float(once + self._turnaround_ps))

    def refreshes_in(self, duration_ps: int) -> int:
        """Refreshes of all channels over a time, the memory being busy or idle."""
        if not self._refi_ps:
            return 0
        return duration_ps // self._refi_ps * self._organisation.channels

    def _contiguous_cost(self, address: int, n_bytes: int, is_write: bool) -> TransferCost:
        """`address` within a row set."""
        first, end = self._map.bursts(address, n_bytes)
        size = self._organisation.burst_bytes
        total = ceil_div(address + n_bytes, size) - address // size
        return self._cost(end - first, total, self._rows_touched(first, end), is_write)

    def _rows_touched(self, first: int, end: int) -> int:
        """Rows of the busiest channel that its bursts first..end-1 lie in."""
        width, region = self._width, self._region_bursts
        (head, start), (tail, last) = divmod(first, region), divmod(end - 1, region)
        if head == tail:
            return min(width, end - first)
        return min(width, region - start) + (tail - head - 1) * width + min(width, last + 1)

    def _cost_in_pieces(
        self, address: int, shape: tuple[int, int, int], is_write: bool
    ) -> TransferCost:
        n_bytes, pieces, stride = shape
        transfer = Transfer(address, n_bytes, is_write, pieces, stride)
        size = self._organisation.burst_bytes
        total = bursts = 0
        for start in range(address, address + pieces * stride, stride):
            first, end = self._map.bursts(start, n_bytes)
            bursts += end - first
            total += ceil_div(start + n_bytes, size) - start // size
        visits = RowWalk(self._rows).walk(self._regions(transfer), MOST_WALKED_BURSTS)
        activates = ceil_div(visits.activates * bursts, visits.bursts)
        conflicts = Fraction(visits.duration_ps * bursts, visits.bursts) * self._stretch
        return self._cost(bursts, total, activates, is_write, _ceil(conflicts))

    def _regions(self, transfer: Transfer) -> Iterator[Region]:
        for extent in self._map.extents(transfer):
            while (region := extent.next_region()) is not None:
                yield region

    def _cost(
        self, bursts: int, total: int, activates: int, is_write: bool, least_ps: int = 0
    ) -> TransferCost:
        """Cost of a transfer with so many bursts and activates on its busiest channel."""
        commands = bursts + activates * self._row_commands
        occupancy_ps = max(
            least_ps,
            _times(bursts, self._data_ps),
            _times(activates, self._activate_ps),
            _times(commands, self._command_ps),
            ceil_div(total * self.read_latency_ps, self._requests),
        )
        organisation = self._organisation
        return TransferCost(
            occupancy_ps=occupancy_ps + (self._turnaround_ps if is_write else 0),
            bus_bytes=total * organisation.burst_bytes,
            bursts=total,
            # the busiest channel stands for all, but no burst needs two activates
            activates=min(total, activates * organisation.channels),
        )


def mapping_of(organisation: DramOrganisation) -> AddressMapping:
    """The mapping a streaming controller uses: bursts alternate between bank groups, if any."""
    if organisation.bank_groups > 1:
        return AddressMapping.ROW_BANK_COLUMN_GROUP
    return AddressMapping.ROW_BANK_GROUP_COLUMN


def _ceil(value: Fraction) -> int:
    return ceil_div(value.numerator, value.denominator)


def _times(count: int, each_ps: Fraction) -> int:
    return ceil_div(count * each_ps.numerator, each_ps.denominator)


def _refresh_stretch(timing: DramTiming) -> Fraction:
    """Time over the time that refresh, its precharge and the row opened anew leave."""
    if not timing.refi:
        return Fraction(1)
    return Fraction(timing.refi, timing.refi - timing.rp - timing.rfc - timing.rcd)


def _activate_interval_ps(organisation: DramOrganisation, timing: DramTiming) -> Fraction:
    """Least mean time between activates of one channel, its banks taking turns."""
    return timing.tck_ps * max(
        Fraction(timing.rrd_short), Fraction(timing.faw, 4), Fraction(timing.rc, organisation.banks)
    )


def _turnaround_ps(timing: DramTiming, clock: Fraction) -> int:
    """Idle bus from reads to a write and back: two data clocks between, then tWTR.

    Latencies and tWTR keep their nanoseconds.
    """
    to_write = max((timing.cl - timing.cwl) * timing.tck_ps + 2 * clock, Fraction(0))
    return _ceil(to_write + (timing.cwl + timing.wtr) * timing.tck_ps)


def _row_times(timing: DramTiming, burst_ps: int) -> RowTimes:
    ps = timing.tck_ps
    return RowTimes(
        burst_ps=burst_ps,
        rcd_ps=timing.rcd * ps,
        rp_ps=timing.rp * ps,
        ras_ps=timing.ras * ps,
        rc_ps=timing.rc * ps,
        rrd_ps=timing.rrd_short * ps,
        faw_ps=timing.faw * ps,
        to_precharge_ps=timing.rtp * ps,
        window=DramController().queue_bursts,
    )
