"""The memory of an accelerator spec: a DRAM device by its standard, or a rate and a latency."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

from simulator.spec_base import Part, real, whole


class DramStandard(StrEnum):
    """DRAM devices whose timings and energies `simulator.cost.dram_presets` holds."""

    LPDDR3_1600 = "lpddr3_1600"
    LPDDR4_3200 = "lpddr4_3200"
    LPDDR5_6400 = "lpddr5_6400"
    DDR3_1600 = "ddr3_1600"
    DDR4_2400 = "ddr4_2400"


class Layout(StrEnum):
    """In which order the weights of a tree lie in DRAM.

    layer_major: by depth, and there layer by layer, siblings' layers side by side. node_major: by
    depth, each node (the layers between two decisions) in one piece. path_major: depth first, so
    that a node is followed by its first arm. path_major_duplicated: every path from root to leaf
    in one piece, what paths have in common once for each. channel_interleaved: as layer_major, but
    siblings' layers of one shape take turns by output channel. bank_partitioned: as node_major,
    but siblings lie in different banks.
    """

    LAYER_MAJOR = "layer_major"
    NODE_MAJOR = "node_major"
    PATH_MAJOR = "path_major"
    PATH_MAJOR_DUPLICATED = "path_major_duplicated"
    CHANNEL_INTERLEAVED = "channel_interleaved"
    BANK_PARTITIONED = "bank_partitioned"


class Alignment(StrEnum):
    """Where the weights of a layer begin: at a burst, a row of all channels, or a row of bank 0."""

    BURST = "burst"
    ROW = "row"
    BANK = "bank"


DEVICE_RATES = {
    DramStandard.LPDDR3_1600: (6_400_000_000, 32),
    DramStandard.LPDDR4_3200: (6_400_000_000, 32),
    DramStandard.LPDDR5_6400: (12_800_000_000, 32),
    DramStandard.DDR3_1600: (3_200_000_000, 16),
    DramStandard.DDR4_2400: (4_800_000_000, 16),
}
"""Bytes per second and per burst of one device: transfers per second x width, x burst length."""


class Dram(Part):
    """Off-chip memory seen through its controller: a device with banks and rows, or a rate.

    With a `device`, `channels` of them (each of `devices_per_channel` side by side) are timed by
    the device's standard, and its burst and peak rate need not be given; another
    `peak_bytes_per_s` is another data clock, while row timings keep their nanoseconds.
    `efficiency_fraction` is the share of the peak rate that sequential streams reach; beside a
    device it is the share of the device's rate that the system leaves to the accelerator (1 if
    left out). `weight_layout` and `weight_alignment` say where weights lie, which matters to a
    device. A transfer occupies whole bursts; its data is complete one latency after its last.
    """

    device: DramStandard | None = None
    channels: Annotated[int, whole(1, 64)] = 1
    devices_per_channel: Annotated[int, whole(1, 16)] = 1
    peak_bytes_per_s: Annotated[int, whole(10**3, 10**14)]
    efficiency_fraction: Annotated[float, real(0.01, 1)]
    burst_bytes: Annotated[int, whole(1, 65536)]
    read_latency_ns: Annotated[float, real(0, 1e6)]
    write_latency_ns: Annotated[float, real(0, 1e6)]
    weight_layout: Layout = Layout.LAYER_MAJOR
    weight_alignment: Alignment = Alignment.ROW

    @model_validator(mode="before")
    @classmethod
    def _filled_in(cls, data: Any) -> Any:
        """A device's own numbers where the spec leaves them out."""
        if not isinstance(data, dict) or data.get("device") not in list(DramStandard):
            return data
        given = {name: value for name, value in data.items() if value is not None}
        counts = [given.get(name, 1) for name in ("channels", "devices_per_channel")]
        if any(type(count) is not int for count in counts):
            return data
        rate, burst = DEVICE_RATES[DramStandard(given["device"])]
        known = {
            "peak_bytes_per_s": rate * counts[0] * counts[1],
            "efficiency_fraction": 1.0,
            "burst_bytes": burst * counts[1],
        }
        return known | given

    @model_validator(mode="after")
    def _of_a_device(self) -> Self:
        for name in ("channels", "devices_per_channel"):
            count = getattr(self, name)
            if self.device is None and count > 1:
                raise ValueError(f"{name}: {count}: only a memory with a device has so many")
            if count & (count - 1):
                raise ValueError(f"{name}: {count}: must be a power of two")
        if self.device is not None and self.burst_bytes != self._device_numbers["burst_bytes"]:
            raise ValueError(
                f"burst_bytes: {self.burst_bytes}: {self.devices_per_channel} {self.device} side "
                f"by side have bursts of {self._device_numbers['burst_bytes']} bytes; leave it out"
            )
        return self

    @property
    def _device_numbers(self) -> dict[str, float]:
        if self.device is None:
            return {}
        rate, burst = DEVICE_RATES[self.device]
        return {
            "peak_bytes_per_s": rate * self.channels * self.devices_per_channel,
            "efficiency_fraction": 1.0,
            "burst_bytes": burst * self.devices_per_channel,
        }

    def derived(self) -> frozenset[str]:
        """Fields that say no more than the device does."""
        numbers = self._device_numbers
        return frozenset(name for name, value in numbers.items() if getattr(self, name) == value)

    @model_serializer(mode="wrap")
    def _without_derived(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What the device says is left out, so that another number of channels brings its own."""
        dumped: dict[str, Any] = handler(self)
        return {k: None if k in self.derived() else v for k, v in dumped.items()}
