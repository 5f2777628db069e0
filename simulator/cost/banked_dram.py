"""A DRAM with channels, banks and rows: service times and commands of transfers over extents."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, pairwise

from simulator.cost.dram_address import AddressMap, Transfer
from simulator.cost.dram_channel import Channel
from simulator.cost.dram_presets import DramDevice
from simulator.cost.dram_service import DramService, TransferService
from simulator.cost.dram_timing import DramController
from simulator.units import ceil_div


class BankedDram:
    """Serves transfers by arithmetic over row groups; see `dram_channel` for the rules.

    Channels run in lockstep on even shares of every extent. Refresh closes all rows every tREFI:
    it takes tRFC, the precharge before and one activate after, and stretches the schedule by as
    much. The memory is never idle between transfers: a refresh that an idle memory would hide is
    charged all the same. A transfer's occupancy ends when the next column command may be issued;
    its data is complete one latency (CL or CWL, and the controller's own) later.
    """

    def __init__(self, device: DramDevice, controller: DramController | None = None) -> None:
        self._device = device
        self._controller = controller or DramController()
        organisation, timing = device.organisation, device.timing
        self._map = AddressMap(organisation, self._controller.mapping)
        self._refresh_ps = (timing.rp + timing.rfc + timing.rcd) * timing.tck_ps
        self._busy_ps = timing.refi * timing.tck_ps - self._refresh_ps if timing.refi else 0
        tail_ps = (timing.burst - timing.ccd_short) * timing.tck_ps
        extra_ps = self._controller.extra_latency_ps
        self.read_latency_ps = timing.cl * timing.tck_ps + tail_ps + extra_ps
        self.write_latency_ps = timing.cwl * timing.tck_ps + tail_ps
        self.sequential_occupancy_ps = lru_cache(maxsize=4096)(self._sequential_occupancy_ps)

    def service(self, transfers: Sequence[Transfer]) -> DramService:
        """Times and commands of the transfers, the memory being idle before the first."""
        channel = Channel(self._device.organisation, self._device.timing, self._controller)
        for index, transfer in enumerate(transfers):
            for extent in self._map.extents(transfer):
                channel.offer_extent(index, extent, is_write=transfer.is_write)
        channel.finish()
        finish_ps = list(
            accumulate((channel.finish_ps.get(i, 0) for i in range(len(transfers))), max)
        )
        channels = self._device.organisation.channels
        served = []
        for index, (transfer, (before_ps, after_ps)) in enumerate(
            zip(transfers, pairwise([0, *finish_ps]), strict=True)
        ):
            bursts = self._bursts(transfer)
            refreshes = self._refreshes(after_ps) - self._refreshes(before_ps)
            activates = channel.activates.get(index, 0) + refreshes
            served.append(
                TransferService(
                    occupancy_ps=after_ps - before_ps + refreshes * self._refresh_ps,
                    read_bursts=0 if transfer.is_write else bursts,
                    write_bursts=bursts if transfer.is_write else 0,
                    # the busiest channel stands for all, but no burst needs two activates
                    activates=min(bursts, activates * channels),
                )
            )
        return DramService(
            transfers=tuple(served),
            burst_bytes=self._device.organisation.burst_bytes,
            refreshes=self._refreshes(finish_ps[-1]) * channels if finish_ps else 0,
            turnarounds=channel.turnarounds * channels,
        )

    def refreshes_in(self, duration_ps: int) -> int:
        """Refreshes of all channels over a time, the memory being busy or idle."""
        timing = self._device.timing
        if not timing.refi:
            return 0
        return duration_ps // (timing.refi * timing.tck_ps) * self._device.organisation.channels

    def average_duration_ps(self, service: DramService) -> float:
        """Duration of a service with its share of refresh, however short it was."""
        busy_ps = service.duration_ps - self._refreshes_charged_ps(service)
        if not self._busy_ps:
            return busy_ps
        return busy_ps * (self._busy_ps + self._refresh_ps) / self._busy_ps

    def _refreshes_charged_ps(self, service: DramService) -> int:
        return service.refreshes // self._device.organisation.channels * self._refresh_ps

    def bus_bytes(self, transfer: Transfer) -> int:
        """Bytes that cross the bus for a transfer: whole bursts."""
        return self._bursts(transfer) * self._device.organisation.burst_bytes

    def least_occupancy_ps(self, n_bytes: int) -> int:
        """A lower bound on the time that n_bytes take, however they are cut into transfers."""
        organisation, timing = self._device.organisation, self._device.timing
        bursts = n_bytes // (organisation.burst_bytes * organisation.channels)
        return bursts * timing.ccd_short * timing.tck_ps

    def _sequential_occupancy_ps(self, n_bytes: int) -> int:
        """Time of one contiguous read from the start of a row, the memory being idle before."""
        return self.service([Transfer(0, n_bytes)]).duration_ps

    def _bursts(self, transfer: Transfer) -> int:
        size = self._device.organisation.burst_bytes
        if transfer.stride_bytes % size == 0:
            end = ceil_div(transfer.address + transfer.n_bytes, size)
            return (end - transfer.address // size) * transfer.pieces
        starts = (transfer.address + i * transfer.stride_bytes for i in range(transfer.pieces))
        return sum(ceil_div(start + transfer.n_bytes, size) - start // size for start in starts)

    def _refreshes(self, time_ps: int) -> int:
        return time_ps // self._busy_ps if self._busy_ps else 0
