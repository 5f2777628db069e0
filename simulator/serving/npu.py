"""One NPU that several networks take turns on."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from simulator.serving.request import Arms, Request
from simulator.serving.service import Device, Served


class Sharing(StrEnum):
    """What the networks of an NPU do with the scratchpad.

    turns: whichever runs has all of it, so that of another network's weights nothing is left.
    partition: each keeps its weights in a region of its own; buffers are whoever's turn it is.
    """

    TURNS = "turns"
    PARTITION = "partition"


class SharedNpu:
    """Serves one request at a time, of one network after another.

    Attributes:
        last: network and route of the inference before, None before the first.
        cold_ps: by network, the longest inference that finds nothing on chip.
        switches: inferences that followed one of another network.
    """

    def __init__(
        self, devices: Sequence[Device], cold_ps: Sequence[int], sharing: Sharing = Sharing.TURNS
    ) -> None:
        self._devices, self.cold_ps, self._sharing = tuple(devices), tuple(cold_ps), sharing
        self.last: tuple[int, Arms] | None = None
        self.switches = 0

    def serve(self, request: Request) -> Served:
        """Run a request's inference; taking turns, the network before loses its weights."""
        if self.last is not None and self.last[0] != request.network:
            self.switches += 1
            if self._sharing is Sharing.TURNS:
                self._devices[self.last[0]].reset()
        self.last = (request.network, request.arms)
        return self._devices[request.network].serve(request.arms)
