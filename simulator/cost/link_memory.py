"""A memory behind a link (host interface, flash): a rate, a latency and a transaction size."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from simulator.cost.dram_address import Transfer
from simulator.cost.dram_service import DramService, TransferService
from simulator.errors import SpecError
from simulator.units import PS_PER_S, bytes_to_ps, ceil_div


class LinkMemory:
    """Serves whole transactions at a rate, but no more than requests in flight allow.

    The rate is the link's, or `outstanding` transactions per latency where that is less
    (Little's law). A link has no rows: nothing is activated, every transaction counts as a burst.
    """

    def __init__(
        self,
        bytes_per_s: Fraction,
        transaction_bytes: int,
        read_latency_ps: int,
        write_latency_ps: int,
        outstanding: int,
    ) -> None:
        if bytes_per_s <= 0 or transaction_bytes < 1 or outstanding < 1:
            raise SpecError(
                f"link memory: rate {bytes_per_s}, transaction_bytes {transaction_bytes} and "
                f"outstanding {outstanding} must be positive"
            )
        self.read_latency_ps, self.write_latency_ps = read_latency_ps, write_latency_ps
        self._transaction_bytes = transaction_bytes
        self._rate_bytes_per_s = bytes_per_s
        if read_latency_ps:
            in_flight = outstanding * transaction_bytes
            self._rate_bytes_per_s = min(
                bytes_per_s, Fraction(in_flight * PS_PER_S, read_latency_ps)
            )

    def service(self, transfers: Sequence[Transfer]) -> DramService:
        """Times of the transfers: whole transactions, one after the other."""
        served = []
        for transfer in transfers:
            n_bytes = self.bus_bytes(transfer)
            transactions = n_bytes // self._transaction_bytes
            served.append(
                TransferService(
                    occupancy_ps=bytes_to_ps(n_bytes, self._rate_bytes_per_s),
                    read_bursts=0 if transfer.is_write else transactions,
                    write_bursts=transactions if transfer.is_write else 0,
                    activates=0,
                )
            )
        return DramService(tuple(served), self._transaction_bytes, refreshes=0, turnarounds=0)

    def bus_bytes(self, transfer: Transfer) -> int:
        """Bytes that cross the link for a transfer: whole transactions for every piece."""
        size = self._transaction_bytes
        return ceil_div(transfer.n_bytes, size) * size * transfer.pieces

    def least_occupancy_ps(self, n_bytes: int) -> int:
        """A lower bound on the time that n_bytes take, however they are cut into transfers."""
        return int(n_bytes * PS_PER_S / self._rate_bytes_per_s)
