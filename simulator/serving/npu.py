"""One NPU that several networks take turns on."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.serving.request import Arms, Request
from simulator.serving.service import Device, Served


class SharedNpu:
    """Serves one request at a time; a request of another network overwrites the scratchpad.

    Attributes:
        last: network and route of the inference before, None before the first.
        cold_ps: by network, the longest inference that finds nothing on chip.
        switches: inferences that followed one of another network.
    """

    def __init__(self, devices: Sequence[Device], cold_ps: Sequence[int]) -> None:
        self._devices, self.cold_ps = tuple(devices), tuple(cold_ps)
        self.last: tuple[int, Arms] | None = None
        self.switches = 0

    def serve(self, request: Request) -> Served:
        """Run a request's inference. Weights the other networks kept on chip are lost."""
        if self.last is not None and self.last[0] != request.network:
            self.switches += 1
            self._devices[self.last[0]].reset()
        self.last = (request.network, request.arms)
        return self._devices[request.network].serve(request.arms)
